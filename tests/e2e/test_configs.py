"""Configs and partitions, as Apache Kafka's own commands and librdkafka's administration change them."""
import re

import confluent_kafka
import pytest
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   ConfigSource, NewPartitions, ResourceType)

import kafka_tools
import kafka_wire as wire
from cluster import eventually

MIB = 1 << 20


@pytest.fixture(scope="module")
def broker_settings():
    return {"log.retention.hours": 24}


def admin_of(cluster):
    return AdminClient({"bootstrap.servers": cluster.bootstrap()})


def only(admin, futures):
    """What the one answer among these holds; raises what it was refused with."""
    (future,) = futures.values()
    try:
        return future.result(20)
    finally:
        admin.poll(0)  # It must live until then.


def described(cluster, kind, name):
    admin = admin_of(cluster)
    return only(admin, admin.describe_configs([ConfigResource(kind, name)]))


def alter(cluster, kind, name, key, value, op=AlterConfigOpType.SET):
    entry = ConfigEntry(key, value, incremental_operation=op)
    admin = admin_of(cluster)
    only(admin, admin.incremental_alter_configs(
        [ConfigResource(kind, name, incremental_configs=[entry])]))


def refusal(call, *arguments):
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        call(*arguments)
    return refused.value.args[0]


def configs(cluster, *arguments, works=True):
    return kafka_tools.run("kafka-configs", cluster, *arguments, works=works)


def write(cluster, topic, count, size):
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap(), "acks": "all",
                                         "batch.num.messages": 1})
    for _ in range(count):
        producer.produce(topic, b"." * size, partition=0)
    assert producer.flush(30) == 0


def segments(broker, topic):
    return sorted(path.name for path in broker.data.glob(f"{topic}-0.*/*.log"))


def test_kafka_configs_alters_a_topic_that_is_being_written(healthy):
    topic = "altered"
    healthy.create_topic(topic, 1)
    write(healthy, topic, 2, 600_000)
    leader = healthy[healthy.leaders(topic)[0]]
    assert len(segments(leader, topic)) == 1
    of_topic = ("--entity-type", "topics", "--entity-name", topic)
    shown = configs(healthy, *of_topic, "--alter", "--add-config",
                    f"segment.bytes={MIB},cleanup.policy=[compact,delete]")
    assert f"Completed updating config for topic {topic}." in shown
    shown = configs(healthy, *of_topic, "--describe")
    assert re.search(r"segment\.bytes=1048576 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:"
                     r"segment\.bytes=1048576, DEFAULT_CONFIG:log\.segment\.bytes=1073741824\}", shown)
    assert "cleanup.policy=compact,delete" in shown
    configs(healthy, *of_topic, "--alter", "--delete-config", "cleanup.policy")

    def ends_at_the_new_size():
        write(healthy, topic, 1, 600_000)
        return len(segments(leader, topic)) >= 3

    eventually(ends_at_the_new_size, what="the new segment.bytes is in force")
    shown = configs(healthy, *of_topic, "--describe", "--all")
    assert "cleanup.policy=delete" in shown
    assert "STATIC_BROKER_CONFIG:log.retention.hours=24" in shown
    refused = configs(healthy, *of_topic, "--alter", "--add-config", "segment.bytes=7", works=False)
    assert "Value must be at least 1048576" in refused


def test_kafka_configs_sets_defaults_of_running_brokers(healthy):
    topic = "defaulted"
    healthy.create_topic(topic, 1)
    everyone = ("--entity-type", "brokers", "--entity-default")
    one = ("--entity-type", "brokers", "--entity-name", "2")
    configs(healthy, *everyone, "--alter", "--add-config", "message.max.bytes=2000")
    configs(healthy, *one, "--alter", "--add-config", "message.max.bytes=3000")
    assert "message.max.bytes=2000" in configs(healthy, *everyone, "--describe")
    shown = configs(healthy, *one, "--describe")
    assert ("message.max.bytes=3000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:message.max.bytes"
            "=3000, DYNAMIC_DEFAULT_BROKER_CONFIG:message.max.bytes=2000, "
            "DEFAULT_CONFIG:message.max.bytes=1048588}") in shown
    shown = described(healthy, ResourceType.TOPIC, topic)["max.message.bytes"]
    assert shown.source in (ConfigSource.DYNAMIC_BROKER_CONFIG.value,
                            ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG.value)
    producer = confluent_kafka.Producer({"bootstrap.servers": healthy.bootstrap()})
    failures = []
    producer.produce(topic, b"." * 5000, on_delivery=lambda error, _: failures.append(error))
    assert producer.flush(30) == 0
    assert failures[0].code() == confluent_kafka.KafkaError.MSG_SIZE_TOO_LARGE
    refused = configs(healthy, *one, "--alter", "--add-config", "num.partitions=4", works=False)
    assert "Cannot update these configs dynamically: [num.partitions]" in refused
    configs(healthy, *everyone, "--alter", "--delete-config", "message.max.bytes")
    configs(healthy, *one, "--alter", "--delete-config", "message.max.bytes")
    write(healthy, topic, 1, 5000)


def test_an_altered_config_outlives_the_cluster(make_cluster):
    cluster = make_cluster(3).start()
    cluster.create_topic("kept", 1)
    alter(cluster, ResourceType.TOPIC, "kept", "max.message.bytes", "4321")
    alter(cluster, ResourceType.BROKER, "1", "log.segment.bytes", "2000000")
    cluster.kill_all()
    for broker in cluster.brokers.values():
        broker.start()
    cluster.wait_ready()
    assert described(cluster, ResourceType.TOPIC, "kept")["max.message.bytes"].value == "4321"
    shown = described(cluster, ResourceType.BROKER, "1")["log.segment.bytes"]
    assert (shown.value, shown.source) == ("2000000", ConfigSource.DYNAMIC_BROKER_CONFIG.value)


