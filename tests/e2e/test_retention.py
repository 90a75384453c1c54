"""What is past its retention goes, on every broker and from its disk; and whose time a record has."""
import time

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   ResourceType)

import kafka_wire as wire
from cluster import eventually

SEGMENT = 1 << 20
VALUE = b"." * 200_000
EARLIEST, LATEST = -2, -1
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def broker_settings():
    return {"log.retention.check.interval.ms": 200, "log.segment.delete.delay.ms": 1000}


def now_ms():
    return int(time.time() * 1000)


def admin_call(cluster, method, *arguments):
    """The one answer of a call of librdkafka's administration."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap()})
    (future,) = getattr(admin, method)(*arguments).values()
    try:
        return future.result(20)
    finally:
        admin.poll(0)


def alter(cluster, topic, **configs):
    entries = [ConfigEntry(key.replace("_", "."), str(value),
                           incremental_operation=AlterConfigOpType.SET)
               for key, value in configs.items()]
    admin_call(cluster, "incremental_alter_configs",
               [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)])


def write(cluster, topic, count, size=len(VALUE)):
    """A record and a batch each, acknowledged by all."""
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap(), "acks": "all",
                                         "batch.num.messages": 1})
    for _ in range(count):
        producer.produce(topic, VALUE[:size], partition=0)
    assert producer.flush(30) == 0


def produce_at(cluster, topic, timestamp):
    """One record with this timestamp; its message, or the error."""
    told = []
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap(), "acks": "all"})
    producer.produce(topic, b"value", partition=0, timestamp=timestamp,
                     on_delivery=lambda error, message: told.append(error or message))
    assert producer.flush(30) == 0
    return told[0]


def consumer_of(cluster):
    return confluent_kafka.Consumer({"bootstrap.servers": cluster.bootstrap(), "group.id": "none",
                                     "enable.auto.commit": False})


def read(cluster, topic, count):
    consumer = consumer_of(cluster)
    consumer.assign([TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING)])
    found = consumer.consume(count, timeout=20)
    consumer.close()
    return found


def bounds(cluster, topic):
    with cluster.connect_leader(topic) as connection:
        got = [connection.list_offset(topic, 0, which) for which in (EARLIEST, LATEST)]
    return tuple(offset for error, offset in got if error == wire.NONE)


def files(broker, topic):
    """Of its segments, those included that are to be deleted; also of a topic that is gone."""
    return [path for path in broker.data.glob(f"{topic}-0.*/*.log*")]


def awaits_a_look(cluster, witness):
    """The brokers have looked at every log since: one that was too long is not any more."""
    cluster.create_topic(witness, 1, configs={"retention.ms": str(HOUR_MS)})
    produce_at(cluster, witness, now_ms() - 2 * HOUR_MS)
    eventually(lambda: bounds(cluster, witness) == (1, 1), what="the witness is looked at")


def bytes_on_disk(broker, topic):
    return sum(path.stat().st_size for path in files(broker, topic) if path.exists())


def test_what_is_too_much_goes_and_frees_every_disk(healthy):
    topic = "by-size"
    healthy.create_topic(topic, 1, configs={"segment.bytes": str(SEGMENT),
                                            "retention.bytes": str(3 * SEGMENT)})
    write(healthy, topic, 60)
    # Five records a segment: with one segment less, less than retention.bytes would be left.
    eventually(lambda: bounds(healthy, topic) == (40, 60), what="the log begins later")
    for broker in healthy.running():
        eventually(lambda: len(files(broker, topic)) == 4,
                   what=f"broker {broker.node} deletes the other segments")
        assert bytes_on_disk(broker, topic) < 5 * SEGMENT
    assert [message.offset() for message in read(healthy, topic, 20)] == list(range(40, 60))


def test_what_is_too_old_goes_also_where_nothing_is_written(healthy):
    topic = "by-time"
    healthy.create_topic(topic, 1, configs={"segment.bytes": str(SEGMENT)})
    write(healthy, topic, 12)
    awaits_a_look(healthy, "by-time-witness")
    assert bounds(healthy, topic) == (0, 12)
    alter(healthy, topic, retention_ms=1000)
    eventually(lambda: bounds(healthy, topic) == (12, 12), what="all records are too old")
    for broker in healthy.running():
        eventually(lambda: len(files(broker, topic)) == 1, what="one segment is left")
    alter(healthy, topic, retention_ms=HOUR_MS)
    write(healthy, topic, 2)
    assert bounds(healthy, topic) == (12, 14)


def test_records_go_by_their_own_time(healthy):
    topic = "old-records"
    healthy.create_topic(topic, 1, configs={"retention.ms": str(HOUR_MS)})
    assert produce_at(healthy, topic, now_ms() - 2 * HOUR_MS).offset() == 0
    eventually(lambda: bounds(healthy, topic) == (1, 1), what="what came in old goes at once")
    assert produce_at(healthy, topic, now_ms()).offset() == 1
    awaits_a_look(healthy, "old-records-witness")
    assert bounds(healthy, topic) == (1, 2)


def test_segments_end_by_the_time_of_their_records(healthy):
    topic = "rolled"
    healthy.create_topic(topic, 1, configs={"segment.ms": "60000"})
    begin = now_ms() - HOUR_MS
    for at in (0, 60_000, 60_001, 61_000):
        produce_at(healthy, topic, begin + at)
    leader = healthy[healthy.leaders(topic)[0]]
    assert len(files(leader, topic)) == 2
    alter(healthy, topic, segment_ms=100)

    def ends_now():
        produce_at(healthy, topic, begin + 61_200)
        return len(files(leader, topic)) == 3

    eventually(ends_now, what="the new segment.ms is in force")


def test_the_broker_gives_records_its_own_time_where_a_topic_says_so(healthy):
    topic = "append-time"
    healthy.create_topic(topic, 1, configs={"message.timestamp.type": "LogAppendTime"})
    before = now_ms()
    delivered = produce_at(healthy, topic, 5)
    kind, told = delivered.timestamp()
    assert kind == confluent_kafka.TIMESTAMP_LOG_APPEND_TIME
    assert before <= told <= now_ms()
    alter(healthy, topic, message_timestamp_type="CreateTime")
    theirs = (confluent_kafka.TIMESTAMP_CREATE_TIME, before - 77)
    eventually(lambda: produce_at(healthy, topic, before - 77).timestamp() == theirs,
               what="the producer's time counts")
    found = read(healthy, topic, bounds(healthy, topic)[1])
    assert found[0].timestamp() == (confluent_kafka.TIMESTAMP_LOG_APPEND_TIME, told)
    assert found[-1].timestamp() == theirs
    consumer = consumer_of(healthy)
    for at, offset in ((before - 80, 0), (told, 0), (now_ms() + 1000, -1)):
        (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, at)], timeout=20)
        assert found.offset == offset, at
    consumer.close()
    for broker in healthy.running():
        with broker.connect() as connection:
            for batch in wire.batches(connection.fetch(topic, 0, 0, wait=0.1).data):
                assert wire.crc_is_right(batch)


def test_timestamps_far_from_now_are_refused_and_the_limits_change_live(healthy):
    topic = "bounded"
    healthy.create_topic(topic, 1, configs={"message.timestamp.before.max.ms": "60000"})
    refused = produce_at(healthy, topic, now_ms() - 120_000)
    assert isinstance(refused, KafkaError) and refused.code() == KafkaError.INVALID_TIMESTAMP
    refused = produce_at(healthy, topic, now_ms() + 2 * HOUR_MS)
    assert isinstance(refused, KafkaError) and refused.code() == KafkaError.INVALID_TIMESTAMP
    assert bounds(healthy, topic) == (0, 0)
    alter(healthy, topic, message_timestamp_before_max_ms=600_000,
          message_timestamp_after_max_ms=3 * HOUR_MS)
    eventually(lambda: not isinstance(produce_at(healthy, topic, now_ms() - 120_000), KafkaError),
               what="the wider limits are in force")
    assert produce_at(healthy, topic, now_ms() + 2 * HOUR_MS).offset() == 1
    assert bounds(healthy, topic) == (0, 2)


def delete_before(cluster, topic, offset):
    """The first offset that is left, or the error's code."""
    try:
        return admin_call(cluster, "delete_records",
                          [TopicPartition(topic, 0, offset)]).low_watermark
    except confluent_kafka.KafkaException as refused:
        return refused.args[0].code()


