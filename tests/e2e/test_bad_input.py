"""Requests that are broken or ask for what can't be: a right answer or a closed connection, and the
broker goes on. `healthy` fails a test after which a broker is gone or silent."""
import os
import struct

import pytest

import kafka_wire as wire


@pytest.fixture
def topic(healthy):
    """A topic of one partition, with an own limit on batches."""
    name = "bad-input"
    if healthy.metadata([name]).topics[name].error:
        healthy.create_topic(name, 1, configs={"max.message.bytes": "10000"})
    return name


def refused(healthy, data):
    """Sends data on a connection of its own; True if the broker closes it."""
    with healthy[1].connect() as connection:
        connection.send_raw(data)
        return connection.is_closed()


@pytest.mark.parametrize("size", [0, -1, -(2**31), 2**31 - 1, 200 << 20])
def test_a_frame_of_an_impossible_size_closes_the_connection(healthy, size):
    assert refused(healthy, struct.pack(">i", size) + b"\0" * 16)


def test_a_torn_request_harms_nobody(healthy):
    for data in (b"\0", struct.pack(">i", 100), struct.pack(">i", 100) + b"\0\3\0\7 torn"):
        with healthy[1].connect() as connection:
            connection.send_raw(data)


def test_garbage_closes_the_connection(healthy):
    for _ in range(20):
        assert refused(healthy, struct.pack(">i", 64) + b"\x7f" + os.urandom(63))
    assert refused(healthy, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


@pytest.mark.parametrize("api, version", [(999, 0), (-1, 0), (wire.METADATA, 99), (wire.PRODUCE, 2)])
def test_an_unknown_api_or_version_closes_the_connection(healthy, api, version):
    with healthy[1].connect() as connection:
        connection.send(api, version, b"")
        assert connection.is_closed()


def test_an_unknown_version_of_apiversions_is_answered_with_what_is_known(healthy):
    with healthy[1].connect() as connection:
        error, apis = connection.api_versions(99)
        assert error == wire.UNSUPPORTED_VERSION
        assert apis[wire.API_VERSIONS] == (0, 4)
        assert connection.api_versions(0)[0] == wire.NONE, "the connection is still good"


def test_a_body_that_ends_early_closes_the_connection(healthy, topic):
    body = wire.string(None) + struct.pack(">hi", -1, 1000) + struct.pack(">i", 1) + wire.string(topic)
    for api, version, data in [
        (wire.PRODUCE, 7, body),
        (wire.PRODUCE, 7, body + struct.pack(">i", 2**31 - 1)),
        (wire.METADATA, 7, struct.pack(">i", 2**31 - 1)),
        (wire.FETCH, 4, b"\0" * 5),
        (wire.CREATE_TOPICS, 4, struct.pack(">i", 1 << 30)),
    ]:
        with healthy[1].connect() as connection:
            connection.send(api, version, data)
            assert connection.is_closed(), f"api {api}"


def changed(data, at, form, value):
    data = bytearray(data)
    struct.pack_into(">" + form, data, at, value)
    return bytes(data)


def bad_batches():
    good = wire.batch([b"a", b"b"])
    old = struct.pack(">qiIbbqii", 0, 23, 0, 1, 0, 0, -1, 1) + b"x"
    return {
        "wrong CRC": (changed(good, 17, "I", 1), wire.CORRUPT_MESSAGE),
        "a flipped bit": (changed(good, len(good) - 2, "B", 0x55), wire.CORRUPT_MESSAGE),
        "old magic": (old, wire.INVALID_RECORD),
        "unknown magic": (changed(good, 16, "b", 7), wire.CORRUPT_MESSAGE),
        "two batches": (good + good, wire.INVALID_RECORD),
        "no batch": (b"", wire.INVALID_RECORD),
        "a control batch": (wire.batch([b"a"], attributes=32), wire.INVALID_RECORD),
        "an unknown codec": (wire.batch([b"a"], attributes=5), wire.CORRUPT_MESSAGE),
        "too large": (wire.batch([b"x" * 10_001]), wire.MESSAGE_TOO_LARGE),
    }


@pytest.mark.parametrize("name", bad_batches())
def test_a_bad_batch_is_refused_and_nothing_is_appended(healthy, topic, name):
    data, expected = bad_batches()[name]
    with healthy.connect_leader(topic) as connection:
        before = connection.list_offset(topic, 0, -1)
        assert connection.produce(topic, 0, data).error == expected
        assert connection.list_offset(topic, 0, -1) == before
        assert connection.produce(topic, 0, wire.batch([b"good"])).error == wire.NONE


def test_a_batch_that_says_more_than_it_has_is_refused(healthy, topic):
    good = wire.batch([b"a", b"b"])
    with healthy.connect_leader(topic) as connection:
        for data in (good[:30], good[:-1], changed(good, 8, "i", 2**31 - 1), changed(good, 8, "i", -1)):
            assert connection.produce(topic, 0, data).error in (
                wire.CORRUPT_MESSAGE, wire.INVALID_RECORD)


def test_acks_zero_with_a_bad_batch_closes_the_connection(healthy, topic):
    with healthy.connect_leader(topic) as connection:
        connection.send_produce(topic, 0, changed(wire.batch([b"a"]), 17, "I", 1), acks=0)
        assert connection.is_closed()


def test_acks_of_a_wrong_number_are_refused(healthy, topic):
    with healthy.connect_leader(topic) as connection:
        assert connection.produce(topic, 0, wire.batch([b"a"]), acks=2).error == 21


def test_produce_to_what_does_not_exist_or_is_led_elsewhere_says_so(healthy, topic):
    leader = healthy.leaders(topic)[0]
    with healthy[leader].connect() as connection:
        missing = connection.produce("no-such-topic", 0, wire.batch([b"a"]))
        assert missing.error == wire.UNKNOWN_TOPIC_OR_PARTITION
        beyond = connection.produce(topic, 9, wire.batch([b"a"]))
        assert beyond.error == wire.UNKNOWN_TOPIC_OR_PARTITION
    other = next(node for node in healthy.brokers if node != leader)
    with healthy[other].connect() as connection:
        elsewhere = connection.produce(topic, 0, wire.batch([b"a"]))
        assert elsewhere.error == wire.NOT_LEADER_OR_FOLLOWER


def test_a_fetch_outside_the_log_says_so(healthy, topic):
    with healthy.connect_leader(topic) as connection:
        assert connection.fetch(topic, 0, 10**9).error == wire.OFFSET_OUT_OF_RANGE
        assert connection.fetch(topic, 0, -5).error == wire.OFFSET_OUT_OF_RANGE


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "x" * 250, "가람"])
def test_an_invalid_topic_name_is_refused(healthy, name):
    with healthy[1].connect() as connection:
        error, message = connection.create_topic(name, 1)
        assert error == wire.INVALID_TOPIC and message
        assert connection.metadata([name], create=True).topics[name].error == wire.INVALID_TOPIC