def test_librdkafka_describes_and_alters(healthy):
    healthy.create_topic("described", 1, configs={"retention.ms": "5000"})
    shown = described(healthy, ResourceType.TOPIC, "described")
    assert shown["retention.ms"].value == "5000"
    assert shown["retention.ms"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    assert list(shown["retention.ms"].synonyms) == ["retention.ms", "log.retention.hours",
                                                    "log.retention.ms"]
    assert shown["segment.bytes"].is_default
    of_broker = described(healthy, ResourceType.BROKER, "1")
    assert of_broker["node.id"].value == "1" and of_broker["node.id"].is_read_only
    assert of_broker["log.retention.hours"].source == ConfigSource.STATIC_BROKER_CONFIG.value
    assert not of_broker["log.retention.ms"].is_read_only
    alter(healthy, ResourceType.TOPIC, "described", "cleanup.policy", "compact",
          AlterConfigOpType.APPEND)
    shown = described(healthy, ResourceType.TOPIC, "described")
    assert shown["cleanup.policy"].value == "delete,compact"
    admin = admin_of(healthy)
    with pytest.warns(DeprecationWarning):
        only(admin, admin.alter_configs(
            [ConfigResource(ResourceType.TOPIC, "described", set_config={"flush.ms": "9"})]))
    shown = described(healthy, ResourceType.TOPIC, "described")
    assert (shown["flush.ms"].value, shown["retention.ms"].value) == ("9", "86400000")
    assert refusal(described, healthy, ResourceType.TOPIC, "none").code() == 3
    assert refusal(alter, healthy, ResourceType.TOPIC, "none", "flush.ms", "9").code() == 3
    assert refusal(alter, healthy, ResourceType.TOPIC, "described", "flush.sm", "9").str() == \
        "Unknown topic config name: flush.sm, did you mean flush.ms?"


def test_kafka_topics_adds_partitions(healthy):
    healthy.create_topic("grown", 2, replicas=2)
    write(healthy, "grown", 3, 10)
    kafka_tools.run("kafka-topics", healthy, "--alter", "--topic", "grown", "--partitions", 5)
    healthy.wait_whole("grown", 5)
    assert {len(replicas) for replicas in healthy.replicas("grown")} == {2}
    assert len(healthy.read_partition("grown", 0)) == 3
    leaders = [replicas[0] for replicas in healthy.replicas("grown")]
    assert {leaders.count(node) for node in healthy.brokers} <= {1, 2}
    shown = kafka_tools.run("kafka-topics", healthy, "--describe", "--topic", "grown")
    assert "PartitionCount: 5" in shown and "Partition: 4" in shown
    refused = kafka_tools.run("kafka-topics", healthy, "--alter", "--topic", "grown",
                              "--partitions", 3, works=False)
    assert "currently has 5 partition(s); 3 would not be an increase" in refused
    kafka_tools.run("kafka-topics", healthy, "--alter", "--topic", "grown", "--partitions", 6,
                    "--replica-assignment", "1:2,1:2,1:2,1:2,1:2,3:1")
    healthy.wait_whole("grown", 6)
    assert healthy.replicas("grown")[5] == [3, 1]


def test_librdkafka_adds_partitions(healthy):
    healthy.create_topic("more", 1)
    admin = admin_of(healthy)
    only(admin, admin.create_partitions([NewPartitions("more", 3)], validate_only=True))
    healthy.wait_whole("more", 1)
    only(admin, admin.create_partitions([NewPartitions("more", 3)]))
    healthy.wait_whole("more", 3)
    producer = confluent_kafka.Producer({"bootstrap.servers": healthy.bootstrap()})
    producer.produce("more", b"x", partition=2)
    assert producer.flush(20) == 0
    assert [batch.count for batch in healthy.read_partition("more", 2)] == [1]


def test_partitions_that_were_added_outlive_their_brokers(make_cluster):
    cluster = make_cluster(3).start()
    cluster.create_topic("grown", 1)
    admin = admin_of(cluster)
    only(admin, admin.create_partitions([NewPartitions("grown", 4)]))
    cluster.wait_whole("grown", 4)
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap()})
    for partition in range(4):
        producer.produce("grown", b"x", partition=partition)
    assert producer.flush(20) == 0
    cluster.kill_all()
    for broker in cluster.brokers.values():
        broker.start()
    cluster.wait_ready()
    cluster.wait_whole("grown", 4)
    for partition in range(4):
        assert len(cluster.read_partition("grown", partition)) == 1


def test_kafka_topics_describes_in_pages(healthy):
    healthy.create_topic("paged", 7)
    shown = kafka_tools.run("kafka-topics", healthy, "--describe", "--topic", "paged",
                            "--partition-size-limit-per-response", 2)
    assert sorted(int(n) for n in re.findall(r"Partition: (\d+)", shown)) == list(range(7))


def test_a_reassignment_is_verified_and_its_throttles_cleared(healthy, tmp_path):
    healthy.create_topic("verified", 1)
    plan = tmp_path / "plan.json"
    plan.write_text(kafka_tools.assignment("verified", healthy.replicas("verified")))
    shown = kafka_tools.run("kafka-reassign-partitions", healthy, "--reassignment-json-file", plan,
                            "--verify")
    assert "Reassignment of partition verified-0 is completed." in shown
    assert "Clearing topic-level throttles on topic verified" in shown
