#!/usr/bin/env python3
"""Writes clients' streams for frame_assembler_fuzzer: requests behind their lengths.

  make_frames_corpus.py GOLDEN_DIR OUT_DIR
"""
import itertools
import pathlib
import shutil
import struct
import sys

from make_codec_corpus import frames

# How large the pieces are and how much memory there is: the fuzzer's first two bytes.
HEADS = {"bytes": b"\0\xff", "pieces": b"\x07\xff", "short": b"\x40\0", "whole": b"\xff\xff"}


def framed(body):
    return struct.pack(">i", len(body)) + body


def main(golden, out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    requests = []
    for path in sorted(golden.glob("*.txt")):
        # The last of each API: its newest version.
        requests += [body for _, body in frames(path)][-1:]
    streams = {
        "few": b"".join(map(framed, requests[:3])),
        "many": b"".join(map(framed, requests)),
        "torn": framed(requests[0]) + framed(requests[1])[:-3],
        "half-length": framed(requests[0]) + b"\0\0",
        "empty-frame": framed(requests[0]) + framed(b"") + framed(requests[1]),
        "negative": framed(requests[0]) + b"\xff\xff\xff\xff",
        "limit": framed(b"x" * 8192) + framed(requests[0]),
        "over-limit": framed(b"x" * 8193),
        "promise": b"\0\0\x20\0" + b"x",
    }
    for (name, stream), (head, first) in itertools.product(streams.items(), HEADS.items()):
        (out / f"{name}-{head}").write_bytes(first + stream)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