def test_topics_that_cannot_be_are_refused_with_a_reason(healthy, topic):
    with healthy[2].connect() as connection:
        for arguments, expected in [
            (("too-many", 1, 4), wire.INVALID_REPLICATION_FACTOR),
            (("none-at-all", 1, 0), wire.INVALID_REPLICATION_FACTOR),
            (("no-partition", 0, 1), wire.INVALID_PARTITIONS),
            ((topic, 1, 1), wire.TOPIC_ALREADY_EXISTS),
            ((topic.replace("-", "_", 1) + ".x", 1, 1), wire.NONE),
            ((topic.replace("-", "_", 1) + "_x", 1, 1), wire.INVALID_TOPIC),
        ]:
            error, message = connection.create_topic(*arguments)
            assert error == expected, f"{arguments}: {error} {message}"
            assert expected == wire.NONE or message
        assert connection.create_topic("odd", 1, 1, {"no.such.key": "1"})[0] == 40
        assert connection.create_topic("odd", 1, 1, {"flush.messages": "many"})[0] == 40


def test_pipelined_requests_are_answered_in_order(healthy, topic):
    with healthy.connect_leader(topic) as connection:
        start = connection.list_offset(topic, 0, -1)[1]
        sent = [connection.send_produce(topic, 0, wire.batch([b"%d" % i])) for i in range(200)]
        answers = [connection.receive_produce(correlation) for correlation in sent]
    assert [answer.error for answer in answers] == [wire.NONE] * 200
    assert [answer.base_offset for answer in answers] == list(range(start, start + 200))


def test_a_fetch_waits_for_a_record_and_no_longer(healthy, topic):
    with healthy.connect_leader(topic) as reader, healthy.connect_leader(topic) as writer:
        end = reader.list_offset(topic, 0, -1)[1]
        empty = reader.fetch(topic, 0, end, wait=0.05)
        assert (empty.error, empty.data) == (wire.NONE, b"")
        reader.socket.settimeout(30)
        body = struct.pack(">iiiib", -1, 25_000, 1, 1 << 20, 0)
        part = struct.pack(">iqi", 0, end, 1 << 20)
        asked = reader.send(wire.FETCH, 4, body + wire.array([wire.string(topic) + wire.array([part])]))
        assert writer.produce(topic, 0, wire.batch([b"awaited"])).error == wire.NONE
        reader.socket.settimeout(10)
        reader.receive(asked)
