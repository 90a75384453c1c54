#!/usr/bin/env python3
"""Fails if a file includes what its folder may not see.

Three rules, each a table below:
  LAYERS   folder -> folders of the project whose headers it may include;
  ROOMS    library -> folders that may include its headers;
  folders  every folder with C++ in it stands in LAYERS (tests/ may include anything).

Prints file:line for each forbidden include. Run by ctest as `layering`.
"""
import pathlib
import re
import sys

# A folder sees itself and what is listed. `proto` holds the generated gRPC messages too,
# `proto/kafka` the generated Kafka codec. What is in a `testing` folder only tests see.
CORE = ["common", "proto", "storage", "storage/compaction", "raft", "coordinator", "coordinator/groups"]
LAYERS = {
    "common": [],
    "common/testing": ["common"],
    "proto": ["common"],
    "proto/kafka": ["common"],
    "storage": ["common"],
    "storage/compaction": ["common", "storage"],
    "storage/testing": ["common", "common/testing", "storage"],
    "raft": ["common"],
    "coordinator": ["common", "raft", "proto", "proto/kafka"],
    "coordinator/groups": ["common", "proto/kafka"],
    "broker": CORE,
    "broker/asio": ["common"],
    "broker/wire": ["common", "raft", "broker"],
    "broker/control": CORE + ["broker", "broker/asio", "broker/wire"],
    "broker/replication": ["common", "raft", "broker", "broker/asio", "broker/wire"],
    "broker/gateway": [
        "common", "coordinator", "broker", "broker/asio", "broker/gateway/handlers", "proto/kafka",
    ],
    "broker/gateway/handlers": [
        "common", "coordinator", "coordinator/groups", "broker", "broker/gateway", "proto/kafka",
    ],
    "broker/http": ["common", "coordinator", "broker", "broker/asio"],
    "broker/app": CORE + [
        "broker", "broker/asio", "broker/control", "broker/replication", "broker/gateway",
        "broker/http", "proto/kafka",
    ],
    "cli": ["common", "proto/kafka"],
    "bench": [
        "common", "storage", "storage/compaction", "raft", "broker", "proto", "proto/kafka",
    ],
}
# Free of both tables: tests look into every room, and build output is not ours.
FREE = ("tests", "build")

# (library, its headers, the folders or files that may include them, how many files at most)
ASIO_ROOMS = ["broker/asio", "broker/gateway", "broker/replication", "broker/http", "broker/app"]
ROOMS = [
    ("gRPC", re.compile(r"^grpc(pp|\+\+)?/|\.grpc\.pb\.h$"), ["broker/control"], None),
    ("RocksDB", re.compile(r"^rocksdb/"), ["storage"], 1),
    ("Asio", re.compile(r"^boost/(asio|beast)(/|\.hpp)"), ASIO_ROOMS, None),
    ("RE2", re.compile(r"^re2/"), ["coordinator/groups/topic_regex"], 1),
    ("prometheus-cpp", re.compile(r"^prometheus/"), ["common/metrics", "broker/http"], None),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def folder_of(path):
    """The folder of LAYERS that holds an included path, or None."""
    matches = [folder for folder in LAYERS if path.startswith(folder + "/")]
    return max(matches, key=len, default=None)


def includes(source):
    """Yields (line number, path, quoted)."""
    for number, line in enumerate(source.read_text(errors="replace").splitlines(), start=1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) or match.group(2), match.group(1) is not None


def in_room(path, rooms):
    """A room is a folder, or the beginning of a file's name: common/metrics is metrics.h and .cc."""
    return any(path.startswith((room + "/", room + ".", room + "_")) for room in rooms)


def check_file(root, source, errors, users):
    path = source.relative_to(root).as_posix()
    home = source.parent.relative_to(root).as_posix()
    if home not in LAYERS:
        errors.append(f"{path}:1: the folder {home} is not in the table of check_layering.py")
        return
    for number, target, quoted in includes(source):
        where = f"{path}:{number}"
        library = next((room for room in ROOMS if room[1].search(target)), None)
        if library and not in_room(path, library[2]):
            errors.append(f"{where}: {library[0]} stays in {', '.join(library[2])}: {target}")
        elif library:
            users.setdefault(library[0], {}).setdefault(path, where)
        folder = folder_of(target)
        if folder is None:
            # Libraries' headers may be quoted; ours are named from the root, in a folder we know.
            if quoted and ("/" not in target or (root / target).exists()):
                errors.append(f'{where}: "{target}" is in no folder of the project\'s table')
        elif folder != home and folder not in LAYERS[home]:
            errors.append(f"{where}: {home} may not include {target}")


def check_tree(root):
    """Returns the list of complaints about the tree at root."""
    errors = []
    users = {}  # library -> file -> first include of it
    for source in sorted(path for path in root.rglob("*") if path.suffix in (".h", ".cc")):
        parts = source.relative_to(root).parts
        if parts[0] in FREE or any(part.startswith(".") for part in parts):
            continue
        check_file(root, source, errors, users)
    for name, _, _, files_max in ROOMS:
        files = users.get(name, {})
        if files_max is not None and len(files) > files_max:
            errors += [f"{where}: {name} is for {files_max} file only" for where in files.values()]
    return errors


def main():
    default = pathlib.Path(__file__).resolve().parent.parent.parent
    errors = check_tree(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else default)
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
