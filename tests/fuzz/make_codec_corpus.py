#!/usr/bin/env python3
"""Writes the golden requests, each behind a header, as files that the codec's fuzzer starts from.

  make_codec_corpus.py GOLDEN_DIR OUT_DIR
"""
import pathlib
import shutil
import struct
import sys

CLIENT_ID = b"fuzz"


def header(key, version, header_version):
    fixed = struct.pack(">hhih", key, version, 1, len(CLIENT_ID)) + CLIENT_ID
    return fixed + (b"\0" if header_version == 2 else b"")


def frames(path):
    """Yields (name, frame) for every request of one golden file."""
    prefix, request = b"", ""
    for line in path.read_text().splitlines():
        words = line.split()
        if words[0] == "api":  # api NAME KEY version VERSION headers REQUEST RESPONSE
            request = words[1] + "Request"
            prefix = header(int(words[2]), int(words[4]), int(words[6]))
        elif words[0] == request:  # MESSAGE VERSION CASE [HEX]
            body = bytes.fromhex(words[3]) if len(words) > 3 else b""
            yield f"{words[0]}-{words[1]}-{words[2]}", prefix + body


def main(golden, out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for path in sorted(golden.glob("*.txt")):
        for name, frame in frames(path):
            (out / name).write_bytes(frame)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
