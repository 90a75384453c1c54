#!/usr/bin/env python3
"""Fails if a header does not compile alone, or not when it is included twice.

usage: check_headers.py BUILD_DIR [ROOT]

Each header becomes a file of two includes, compiled with the flags that BUILD_DIR's
compile_commands.json gives a source of the same folder (or of the nearest one), as many at a time
as there are cores. A header is skipped while nothing it includes is newer than its last success; one
with `#pragma once` also when the source of its name includes it before all others, for the build has
shown it then.
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

SKIPPED = ("build",)


def commands_of(build, root):
    """Yields (source, entry) for each source of the tree that is compiled by itself."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["directory"], entry["file"])
        if source.is_relative_to(root) and not source.is_relative_to(build):
            yield source, entry


def shown_by_build(header, root, sources):
    """Whether the source beside it shows that it stands alone."""
    source = header.with_suffix(".cc")
    if source not in sources or "#pragma once" not in header.read_text().splitlines():
        return False
    first = next((line for line in source.read_text().splitlines() if line.startswith("#include")), "")
    return first == f'#include "{header.relative_to(root).as_posix()}"'


def flags_by_folder(build, root):
    """folder -> compiler and flags of one source there, without source and output."""
    found = {}
    for source, entry in commands_of(build, root):
        words = entry.get("arguments") or shlex.split(entry["command"])
        if os.path.basename(words[0]) == "ccache":
            words = words[1:]
        flags = []
        skip = False
        for word in words:
            if skip:
                skip = False
            elif word == "-o":
                skip = True
            elif word not in ("-c", entry["file"], str(source)):
                flags.append(word)
        folder = source.parent.relative_to(root).as_posix()
        # The longest list sees the most include directories.
        if len(flags) > len(found.get(folder, [])):
            found[folder] = flags
    return found


def flags_of(folder, flags):
    """The flags of the folder, of the nearest one around it, or of any with the most flags."""
    while folder not in flags and folder not in ("", "."):
        folder = os.path.dirname(folder)
    return flags.get(folder) or max(flags.values(), key=len)


def up_to_date(stamp, depfile, command):
    """True if the last success was of this command and nothing in its depfile is newer."""
    try:
        if stamp.read_text() != command:
            return False
        made = stamp.stat().st_mtime
        text = depfile.read_text().replace("\\\n", " ").split(":", 1)[1]
        return all(os.stat(path).st_mtime <= made for path in text.split())
    except (OSError, IndexError):
        return False


def check(header, root, flags, work):
    """Returns "" or what the compiler said."""
    name = header.relative_to(root).as_posix()
    base = work / name.replace("/", "__")
    source, stamp, depfile = (base.with_name(base.name + end) for end in (".cc", ".ok", ".d"))
    words = [*flags, "-fsyntax-only", "-MD", "-MF", str(depfile), "-MT", "x", str(source)]
    command = shlex.join(words)
    if up_to_date(stamp, depfile, command):
        return ""
    text = f'#include "{name}"\n#include "{name}"\n'
    if not source.exists() or source.read_text() != text:
        source.write_text(text)
    stamp.unlink(missing_ok=True)
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return f"{name}: does not compile alone\n{run.stderr}"
    stamp.write_text(command)
    return ""


def check_tree(build, root):
    """Returns (number of headers compiled, complaints)."""
    flags = flags_by_folder(build, root)
    sources = {source for source, _ in commands_of(build, root) if source.is_file()}
    headers = []
    for header in sorted(root.rglob("*.h")):
        parts = header.relative_to(root).parts
        if parts[0] in SKIPPED or any(part.startswith(".") for part in parts):
            continue
        if not shown_by_build(header, root, sources):
            headers.append(header)
    work = build / "header_checks"
    work.mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(
            lambda header: check(
                header, root, flags_of(header.parent.relative_to(root).as_posix(), flags), work
            ),
            headers,
        )
        return len(headers), [result for result in results if result]


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    default = pathlib.Path(__file__).resolve().parent.parent.parent
    root = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else default
    count, errors = check_tree(build, root)
    for error in errors:
        print(error)
    print(f"{count} headers that no source shows, {len(errors)} that do not compile alone")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
