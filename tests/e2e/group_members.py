"""Consumers of a group as processes, and what they have read between them."""
import collections
import json
import pathlib
import signal
import subprocess
import sys
import threading

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

import client_programs
from cluster import eventually

WAIT = 60  # Seconds.
SCRIPT = pathlib.Path(__file__).with_name("group_member.py")
CLASSIC = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}
# The brokers set the times of the new protocol.
CONSUMER = {"group.protocol": "consumer"}
# The program that each client is, and what all of its members are given.
CLIENTS = {
    "kafka-python": (lambda: [sys.executable, str(SCRIPT), "kafka-python"], CLASSIC),
    "librdkafka": (lambda: [sys.executable, str(SCRIPT), "librdkafka"], CLASSIC),
    "librdkafka-consumer": (lambda: [sys.executable, str(SCRIPT), "librdkafka"], CONSUMER),
    "java": (lambda: client_programs.java("Member"), CLASSIC),
    "java-consumer": (lambda: client_programs.java("Member"), CONSUMER),
    "franz-go": (lambda: client_programs.go("member"), CLASSIC),
    "kafkajs": (lambda: client_programs.js("member"), CLASSIC),
}


class Member:
    """One process that says what group_member.py says; its lines are taken as they come."""

    def __init__(self, client, cluster, group, topic, settings=None):
        command, own = CLIENTS[client]
        more = [f"{key}={value}" for key, value in {**own, **(settings or {})}.items()]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command(), cluster.bootstrap(), group, topic, *more],
            stdout=subprocess.PIPE, text=True)
        self.assignments = []
        self.records = []
        self.committed = {}
        self._reader = threading.Thread(target=self._take, daemon=True)
        self._reader.start()

    def _take(self):
        for line in self.process.stdout:
            what, *values = json.loads(line)
            if what == "assigned":
                self.assignments.append(values)
            elif what == "committed":
                self.committed[values[0]] = values[1]
            else:
                self.records.append(tuple(values))

    @property
    def partitions(self):
        return self.assignments[-1] if self.assignments else []

    def end(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(30)
        self._reader.join(30)


class Members:
    """The members of one group, those that have ended included."""

    def __init__(self, client, cluster, group, topic, settings=None):
        self.client, self.cluster, self.group, self.topic = client, cluster, group, topic
        self.settings = settings or {}
        self.all = []

    def add(self, settings=None):
        self.all.append(Member(self.client, self.cluster, self.group, self.topic,
                               {**self.settings, **(settings or {})}))
        return self.all[-1]

    def running(self):
        return [member for member in self.all if member.process.poll() is None]

    def share(self, partitions):
        """Whether those that run have all partitions between them, each once."""
        owned = collections.Counter(p for member in self.running() for p in member.partitions)
        return owned == collections.Counter(range(partitions))

    def values(self):
        return {value for member in self.all for _, _, value in list(member.records)}

    def committed(self):
        """By partition: the highest offset that the coordinator has confirmed to somebody."""
        highest = collections.defaultdict(int)
        for member in self.all:
            for partition, offset in list(member.committed.items()):
                highest[partition] = max(highest[partition], offset)
        return dict(highest)

    def close(self):
        for member in self.running():
            member.end()


@pytest.fixture
def members():
    """members(client, cluster, group, topic): a group whose processes end with the test."""
    made = []

    def make(*what):
        made.append(Members(*what))
        return made[-1]

    yield make
    for each in made:
        each.close()


def produce(cluster, topic, first, count):
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap(), "acks": "all"})
    for number in range(first, first + count):
        producer.produce(topic, str(number))
    assert producer.flush(WAIT) == 0


def awaits(cluster, group, topic, first, count):
    """Writes that many records, and waits until the group has read them all."""
    produce(cluster, topic, first, count)
    wanted = {str(number) for number in range(first + count)}
    eventually(lambda: wanted <= group.values(), WAIT, f"{first + count} records are read")


def describe(cluster, group):
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap()})
    return admin.describe_consumer_groups([group])[group].result(WAIT)
