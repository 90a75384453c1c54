"""Stock Python clients: kafka-python, and librdkafka through confluent-kafka. No groups yet."""
import confluent_kafka
import kafka
import pytest
from confluent_kafka.admin import AdminClient, NewTopic as ConfluentNewTopic
from kafka.admin import KafkaAdminClient, NewTopic

import kafka_wire as wire
from cluster import eventually

WAIT = 30


def test_kafka_python_writes_and_reads(healthy):
    healthy.create_topic("by-kafka-python", 3)
    producer = kafka.KafkaProducer(bootstrap_servers=healthy.bootstrap(), acks="all",
                                   enable_idempotence=False)
    sent = [producer.send("by-kafka-python", value=b"%d" % i, key=b"k%d" % i) for i in range(300)]
    places = [(future.get(WAIT).partition, future.get(WAIT).offset) for future in sent]
    producer.close()
    for partition in range(3):
        offsets = [offset for where, offset in places if where == partition]
        assert offsets == list(range(len(offsets)))

    consumer = kafka.KafkaConsumer(bootstrap_servers=healthy.bootstrap(), group_id=None,
                                   consumer_timeout_ms=WAIT * 1000)
    parts = [kafka.TopicPartition("by-kafka-python", i) for i in range(3)]
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    found = {}
    for record in consumer:
        found[record.partition, record.offset] = record.value
        if len(found) == len(sent):
            break
    consumer.close()
    assert found == {place: b"%d" % i for i, place in enumerate(places)}


def test_librdkafka_writes_and_reads(healthy):
    healthy.create_topic("by-librdkafka", 3)
    places = {}

    def delivered(error, message):
        assert error is None, error
        places[message.partition(), message.offset()] = message.value()

    producer = confluent_kafka.Producer({"bootstrap.servers": healthy.bootstrap(), "acks": "all"})
    for i in range(300):
        producer.produce("by-librdkafka", b"%d" % i, on_delivery=delivered)
    assert producer.flush(WAIT) == 0
    assert len(places) == 300

    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": healthy.bootstrap(), "group.id": "unused", "enable.auto.commit": False})
    consumer.assign([confluent_kafka.TopicPartition("by-librdkafka", i, 0) for i in range(3)])
    found = {}

    def all_read():
        for message in consumer.consume(100, 0.2):
            assert message.error() is None, message.error()
            found[message.partition(), message.offset()] = message.value()
        return len(found) >= len(places)

    eventually(all_read, what="everything read back")
    consumer.close()
    assert found == places


def test_librdkafka_finds_offsets_by_time(healthy):
    healthy.create_topic("by-time", 1)
    with healthy.connect_leader("by-time") as connection:
        for at in (1000, 2000, 3000):
            made = wire.batch([b"x"], timestamp=1_700_000_000_000 + at)
            assert connection.produce("by-time", 0, made).error == wire.NONE
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": healthy.bootstrap(), "group.id": "unused"})
    asked = confluent_kafka.TopicPartition("by-time", 0, 1_700_000_001_500)
    (answer,) = consumer.offsets_for_times([asked], timeout=WAIT)
    low, high = consumer.get_watermark_offsets(confluent_kafka.TopicPartition("by-time", 0), WAIT)
    consumer.close()
    assert answer.error is None and answer.offset == 1
    assert (low, high) == (0, 3)


def is_known(cluster, topic):
    """True, False, or None while the brokers disagree."""
    answers = {
        cluster.metadata([topic], node=broker.node).topics[topic].error for broker in cluster.running()
    }
    if answers == {wire.NONE}:
        return True
    return False if answers == {wire.UNKNOWN_TOPIC_OR_PARTITION} else None


def test_kafka_python_creates_and_deletes_topics(healthy):
    admin = KafkaAdminClient(bootstrap_servers=healthy.bootstrap())
    admin.create_topics([NewTopic(name="made-by-kafka-python", num_partitions=2, replication_factor=3)])
    healthy.wait_whole("made-by-kafka-python", 2)
    with pytest.raises(kafka.errors.TopicAlreadyExistsError):
        admin.create_topics([
            NewTopic(name="made-by-kafka-python", num_partitions=2, replication_factor=3)])
    assert "made-by-kafka-python" in admin.list_topics()
    admin.delete_topics(["made-by-kafka-python"])
    eventually(lambda: is_known(healthy, "made-by-kafka-python") is False)
    admin.close()


def test_librdkafka_creates_and_deletes_topics(healthy):
    admin = AdminClient({"bootstrap.servers": healthy.bootstrap()})
    new = ConfluentNewTopic("made-by-librdkafka", num_partitions=4, replication_factor=2,
                            config={"flush.messages": "10000"})
    admin.create_topics([new])["made-by-librdkafka"].result(WAIT)
    healthy.wait_whole("made-by-librdkafka", 4)
    shown = healthy.metadata(["made-by-librdkafka"]).topics["made-by-librdkafka"]
    assert [len(p.replicas) for p in shown.partitions] == [2] * 4
    admin.delete_topics(["made-by-librdkafka"])["made-by-librdkafka"].result(WAIT)
    eventually(lambda: is_known(healthy, "made-by-librdkafka") is False)


def test_a_topic_made_again_under_its_name_is_empty(healthy):
    healthy.create_topic("again", 1)
    with healthy.connect_leader("again") as connection:
        assert connection.produce("again", 0, wire.batch([b"old"])).error == wire.NONE
        assert connection.delete_topic("again") == wire.NONE
    eventually(lambda: is_known(healthy, "again") is False)
    healthy.create_topic("again", 1)
    with healthy.connect_leader("again") as connection:
        assert connection.produce("again", 0, wire.batch([b"new"])).base_offset == 0
    (only,) = healthy.read_partition("again", 0)
    assert [record.value for record in wire.records(only)] == [b"new"]


def test_replicas_and_leaders_are_spread_evenly(healthy):
    healthy.create_topic("spread", 12, replicas=2)
    shown = healthy.metadata(["spread"]).topics["spread"]
    leaders = [p.leader for p in shown.partitions]
    replicas = [node for p in shown.partitions for node in p.replicas]
    for node in healthy.brokers:
        # Evenness is the broker's, over all topics: what others left may tip one of these.
        assert 7 <= replicas.count(node) <= 9
        assert 3 <= leaders.count(node) <= 5
