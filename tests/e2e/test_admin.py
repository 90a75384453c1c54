"""Quorum, features, quotas, producers, disks: what Apache Kafka's own commands and clients ask and change."""
import re
import socket
import struct
import time

import confluent_kafka
import kafka
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

import kafka_tools
import kafka_wire as wire
from cluster import eventually

GET_TELEMETRY_SUBSCRIPTIONS, PUSH_TELEMETRY = 71, 72


def java(command, cluster, *arguments, works=True):
    return kafka_tools.run(command, cluster, *arguments, works=works)


# ---- The quorum ----------------------------------------------------------------------------------

def replicas(cluster):
    """(node, log end offset, lag, status) of each member of the quorum, by node."""
    shown = java("kafka-metadata-quorum", cluster, "describe", "--replication")
    rows = [line.split() for line in shown.splitlines() if re.match(r"\d+\s", line)]
    return {int(row[0]): (int(row[2]), int(row[3]), row[-1]) for row in rows}


def test_kafka_metadata_quorum_shows_who_votes(healthy):
    shown = java("kafka-metadata-quorum", healthy, "describe", "--status")
    fields = dict(re.findall(r"^(\w+):\s+(.*)$", shown, re.M))
    assert fields["ClusterId"] == healthy.metadata().cluster
    assert int(fields["LeaderId"]) in (1, 2, 3)
    assert int(fields["LeaderEpoch"]) > 0
    assert int(fields["HighWatermark"]) > 0
    for node in (1, 2, 3):
        assert re.search(rf'"id": {node}\b', fields["CurrentVoters"])
    assert "CONTROLLER://127.0.0.1:" in fields["CurrentVoters"]
    assert fields["CurrentObservers"] == "[]"
    members = replicas(healthy)
    assert sorted(members) == [1, 2, 3]
    assert sorted(status for _, _, status in members.values()) == ["Follower", "Follower", "Leader"]


def test_a_dead_voter_falls_behind(three):
    controller = three.metadata().controller
    dead = next(node for node in three.brokers if node != controller)
    three[dead].kill()
    with three.running()[0].connect() as connection:
        assert connection.create_topic("while-away", 1, 1)[0] == wire.NONE
    members = replicas(three)
    assert members[dead][0] < members[controller][0] and members[dead][1] > 0
    alive = next(node for node in three.brokers if node not in (controller, dead))
    eventually(lambda: replicas(three)[alive][1] == 0, 30, "the other follower has everything")


# ---- Features ------------------------------------------------------------------------------------

def features(cluster):
    """(lowest, highest, finalized) of each feature."""
    shown = java("kafka-features", cluster, "describe")
    return {name: levels for name, *levels in re.findall(
        r"Feature: (\S+)\s+SupportedMinVersion: (\S+)\s+SupportedMaxVersion: (\S+)\s+"
        r"FinalizedVersionLevel: (\S+)", shown)}


def test_kafka_features_shows_the_version(healthy):
    assert features(healthy)["metadata.version"] == ["3.3-IV3", "4.3-IV0", "4.3-IV0"]


def test_features_that_cannot_be_so_are_refused(healthy):
    upgrade = java("kafka-features", healthy, "upgrade", "--feature", "kraft.version=1", works=False)
    assert "does not support this feature" in upgrade
    lower = java("kafka-features", healthy, "downgrade", "--metadata", "4.2-IV1", works=False)
    assert "Refusing to perform the requested downgrade" in lower
    same = java("kafka-features", healthy, "upgrade", "--metadata", "4.3-IV0", "--dry-run")
    assert "can be upgraded" in same


# ---- Quotas --------------------------------------------------------------------------------------

def quota(cluster, *arguments, works=True):
    return java("kafka-configs", cluster, *arguments, works=works)


def test_quotas_are_set_shown_and_removed(healthy):
    of_client = ("--entity-type", "clients", "--entity-name", "shown")
    everyone = ("--entity-type", "users", "--entity-default")
    quota(healthy, *of_client, "--alter", "--add-config", "producer_byte_rate=1024,request_percentage=50")
    quota(healthy, *everyone, "--alter", "--add-config", "consumer_byte_rate=2048")
    shown = quota(healthy, *of_client, "--describe")
    assert "producer_byte_rate=1024" in shown and "request_percentage=50" in shown
    assert "consumer_byte_rate=2048" in quota(healthy, *everyone, "--describe")
    refused = quota(healthy, *of_client, "--alter", "--add-config", "producer_byte_rate=-1", works=False)
    assert "must be greater than 0" in refused
    ip = ("--entity-type", "ips", "--entity-name", "127.0.0.9")
    quota(healthy, *ip, "--alter", "--add-config", "connection_creation_rate=10")
    assert "connection_creation_rate=10" in quota(healthy, *ip, "--describe")
    for entity, keys in ((of_client, "producer_byte_rate,request_percentage"),
                         (everyone, "consumer_byte_rate"), (ip, "connection_creation_rate")):
        quota(healthy, *entity, "--alter", "--delete-config", keys)
        assert "rate" not in quota(healthy, *entity, "--describe")