def test_records_are_deleted_as_far_as_a_topic_allows(healthy):
    healthy.create_topic("shortened", 1)
    write(healthy, "shortened", 5, size=10)
    assert delete_before(healthy, "shortened", 2) == 2
    assert delete_before(healthy, "shortened", 6) == KafkaError.OFFSET_OUT_OF_RANGE
    assert delete_before(healthy, "shortened", 1) == 2
    assert delete_before(healthy, "shortened", -1) == 5
    healthy.create_topic("compacted", 1, configs={"cleanup.policy": "compact"})
    assert delete_before(healthy, "compacted", 0) == KafkaError.POLICY_VIOLATION


def test_a_deleted_topic_frees_the_disk_after_its_delay_also_across_a_restart(three):
    topic = "deleted"
    three.create_topic(topic, 1, configs={"file.delete.delay.ms": "2000"})
    write(three, topic, 10)
    away = three[three.leaders(topic)[0] % 3 + 1]
    with three.running()[0].connect() as connection:
        assert connection.delete_topic(topic) == wire.NONE
    for broker in three.running():
        eventually(lambda: list(broker.data.glob(f"{topic}-0.*.deleted")), what="it is given up")
        assert bytes_on_disk(broker, topic) > 9 * len(VALUE)
    away.kill()
    away.start()
    for broker in three.running():
        eventually(lambda: not files(broker, topic), what=f"broker {broker.node} frees its disk")
