#!/usr/bin/env python3
"""Writes one entry stream of each kind of frame into a folder, for stream_fuzzer.

The layout is that of broker/wire/stream_codec.h; checksums stay zero, for the fuzzer mends them.
"""
import pathlib
import struct
import sys

HELLO, MESSAGE = 1, 2


def frame(kind: int, head: bytes, entries: bytes = b"") -> bytes:
    return struct.pack(">HBBIII", 0x4752, 1, kind, len(head), len(entries), 0) + head + entries


def text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()


def message(kind: int, fields: bytes, entries: bytes = b"") -> bytes:
    return frame(MESSAGE, struct.pack(">QB", 7, kind) + fields, entries)


def append(sizes: list[int]) -> bytes:
    fields = struct.pack(">IIQIQ", 5, 1, 9, 4, 8) + struct.pack(">I", len(sizes))
    for index, size in enumerate(sizes):
        fields += struct.pack(">QIBI", 10 + index, 5, index % 7, size)
    return message(3, fields, b"".join(bytes([65 + i]) * size for i, size in enumerate(sizes)))


STREAMS = {
    "hello": frame(HELLO, struct.pack(">HHIQQ", 1, 1, 1, 2, 3) + text("cluster")
                   + struct.pack(">II", 2, 0) + text("")),
    "vote_request": message(1, struct.pack(">IBBQQI", 5, 1, 0, 3, 9, 4)),
    "vote_reply": message(2, struct.pack(">IBB", 5, 0, 1)),
    "append": append([0, 3, 700]),
    "large_append": append([20000, 1]),
    "empty_append": append([]),
    "append_reply": message(4, struct.pack(">IIBQQQQQI", 5, 1, 0, 9, 9, 8, 0, 0, 0)),
    "timeout_now": message(5, struct.pack(">I", 5)),
}


def main(folder: str) -> None:
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    streams = dict(STREAMS, all=b"".join(STREAMS.values()))
    for name, stream in streams.items():
        for pieces in (0, 40, 255):  # The fuzzer's first byte: how large the pieces are.
            (out / f"{name}_{pieces}").write_bytes(bytes([pieces]) + stream)


if __name__ == "__main__":
    main(sys.argv[1])