def test_partitions_over_a_quota_are_refused_until_later(healthy):
    everyone = ("--entity-type", "users", "--entity-default")
    quota(healthy, *everyone, "--alter", "--add-config", "controller_mutation_rate=0.1")
    try:
        create = ("kafka-topics", healthy, "--create", "--replication-factor", "1", "--partitions")
        java(*create, "3", "--topic", "many-1")
        refused = java(*create, "1", "--topic", "many-2", works=False)
        assert "throttling quota has been exceeded" in refused
    finally:
        quota(healthy, *everyone, "--alter", "--delete-config", "controller_mutation_rate")
    java(*create, "1", "--topic", "many-2")


def answered(sockets):
    """How many of the connections get an answer; the others are closed without one."""
    count = 0
    for connection in sockets:
        try:
            connection.sendall(API_VERSIONS)
            count += bool(connection.recv(4))
        except ConnectionError:
            pass
        connection.close()
    return count


# ApiVersions version 0, correlation id 1, no client id.
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)


def test_an_address_that_connects_too_often_is_held_back(healthy):
    ip = ("--entity-type", "ips", "--entity-name", "127.0.0.7")
    quota(healthy, *ip, "--alter", "--add-config", "connection_creation_rate=1")
    host, port = healthy.bootstrap().split(",")[0].split(":")

    def connect():
        return socket.create_connection((host, int(port)), 20, source_address=("127.0.0.7", 0))

    assert 10 <= answered([connect() for _ in range(20)]) < 20
    quota(healthy, *ip, "--alter", "--delete-config", "connection_creation_rate")
    eventually(lambda: answered([connect()]) == 1, what="the address may connect again")


def throttles(client_id, cluster, topic, count, size):
    """Writes records, one at a time; the longest that the client was told to wait, in milliseconds."""
    waits = []
    producer = confluent_kafka.Producer({
        "bootstrap.servers": cluster.bootstrap(), "client.id": client_id, "linger.ms": 0,
        "throttle_cb": lambda event: waits.append(event.throttle_time)})
    for _ in range(count):
        producer.produce(topic, b"." * size, partition=0)
        assert producer.flush(60) == 0
    return max(waits, default=0)


def test_a_client_over_its_quota_is_slowed_down(healthy):
    topic = "slow"
    healthy.create_topic(topic, 1)
    client = ("--entity-type", "clients", "--entity-name", "greedy")
    rate = 100_000
    quota(healthy, *client, "--alter", "--add-config", f"producer_byte_rate={rate},consumer_byte_rate={rate}")
    assert throttles("modest", healthy, topic, 3, 100_000) == 0
    begin = time.monotonic()
    # Ten seconds' worth is free.
    assert throttles("greedy", healthy, topic, 20, 80_000) > 0
    assert time.monotonic() - begin > 2
    consumer = kafka.KafkaConsumer(bootstrap_servers=healthy.bootstrap(), client_id="greedy",
                                   auto_offset_reset="earliest", max_partition_fetch_bytes=200_000)
    consumer.assign([kafka.TopicPartition(topic, 0)])
    begin, got = time.monotonic(), 0
    while got < 23:
        got += sum(map(len, consumer.poll(1000).values()))
        assert time.monotonic() - begin < 60
    assert time.monotonic() - begin > 2, "1.9 MB at 0.1 MB a second, less ten seconds' worth"
    consumer.close()
    quota(healthy, *client, "--alter", "--delete-config", "producer_byte_rate,consumer_byte_rate")
    assert throttles("greedy", healthy, topic, 3, 100_000) == 0


def test_quotas_and_features_outlive_the_cluster(make_cluster):
    cluster = make_cluster(3).start()
    client = ("--entity-type", "clients", "--entity-name", "kept")
    quota(cluster, *client, "--alter", "--add-config", "producer_byte_rate=4096")
    for broker in cluster.brokers.values():
        broker.terminate()
    cluster.start()
    assert "producer_byte_rate=4096" in quota(cluster, *client, "--describe")


