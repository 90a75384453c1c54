"""Calls of Kafka's protocol that name the leader epoch they are meant for, and whole batches of values.

A value is "NAME:SIZE", stored with so many bytes of filling after it, which every read checks.
"""
import struct

import kafka_wire as wire
from kafka_wire import array, string

NOT_ENOUGH_REPLICAS = 19
ERROR_NAMES = {
    1: "OFFSET_OUT_OF_RANGE",
    3: "UNKNOWN_TOPIC_OR_PARTITION",
    5: "LEADER_NOT_AVAILABLE",
    6: "NOT_LEADER_OR_FOLLOWER",
    7: "REQUEST_TIMED_OUT",
    19: "NOT_ENOUGH_REPLICAS",
    20: "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    56: "KAFKA_STORAGE_ERROR",
    74: "FENCED_LEADER_EPOCH",
    76: "UNKNOWN_LEADER_EPOCH",
    85: "NO_REASSIGNMENT_IN_PROGRESS",
}
FILLING = b"."


def error_name(code):
    return ERROR_NAMES.get(code, f"error {code}")


def stored(value):
    return value.encode() + FILLING * int(value.rsplit(":", 1)[1])


def value_of(data):
    """The value in a record's bytes; what is no value is given as it is."""
    text = data.rstrip(FILLING).decode(errors="replace")
    try:
        return text if stored(text) == data else repr(data[:100])
    except ValueError:
        return repr(data[:100])


def batch(values):
    return wire.batch([stored(value) for value in values])


def records_of(data):
    """[(offset, leader epoch, value)] of what a fetch returned."""
    return [(record.offset, found.leader_epoch, value_of(record.value))
            for found in wire.batches(data) for record in wire.records(found)]


def fetch(connection, topic, partition, epoch, offset, wait=0.1, size_max=64 << 10):
    """Fetch version 9 of one partition, without a session."""
    part = struct.pack(">iiqqi", partition, epoch, offset, -1, size_max)
    body = struct.pack(">iiiibii", -1, int(wait * 1000), 1, size_max, 0, 0, -1)
    body += array([string(topic) + array([part])]) + array([])
    reader = connection.call(wire.FETCH, 9, body)
    reader.number("i")
    error = reader.number("h")
    reader.number("i")

    def one():
        _, error, high, _, _ = (reader.number(form) for form in "ihqqq")
        reader.take(16 * max(reader.number("i"), 0))
        return wire.Fetched(error, high, reader.bytes() or b"")

    if error:
        return wire.Fetched(error, -1, b"")
    ((_, (result,)),) = reader.array(lambda: (reader.string(), reader.array(one)))
    return result


def _compact(data):
    """A string or an array of a flexible version: its size and one more come first."""
    assert len(data) < 127
    return bytes([len(data) + 1])


def reassign(connection, topics, seconds):
    """AlterPartitionReassignments version 0, {topic: {partition: replicas}}; the errors."""
    def partition(number, replicas):
        where = _compact(replicas) + struct.pack(f">{len(replicas)}i", *replicas)
        return struct.pack(">i", number) + (where if replicas else b"\0") + b"\0"

    def topic(name, partitions):
        parts = [partition(*item) for item in partitions.items()]
        return _compact(name) + name.encode() + _compact(parts) + b"".join(parts) + b"\0"

    items = [topic(*item) for item in topics.items()]
    head = b"\0" + struct.pack(">i", int(seconds * 1000))  # The header's tagged fields come first.
    reader = connection.call(wire.ALTER_PARTITION_REASSIGNMENTS, 0,
                             head + _compact(items) + b"".join(items) + b"\0")

    def size():
        return reader.number("B") - 1

    reader.take(1 + 4)
    errors = [reader.number("h")]
    reader.take(max(size(), 0))
    for _ in range(size()):
        reader.take(size())
        for _ in range(size()):
            reader.take(4)
            errors.append(reader.number("h"))
            reader.take(max(size(), 0) + 1)
        reader.take(1)
    return errors


def end_offset(connection, topic, partition, epoch):
    """ListOffsets version 4 for the end of the log; (error, offset)."""
    part = struct.pack(">iiq", partition, epoch, -1)
    body = struct.pack(">ib", -1, 0) + array([string(topic) + array([part])])
    reader = connection.call(wire.LIST_OFFSETS, 4, body)
    reader.number("i")

    def one():
        _, error, _, offset, _ = (reader.number(form) for form in "ihqqi")
        return error, offset

    ((_, (result,)),) = reader.array(lambda: (reader.string(), reader.array(one)))
    return result
