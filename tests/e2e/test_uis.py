"""The requests that the known UIs make, in their order, from the clients that they are built on: Redpanda
Console (franz-go), kafbat kafka-ui and AKHQ (Kafka's own, each in its version). On three brokers and with
one dead every call answers, and soon."""
import json
import subprocess

import confluent_kafka
import pytest

import client_programs
from cluster import PATIENCE, eventually
from group_members import Members

UIS = ("console", "kafbat", "akhq")
TOPIC = "orders"
PARTITIONS = 6
RECORDS = 600
SECONDS_MAX = 2.0
WAIT = 60
# What no broker without an authorizer has: the UIs hide these pages.
TOO_OLD = "broker is too old"
ABSENT = {"acls": ("error code 54", TOO_OLD), "scram users": (TOO_OLD,),
          "describeAcls": ("SecurityDisabledException", "UnsupportedVersionException")}


@pytest.fixture(scope="module")
def broker_settings():
    return {"group.initial.rebalance.delay.ms": "0"}


class Watched:
    """A cluster with something to look at: records, a group of each protocol that reads, idle groups."""

    def __init__(self, cluster):
        self.cluster = cluster
        cluster.create_topic(TOPIC, PARTITIONS)
        producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap(), "acks": "all"})
        for number in range(RECORDS):
            producer.produce(TOPIC, str(number), partition=number % PARTITIONS)
        assert producer.flush(WAIT) == 0
        self.reading = [Members("librdkafka", cluster, "reading", TOPIC),
                        Members("librdkafka-consumer", cluster, "reading-too", TOPIC)]
        for group in self.reading:
            group.add()
        eventually(lambda: all(len(group.values()) == RECORDS for group in self.reading), WAIT,
                   "the groups have read all")

    def idle_group(self, name):
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.cluster.bootstrap(), "group.id": name})
        consumer.commit(asynchronous=False, offsets=[
            confluent_kafka.TopicPartition(TOPIC, partition, 3) for partition in range(PARTITIONS)])
        consumer.close()
        return name

    def calls(self, ui, group):
        """[name, milliseconds, how it went] of each call of the UI."""
        command = [*client_programs.ui(ui), self.cluster.bootstrap(), TOPIC, self.idle_group(group)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=WAIT * PATIENCE)
        except subprocess.TimeoutExpired as hung:
            raise AssertionError(f"{ui} hangs behind these calls: {hung.stdout}") from None
        assert ended.returncode == 0, ended.stdout + ended.stderr
        calls = [json.loads(line) for line in ended.stdout.splitlines()]
        slowest = max(calls, key=lambda call: call[1])
        print(f"{ui}: {len(calls)} calls, the slowest {slowest[0]} {slowest[1]} ms")
        return calls

    def close(self):
        for group in self.reading:
            group.close()

    def shows_only_the_living(self):
        living = {broker.node for broker in self.cluster.running()}
        shown = [self.cluster.metadata([TOPIC], node=node) for node in living]
        return all(set(each.brokers) == living and each.controller in living
                   and {part.leader for part in each.topics[TOPIC].partitions} <= living
                   for each in shown)


@pytest.fixture(scope="module")
def watched(shared):
    made = Watched(shared)
    yield made
    made.close()


def complaints(calls):
    """The calls that failed, or took too long."""
    return [(name, took, went) for name, took, went in calls
            if not (went == "ok" or went.startswith(ABSENT.get(name, ())))
            or took > SECONDS_MAX * 1000 * PATIENCE]


@pytest.mark.parametrize("ui", UIS)
def test_each_page_of_a_ui_opens(watched, ui):
    assert not complaints(watched.calls(ui, f"seen-by-{ui}"))


def test_each_page_of_the_uis_opens_with_a_broker_dead(three):
    watched = Watched(three)
    try:
        three[three.metadata([TOPIC]).controller].kill()
        eventually(watched.shows_only_the_living, what="the dead one is not shown any more")
        assert not {ui: failed for ui in UIS
                    if (failed := complaints(watched.calls(ui, f"seen-by-{ui}")))}
    finally:
        watched.close()
