"""Kafka's protocol by hand, as far as the tests need it: one version of each API, and record batches.

It shows what a client library hides (raw batches, error codes, broken requests) and shares no code
with the broker. Every call is synchronous; times are seconds; a closed connection is ConnectionLost.
"""
import collections
import socket
import struct
import time

PRODUCE, FETCH, LIST_OFFSETS, METADATA = 0, 1, 2, 3
API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS, INIT_PRODUCER_ID = 18, 19, 20, 22
ALTER_PARTITION_REASSIGNMENTS = 45

NONE = 0
OFFSET_OUT_OF_RANGE = 1
CORRUPT_MESSAGE = 2
UNKNOWN_TOPIC_OR_PARTITION = 3
LEADER_NOT_AVAILABLE = 5
NOT_LEADER_OR_FOLLOWER = 6
MESSAGE_TOO_LARGE = 10
INVALID_TOPIC = 17
UNSUPPORTED_VERSION = 35
TOPIC_ALREADY_EXISTS = 36
INVALID_PARTITIONS = 37
INVALID_REPLICATION_FACTOR = 38
INVALID_REQUEST = 42
INVALID_RECORD = 87

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


class ConnectionLost(Exception):
    """The broker closed the connection, or cannot be reached."""


# --- bytes ----------------------------------------------------------------------------------------


def string(text):
    if text is None:
        return struct.pack(">h", -1)
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def array(items):
    items = list(items)
    return struct.pack(">i", len(items)) + b"".join(items)


class Reader:
    """Reads an answer's fields in order."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise ValueError(f"answer ends at {len(self.data)}, {size} more bytes wanted")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, form):
        (value,) = struct.unpack(">" + form, self.take(struct.calcsize(form)))
        return value

    def string(self):
        size = self.number("h")
        return None if size < 0 else self.take(size).decode()

    def bytes(self):
        size = self.number("i")
        return None if size < 0 else self.take(size)

    def array(self, item):
        return [item() for _ in range(self.number("i"))]

    def numbers(self, form):
        return self.array(lambda: self.number(form))

    def varint(self):
        """A zig-zag varint, as records have them."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


# --- record batches -------------------------------------------------------------------------------

# What follows base offset, length, leader epoch, magic and CRC in a batch of version 2.
_BATCH_TAIL = ">hiqqqhii"
Batch = collections.namedtuple("Batch", "base_offset last_offset leader_epoch attributes count raw")
Record = collections.namedtuple("Record", "offset key value")


def batch(values, attributes=0, timestamp=None, producer=(-1, -1, -1)):
    """The bytes of an uncompressed batch of values without keys; `producer`: id, epoch, sequence."""
    timestamp = int(time.time() * 1000) if timestamp is None else timestamp
    records = b""
    for delta, value in enumerate(values):
        record = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(record)) + record
    tail = struct.pack(_BATCH_TAIL, attributes, len(values) - 1, timestamp, timestamp, *producer,
                       len(values)) + records
    return struct.pack(">qiibI", 0, 9 + len(tail), -1, 2, crc32c(tail)) + tail


def batches(data):
    """The whole batches in what a fetch returned; a cut one at the end is dropped."""
    found = []
    at = 0
    while at + 61 <= len(data):
        base, length, epoch, magic = struct.unpack_from(">qiib", data, at)
        if at + 12 + length > len(data):
            break
        assert magic == 2, f"a batch of magic {magic} was served"
        attributes, last_delta = struct.unpack_from(">hi", data, at + 21)
        (count,) = struct.unpack_from(">i", data, at + 57)
        raw = bytes(data[at : at + 12 + length])
        found.append(Batch(base, base + last_delta, epoch, attributes, count, raw))
        at += 12 + length
    return found


def crc_is_right(found):
    (crc,) = struct.unpack_from(">I", found.raw, 17)
    return crc == crc32c(found.raw[21:])


def records(found):
    """The records of an uncompressed batch."""
    assert found.attributes & 7 == 0, "only uncompressed batches are read here"
    reader = Reader(found.raw)
    reader.at = 61
    out = []
    for _ in range(found.count):
        reader.varint()
        reader.number("b")
        reader.varint()
        offset = found.base_offset + reader.varint()
        sizes = []
        for _ in range(2):
            size = reader.varint()
            sizes.append(None if size < 0 else reader.take(size))
        for _ in range(2 * reader.varint()):
            reader.take(max(reader.varint(), 0))
        out.append(Record(offset, *sizes))
    return out


# --- a connection ---------------------------------------------------------------------------------

Partition = collections.namedtuple("Partition", "error index leader epoch replicas isr offline")
Topic = collections.namedtuple("Topic", "error name internal partitions")
Metadata = collections.namedtuple("Metadata", "brokers cluster controller topics")
Produced = collections.namedtuple("Produced", "error base_offset")
Fetched = collections.namedtuple("Fetched", "error high_watermark data")