# ---- Producers -----------------------------------------------------------------------------------

def test_kafka_transactions_describes_idempotent_producers(healthy):
    topic = "produced"
    healthy.create_topic(topic, 1)
    producer = confluent_kafka.Producer({"bootstrap.servers": healthy.bootstrap(),
                                         "enable.idempotence": True, "linger.ms": 0})
    for _ in range(3):
        producer.produce(topic, b"x", partition=0)
        assert producer.flush(30) == 0
    shown = java("kafka-transactions", healthy, "describe-producers", "--topic", topic, "--partition", 0)
    rows = [line.split() for line in shown.splitlines() if re.match(r"\d+\s", line)]
    assert len(rows) == 1, shown
    producer_id, epoch, coordinator_epoch, last_sequence, last_timestamp, start = rows[0]
    assert int(producer_id) >= 0 and epoch == "0" and last_sequence == "2"
    assert abs(int(last_timestamp) - time.time() * 1000) < 60_000
    assert coordinator_epoch == "-1" and start == "None"


# ---- Groups and client metrics -------------------------------------------------------------------

def test_configs_of_groups_are_stored_and_checked(healthy):
    group = ("--entity-type", "groups", "--entity-name", "configured")
    java("kafka-configs", healthy, *group, "--alter", "--add-config", "consumer.session.timeout.ms=50000")
    shown = java("kafka-configs", healthy, *group, "--describe")
    assert re.search(r"consumer\.session\.timeout\.ms=50000 sensitive=false synonyms=\{DYNAMIC_GROUP_CONFIG:",
                     shown), shown
    refused = java("kafka-configs", healthy, *group, "--alter", "--add-config", "nonsense=1", works=False)
    assert "Unknown group config name: nonsense" in refused
    java("kafka-configs", healthy, *group, "--alter", "--delete-config", "consumer.session.timeout.ms")


def test_client_metrics_are_stored_and_nobody_is_asked_for_them(healthy):
    name = ("--name", "all")
    java("kafka-client-metrics", healthy, "--alter", *name, "--metrics", "org.apache.kafka.producer.",
         "--interval", "30000", "--match", "client_id=a.*")
    assert "all" in java("kafka-client-metrics", healthy, "--list")
    shown = java("kafka-client-metrics", healthy, "--describe", *name)
    assert "interval.ms=30000" in shown and "metrics=org.apache.kafka.producer." in shown
    java("kafka-client-metrics", healthy, "--delete", *name)
    assert "all" not in java("kafka-client-metrics", healthy, "--list")
    with healthy[1].connect() as connection:
        _, offered = connection.api_versions()
    assert GET_TELEMETRY_SUBSCRIPTIONS not in offered and PUSH_TELEMETRY not in offered


# ---- Disks ---------------------------------------------------------------------------------------

def test_log_dirs_say_how_large_the_disk_is(healthy):
    healthy.create_topic("measured", 1)
    shown = java("kafka-log-dirs", healthy, "--describe", "--topic-list", "measured")
    assert '"error":null' in shown and '"partition":"measured-0"' in shown
    admin = kafka.KafkaAdminClient(bootstrap_servers=healthy.bootstrap())
    described = admin.describe_log_dirs()
    admin.close()
    assert described


# ---- What cannot be ------------------------------------------------------------------------------

def test_refusals_say_what_is_wrong(healthy, tmp_path):
    healthy.create_topic("refused", 1)
    of_topic = ("--entity-type", "topics", "--entity-name", "refused")
    unknown = java("kafka-configs", healthy, *of_topic, "--alter", "--add-config", "retention=1", works=False)
    assert "retention" in unknown and "InvalidConfigurationException" in unknown
    range_error = java("kafka-configs", healthy, *of_topic, "--alter", "--add-config",
                       "min.insync.replicas=0", works=False)
    assert "Value must be at least 1" in range_error
    plan = tmp_path / "plan.json"
    plan.write_text(kafka_tools.assignment("refused", [[1, 9]]))
    moved = java("kafka-reassign-partitions", healthy, "--reassignment-json-file", plan, "--execute",
                 works=False)
    assert "9" in moved and "Unknown broker" in moved or "not registered" in moved
    admin = AdminClient({"bootstrap.servers": healthy.bootstrap()})
    missing = admin.describe_configs([ConfigResource(ResourceType.TOPIC, "none")])
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        next(iter(missing.values())).result(20)
    assert refused.value.args[0].code() == confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART
    admin.poll(0)
