#!/usr/bin/env python3
"""Writes sound and nearly sound record batches for batch_validation_fuzzer.

Usage: make_batch_corpus.py OUT
The fuzzer's first byte chooses the rules; length, magic and CRC it fills in by itself.
"""
import gzip
import pathlib
import struct
import sys
import zlib


def varint(value):
    raw = (value << 1) ^ (value >> 63)
    raw &= (1 << 64) - 1
    out = b""
    while raw >= 0x80:
        out += bytes([raw & 0x7F | 0x80])
        raw >>= 7
    return out + bytes([raw])


def record(position, key, value):
    body = b"\0" + varint(0) + varint(position)
    body += varint(-1) if key is None else varint(len(key)) + key
    body += varint(len(value)) + value + varint(1) + varint(1) + b"h" + varint(-1)
    return varint(len(body)) + body


def batch(records, codec, packed):
    header = struct.pack(">qiibIHiqqqhii", 0, 0, -1, 2, 0, codec, records - 1,
                         1700000000000, 1700000000000, -1, -1, -1, records)
    return header + packed


def lz4_frame(plain):
    """One uncompressed block."""
    descriptor = b"\x60\x40"
    return (b"\x04\x22\x4d\x18" + descriptor + b"\x82" +
            struct.pack("<I", len(plain) | 0x80000000) + plain + b"\0\0\0\0")


def raw_snappy(plain):
    """One literal."""
    assert len(plain) <= 60
    return bytes([len(plain), (len(plain) - 1) << 2]) + plain


def raw_zstd(plain):
    """One raw block."""
    return (b"\x28\xb5\x2f\xfd\x20" + bytes([len(plain)]) +
            struct.pack("<I", len(plain) << 3 | 1)[:3] + plain)


def message_set(magic, codec, key, value):
    """One message of the formats before record batches."""
    body = struct.pack(">bb", magic, codec)
    if magic == 1:
        body += struct.pack(">q", 1700000000000)
    body += struct.pack(">i", len(key)) + key + struct.pack(">i", len(value)) + value
    message = struct.pack(">I", zlib.crc32(body)) + body
    return struct.pack(">qi", 0, len(message)) + message


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    plain = record(0, b"k", b"v") + record(1, None, b"w")
    packers = [lambda p: p, gzip.compress, raw_snappy, lz4_frame, raw_zstd]
    for codec, pack in enumerate(packers):
        for rules in range(4):
            data = bytes([rules]) + batch(2, codec, pack(plain))
            (out / f"codec{codec}-rules{rules}").write_bytes(data)
            (out / f"codec{codec}-rules{rules}-torn").write_bytes(data[:-3])
    for magic in range(2):
        inner = message_set(magic, 0, b"k", b"v" * 40)
        sets = {"": inner, "-two": inner * 2,
                "-gzip": message_set(magic, 1, b"", gzip.compress(inner)),
                "-snappy": message_set(magic, 2, b"", raw_snappy(b"x" * 60)),
                "-lz4": message_set(magic, 3, b"", lz4_frame(inner))}
        for name, data in sets.items():
            (out / f"magic{magic}{name}").write_bytes(b"\4" + data)
    (out / "magic3").write_bytes(b"\4" + batch(2, 0, plain).replace(b"\2", b"\3", 1))
    (out / "empty").write_bytes(b"")
    (out / "wrong-crc").write_bytes(b"\4" + batch(2, 0, plain))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