class Connection:
    """One connection to one broker; answers are checked to come in request order."""

    def __init__(self, port, host="127.0.0.1", timeout=10.0):
        try:
            self.socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise ConnectionLost(str(error)) from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise ConnectionLost(str(error)) from error

    def _receive(self, size):
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(min(size - len(data), 1 << 20))
            except socket.timeout as error:
                raise TimeoutError("the broker neither answers nor closes") from error
            except OSError as error:
                raise ConnectionLost(str(error)) from error
            if not part:
                raise ConnectionLost("closed by the broker")
            data += part
        return data

    def is_closed(self):
        """Waits for the broker to close; False if it sends something instead."""
        try:
            return not self._receive(1)
        except ConnectionLost:
            return True

    def send(self, api, version, body):
        self.correlation += 1
        frame = struct.pack(">hhi", api, version, self.correlation) + string("garam-e2e") + body
        self.send_raw(struct.pack(">i", len(frame)) + frame)
        return self.correlation

    def receive(self, correlation):
        (size,) = struct.unpack(">i", self._receive(4))
        reader = Reader(self._receive(size))
        assert reader.number("i") == correlation, "answers out of order"
        return reader

    def call(self, api, version, body):
        return self.receive(self.send(api, version, body))

    def api_versions(self, version=0):
        """(error, {api: (min, max)}); an unknown version is answered in the form of version 0."""
        # From version 3: tagged fields of the header, two names of one letter, tagged fields.
        reader = self.call(API_VERSIONS, version, b"\0\2a\2b\0" if version >= 3 else b"")
        error = reader.number("h")
        rows = reader.array(lambda: [reader.number("h") for _ in range(3)])
        return error, {api: (low, high) for api, low, high in rows}

    def metadata(self, topics=(), create=False):
        """Metadata version 7; topics=None asks for all."""
        names = struct.pack(">i", -1) if topics is None else array(map(string, topics))
        reader = self.call(METADATA, 7, names + struct.pack(">?", create))
        reader.number("i")
        brokers = {}
        for _ in range(reader.number("i")):
            node, host, port = reader.number("i"), reader.string(), reader.number("i")
            reader.string()
            brokers[node] = (host, port)
        cluster, controller = reader.string(), reader.number("i")

        def partition():
            head = [reader.number(form) for form in "hiii"]
            return Partition(*head, *[reader.numbers("i") for _ in range(3)])

        def topic():
            return Topic(reader.number("h"), reader.string(), reader.number("?"),
                         reader.array(partition))

        return Metadata(brokers, cluster, controller, {t.name: t for t in reader.array(topic)})

    def create_topic(self, name, partitions=-1, replicas=-1, configs=None, timeout=10.0):
        """CreateTopics version 4; returns (error, message)."""
        settings = array(string(k) + string(v) for k, v in (configs or {}).items())
        topic = string(name) + struct.pack(">ihi", partitions, replicas, 0) + settings
        body = array([topic]) + struct.pack(">i?", int(timeout * 1000), False)
        reader = self.call(CREATE_TOPICS, 4, body)
        reader.number("i")
        ((_, error, message),) = reader.array(
            lambda: (reader.string(), reader.number("h"), reader.string()))
        return error, message

    def delete_topic(self, name, timeout=10.0):
        reader = self.call(DELETE_TOPICS, 3, array([string(name)]) + struct.pack(">i", int(timeout * 1000)))
        reader.number("i")
        ((_, error),) = reader.array(lambda: (reader.string(), reader.number("h")))
        return error

    def init_producer_id(self, transactional_id=None):
        """InitProducerId version 1: (error, id, epoch)."""
        reader = self.call(INIT_PRODUCER_ID, 1, string(transactional_id) + struct.pack(">i", 60000))
        reader.number("i")
        return tuple(reader.number(form) for form in "hqh")

    def send_produce(self, topic, partition, data, acks=-1, timeout=10.0):
        part = struct.pack(">ii", partition, len(data)) + data
        body = string(None) + struct.pack(">hi", acks, int(timeout * 1000))
        return self.send(PRODUCE, 7, body + array([string(topic) + array([part])]))

    def receive_produce(self, correlation):
        reader = self.receive(correlation)

        def partition():
            _, error, base = (reader.number(form) for form in "ihq")
            reader.take(16)
            return Produced(error, base)

        ((_, (result,)),) = reader.array(lambda: (reader.string(), reader.array(partition)))
        return result

    def produce(self, topic, partition, data, acks=-1, timeout=10.0):
        """Produce version 7 of one batch's bytes to one partition."""
        return self.receive_produce(self.send_produce(topic, partition, data, acks, timeout))

    def fetch(self, topic, partition, offset, wait=0.5, size_max=4 << 20, min_bytes=1):
        """Fetch version 4 of one partition."""
        part = struct.pack(">iqi", partition, offset, size_max)
        body = struct.pack(">iiiib", -1, int(wait * 1000), min_bytes, size_max, 0)
        reader = self.call(FETCH, 4, body + array([string(topic) + array([part])]))
        reader.number("i")

        def one():
            _, error, high, _ = (reader.number(form) for form in "ihqq")
            reader.take(16 * max(reader.number("i"), 0))
            return Fetched(error, high, reader.bytes() or b"")

        ((_, (result,)),) = reader.array(lambda: (reader.string(), reader.array(one)))
        return result

    def list_offset(self, topic, partition, timestamp):
        """ListOffsets version 1; returns (error, offset)."""
        part = struct.pack(">iq", partition, timestamp)
        body = struct.pack(">i", -1) + array([string(topic) + array([part])])
        reader = self.call(LIST_OFFSETS, 1, body)

        def one():
            _, error, _, offset = (reader.number(form) for form in "ihqq")
            return error, offset

        ((_, (result,)),) = reader.array(lambda: (reader.string(), reader.array(one)))
        return result
