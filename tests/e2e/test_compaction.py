"""Compacted topics keep the last record of each key, on every replica, wherever brokers are killed.

What a replica has is read from its segment files: only leaders answer clients.
"""
import random
import struct
import time

import confluent_kafka
import confluent_kafka.admin
import pytest

import kafka_wire as wire
from cluster import eventually

INVALID_RECORD = 87
SEGMENT = 1 << 20
# Tombstones go after a second, and whatever is dirty is cleaned at once.
TOPIC = {"cleanup.policy": "compact", "segment.bytes": str(SEGMENT),
         "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "1000"}


@pytest.fixture(scope="module")
def broker_settings():
    return {"log.cleaner.backoff.ms": 50}


class Writer:
    """Updates of numbered keys, and what they come to."""

    def __init__(self, cluster, topic, keys, value_bytes=100):
        self.cluster = cluster
        self.topic = topic
        self.keys = keys
        self.filler = b"." * value_bytes
        self.values = {}
        self.written = 0
        self.random = random.Random(7)

    def update(self, count, deletes=0.05):
        """`count` updates of random keys, acknowledged by all."""
        producer = confluent_kafka.Producer({
            "bootstrap.servers": self.cluster.bootstrap(), "acks": "all", "linger.ms": 5,
            "enable.idempotence": True, "message.timeout.ms": 120_000})
        failed = []

        def on_delivery(error, _):
            if error is not None:
                failed.append(error)

        for _ in range(count):
            key = b"key-%d" % self.random.randrange(self.keys)
            self.written += 1
            value = b"%d " % self.written + self.filler
            if self.random.random() < deletes:
                value = None
                self.values.pop(key, None)
            else:
                self.values[key] = value
            while True:
                try:
                    producer.produce(self.topic, key=key, value=value, partition=0,
                                     on_delivery=on_delivery)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(120) == 0
        assert not failed, failed[:3]

    def end_segment(self):
        """What was written so far is in segments that have ended, everywhere."""
        producer = confluent_kafka.Producer({
            "bootstrap.servers": self.cluster.bootstrap(), "acks": "all",
            "batch.num.messages": 1, "message.timeout.ms": 120_000})
        for _ in range(3):
            # One by one: what comes at once may go into one segment, however large.
            producer.produce(self.topic, key=b"the end", value=b"." * 600_000, partition=0)
            assert producer.flush(60) == 0


def records_on_disk(broker, topic):
    """Every record in the replica's segment files, in order."""
    found = []
    for path in sorted(broker.data.glob(f"{topic}-0.*/*.log")):
        data = path.read_bytes()
        at = 0
        while at + 61 <= len(data):
            length, magic = struct.unpack_from(">i4xb", data, at + 8)
            if length == 0:
                break
            if magic == 2:
                (batch,) = wire.batches(data[at : at + 12 + length])
                assert wire.crc_is_right(batch)
                found += wire.records(batch)
            at += 12 + length
    return found


def values_of(records):
    values = {}
    for record in records:
        if record.value is None:
            values.pop(record.key, None)
        else:
            values[record.key] = record.value
    values.pop(b"the end", None)
    return values


def read(cluster, topic):
    """What a client sees, from the first offset to the high watermark."""
    return [record for batch in cluster.read_partition(topic, 0) for record in wire.records(batch)]


def is_compacted(broker, topic, expected):
    """Whether the replica has one record for each key, none for those that are deleted, and …"""
    try:
        records = [record for record in records_on_disk(broker, topic) if record.key != b"the end"]
    except FileNotFoundError:
        return False  # Replaced just now.
    if len(records) != len(expected):
        return False
    assert values_of(records) == expected
    return True


def check_everywhere(cluster, topic, writer):
    for broker in cluster.running():
        eventually(lambda: is_compacted(broker, topic, writer.values), seconds=60, pause=0.2,
                   what=f"broker {broker.node} has the last value of each key and nothing else")
    assert values_of(read(cluster, topic)) == writer.values


def keeps_the_last_values(cluster, updates, keys):
    cluster.create_topic("compacted", 1, configs=TOPIC)
    writer = Writer(cluster, "compacted", keys)
    writer.update(updates)
    writer.end_segment()
    check_everywhere(cluster, "compacted", writer)


def test_the_last_values_are_left_on_every_replica_and_tombstones_go(three):
    keeps_the_last_values(three, 100_000, 1_000)


@pytest.mark.long
def test_the_last_values_of_a_million_updates(three):
    keeps_the_last_values(three, 1_000_000, 10_000)


def kills_in_the_middle(cluster, rounds, updates):
    cluster.create_topic("killed", 1, configs=TOPIC)
    writer = Writer(cluster, "killed", 500)
    chance = random.Random(11)
    for _ in range(rounds):
        writer.update(updates)
        writer.end_segment()
        victim = cluster[chance.randrange(3) + 1]
        # Not a wait for something: wherever compaction is by then.
        time.sleep(chance.random() * 0.5)
        victim.kill()
        victim.start()
        cluster.wait_ready()
        cluster.wait_whole("killed", 1)
    check_everywhere(cluster, "killed", writer)
    for broker in cluster.running():
        assert "damaged" not in broker.log_text()


def test_a_broker_is_killed_in_the_middle_again_and_again(make_cluster):
    # Slow enough to be met while it works.
    cluster = make_cluster(3, {"log.cleaner.backoff.ms": 50,
                               "log.cleaner.io.max.bytes.per.second": 20_000_000}).start()
    kills_in_the_middle(cluster, 3, 20_000)


@pytest.mark.long
def test_a_broker_is_killed_in_the_middle_twenty_times(make_cluster):
    cluster = make_cluster(3, {"log.cleaner.backoff.ms": 50,
                               "log.cleaner.io.max.bytes.per.second": 20_000_000}).start()
    kills_in_the_middle(cluster, 20, 20_000)


def test_who_was_away_while_others_compacted_catches_up(make_cluster):
    cluster = make_cluster(3, {"log.cleaner.backoff.ms": 50,
                               "replica.lag.time.max.ms": 1000}).start()
    cluster.create_topic("away", 1, configs=TOPIC)
    writer = Writer(cluster, "away", 200)
    writer.update(10_000)
    away = cluster[cluster.leaders("away")[0] % 3 + 1]
    away.kill()
    writer.update(20_000)
    writer.end_segment()
    check_everywhere(cluster, "away", writer)
    away.start()
    cluster.wait_ready()
    cluster.wait_whole("away", 1)
    assert "copying entries" in away.log_text()
    check_everywhere(cluster, "away", writer)


def test_a_record_without_a_key_is_refused(three):
    three.create_topic("keyed", 1, configs=TOPIC)
    with three.connect_leader("keyed") as connection:
        assert connection.produce("keyed", 0, wire.batch([b"no key"])).error == INVALID_RECORD


def test_offsets_of_groups_are_compacted_and_known_after_a_restart(make_cluster):
    cluster = make_cluster(1, {"log.cleaner.backoff.ms": 50, "offsets.topic.num.partitions": 1,
                               "log.cleaner.min.cleanable.ratio": "0.01"}).start()
    cluster.create_topic("read", 1)
    consumer = confluent_kafka.Consumer({"bootstrap.servers": cluster.bootstrap(),
                                         "group.id": "group", "enable.auto.commit": False})
    commit = confluent_kafka.TopicPartition("read", 0, 0)
    consumer.commit(offsets=[commit], asynchronous=False)
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": cluster.bootstrap()})
    resource = confluent_kafka.admin.ConfigResource(
        confluent_kafka.admin.ResourceType.TOPIC, "__consumer_offsets",
        incremental_configs=[confluent_kafka.admin.ConfigEntry(
            "segment.bytes", str(SEGMENT),
            incremental_operation=confluent_kafka.admin.AlterConfigOpType.SET)])
    (altered,) = admin.incremental_alter_configs([resource]).values()
    altered.result(10)
    for offset in range(1, 1001):
        commit = confluent_kafka.TopicPartition("read", 0, offset, metadata="." * 3000)
        consumer.commit(offsets=[commit], asynchronous=False)
    consumer.close()
    broker = cluster[1]
    eventually(lambda: len(records_on_disk(broker, "__consumer_offsets")) < 800,
               what="commits that were replaced are gone")
    assert "__consumer_offsets-0: compacted" in broker.log_text()
    broker.kill()
    broker.start()
    cluster.wait_ready()
    consumer = confluent_kafka.Consumer({"bootstrap.servers": cluster.bootstrap(),
                                         "group.id": "group"})
    (found,) = consumer.committed([confluent_kafka.TopicPartition("read", 0)], timeout=20)
    consumer.close()
    assert found.offset == 1000
