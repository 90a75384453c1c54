"""The labs of Kafka courses, step by step as their readers take them: programs on kafka-python in
terminals, Kafka's own commands beside them (labs/)."""
import pathlib
import re
import signal
import subprocess
import sys
import threading

import pytest

import kafka_tools
from cluster import eventually

LABS = pathlib.Path(__file__).parent / "labs"
WAIT = 90


@pytest.fixture(scope="module")
def broker_settings():
    """As the labs' own brokers are configured."""
    return {"num.partitions": "3", "auto.create.topics.enable": "true",
            "group.initial.rebalance.delay.ms": "0"}


class Terminal:
    """A program of labs/ in a window of its own."""

    def __init__(self, cluster, program, *options):
        self.lines = []
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(LABS / program), "--bootstrap",
             cluster.bootstrap().split(",")[0], *map(str, options)],
            stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._take, daemon=True)
        self._reader.start()

    def _take(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def found(self, pattern):
        """The groups of the pattern in each line that has it."""
        matches = [re.match(pattern, line) for line in list(self.lines)]
        return [tuple(map(int, match.groups())) for match in matches if match]

    def end(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(30)
        self._reader.join(30)

    def ended(self):
        assert self.process.wait(WAIT) == 0
        self._reader.join(30)
        return self


EVENT = r"read partition=(\d+) offset=(\d+) event=(\d+)"
DEAD = r"dlq partition=(\d+) offset=(\d+)"


class Stream:
    """The first lab: consumers in their terminals, and a producer that is run again and again."""

    def __init__(self, cluster, consumers):
        self.cluster = cluster
        self.consumers = [Terminal(cluster, "stream_consumer.py") for _ in range(consumers)]
        self.sent = 0

    def events(self):
        return {event for each in self.consumers for _, _, event in each.found(EVENT)}

    def send_and_read(self, running):
        """Runs the producer once; when all is read, says which partitions each has printed."""
        since = [len(each.found(EVENT)) for each in running]
        Terminal(self.cluster, "stream_producer.py", "--count", 30, "--first", self.sent).ended()
        self.sent += 30
        eventually(lambda: self.events() == set(range(self.sent)), WAIT, "nothing is skipped")
        return [{p for p, _, _ in each.found(EVENT)[begin:]} for each, begin in zip(running, since)]

    def sends_until_shared(self, *running):
        """Until each of these prints, and each partition is printed by one of them."""

        def shared():
            owned = self.send_and_read(running)
            return all(owned) and sorted(p for each in owned for p in each) == [0, 1, 2]

        eventually(shared, WAIT, f"{len(running)} consumers share the partitions")

    def close(self):
        for each in self.consumers:
            each.end(signal.SIGKILL)


@pytest.mark.parametrize("second", [
    pytest.param(signal.SIGINT, id="both-leave"),
    # kafka-python's session, which has to end first, is 45 s.
    pytest.param(signal.SIGKILL, id="one-is-killed", marks=pytest.mark.long),
])
def test_three_consumers_share_the_work_and_the_last_one_does_it_all(three, second):
    """Lab 1 of seed 000: three consumers, a producer; Ctrl-C for one, then for another."""
    stream = Stream(three, 3)
    try:
        first, other, last = stream.consumers
        stream.sends_until_shared(first, other, last)
        first.end(signal.SIGINT)
        stream.sends_until_shared(other, last)
        other.end(second)
        stream.sends_until_shared(last)
    finally:
        stream.close()


def test_what_cannot_be_parsed_goes_to_the_dead_letters(make_cluster, broker_settings):
    """The assignment of seed 000, and how it is looked at in the end."""
    cluster = make_cluster(1, broker_settings).start()
    consumer = Terminal(cluster, "stream_consumer.py")
    try:
        Terminal(cluster, "stream_producer.py", "--count", 40, "--broken-every", 4).ended()
        eventually(lambda: len(consumer.found(EVENT)) == 30 and len(consumer.found(DEAD)) == 10, WAIT,
                   "30 events and 10 dead letters")
        consumer.end()
    finally:
        consumer.end(signal.SIGKILL)
    shown = kafka_tools.call("kafka-console-consumer", cluster.bootstrap(), "--topic",
                             "event-stream-dlq", "--from-beginning", "--timeout-ms", 4000)
    assert sorted(shown.out.splitlines()) == sorted(f"{{broken {n}" for n in range(0, 40, 4))
    assert "Processed a total of 10 messages" in shown.err
    again = Terminal(cluster, "stream_consumer.py")
    try:
        Terminal(cluster, "stream_producer.py", "--count", 1, "--first", 1000).ended()
        eventually(lambda: any(event == 1000 for _, _, event in again.found(EVENT)), WAIT, "it resumes")
        assert len(again.found(EVENT)) == 1 and not again.found(DEAD)
    finally:
        again.end(signal.SIGKILL)


def test_one_broker_and_the_command_line(make_cluster, broker_settings):
    """Steps 1 and 2 of seed 001, and its clean-up."""
    cluster = make_cluster(1, {**broker_settings, "num.partitions": "1"}).start()

    def run(command, *arguments, **more):
        ended = kafka_tools.call(command, cluster.bootstrap(), *arguments, **more)
        assert ended.code == 0, ended
        return ended

    run("kafka-topics", "--create", "--topic", "my_topic", "--partitions", 1, "--replication-factor", 1)
    assert run("kafka-topics", "--list").out.split() == ["my_topic"]
    shown = run("kafka-topics", "--describe", "--topic", "my_topic").out
    assert re.search(r"Topic: my_topic\s+TopicId: \S+\s+PartitionCount: 1\s+ReplicationFactor: 1", shown)
    assert re.search(r"Topic: my_topic\s+Partition: 0\s+Leader: 1\s+Replicas: 1\s+Isr: 1", shown)
    lines = ["Hello Kafka!", "This is a test message", "Welcome to Kafka"]
    for text in ("\n".join(lines[:2]) + "\n", lines[2] + "\n"):
        run("kafka-console-producer", "--topic", "my_topic", text=text)
    read = run("kafka-console-consumer", "--topic", "my_topic", "--from-beginning", "--timeout-ms", 4000)
    assert read.out.splitlines() == lines
    run("kafka-topics", "--delete", "--topic", "my_topic")
    eventually(lambda: "my_topic" not in run("kafka-topics", "--list").out.split(), what="it is gone")


def described(cluster, *arguments):
    """Rows of kafka-consumer-groups --describe as lists of words, its header first."""
    ended = kafka_tools.call("kafka-consumer-groups", cluster.bootstrap(), "--describe", "--group",
                             "user_activity_group", *arguments)
    assert ended.code == 0, ended
    return [line.split() for line in ended.out.splitlines() if line.strip()], ended.out + ended.err


def test_user_activity_and_its_group(make_cluster, broker_settings):
    """Steps 3 and 4 of seed 001, and what it proposes to try."""
    cluster = make_cluster(1, {**broker_settings, "num.partitions": "1"}).start()
    consumer = None
    try:
        stored = Terminal(cluster, "activity_producer.py", "--acks", "all").ended()
        assert stored.lines[0] == "stored topic=user_activity partition=0 offset=0"
        consumer = Terminal(cluster, "activity_consumer.py")
        eventually(lambda: len(consumer.lines) == 10, WAIT, "ten activities")
        for acks in ("1", "0"):
            Terminal(cluster, "activity_producer.py", "--acks", acks).ended()
        stored = Terminal(cluster, "activity_producer.py", "--sync", 1, "--keyed", 1).ended()
        assert [line.split("=")[-1] for line in stored.lines] == [str(n) for n in range(30, 40)]
        eventually(lambda: len(consumer.lines) == 40, WAIT, "all activities, in order")
        offsets = consumer.found(r"read partition=0 offset=(\d+) action=")
        assert offsets == [(n,) for n in range(40)]
        group_with_a_member(cluster)
    finally:
        if consumer is not None:
            consumer.end()
    group_without_members(cluster)
    read = Terminal(cluster, "activity_consumer.py", "--seek", 35, "--manual", 1, "--count", 5).ended()
    assert read.found(r"read partition=0 offset=(\d+) action=") == [(n,) for n in range(35, 40)]
    Terminal(cluster, "activity_producer.py").ended()
    read = Terminal(cluster, "activity_consumer.py", "--manual", 1, "--count", 10).ended()
    assert read.found(r"read partition=0 offset=(\d+) action=") == [(n,) for n in range(40, 50)]
    rows, _ = described(cluster)
    assert rows[-1][3:6] == ["50", "50", "0"]


def group_with_a_member(cluster):
    eventually(lambda: described(cluster)[0][-1][3:6] == ["40", "40", "0"], WAIT, "the automatic commit")
    (header, row), _ = described(cluster)
    assert header == ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG",
                      "CONSUMER-ID", "HOST", "CLIENT-ID"]
    assert row[:3] == ["user_activity_group", "user_activity", "0"] and row[7] == "/127.0.0.1"
    assert row[6].startswith("kafka-python") and row[8].startswith("kafka-python")
    (header, row), _ = described(cluster, "--members")
    assert header == ["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS"] and row[-1] == "1"
    (header, row), _ = described(cluster, "--members", "--verbose")
    assert row[header.index("CURRENT-ASSIGNMENT") - len(header)] == "user_activity:0", (header, row)
    (header, row), _ = described(cluster, "--state")
    assert header == ["GROUP", "COORDINATOR", "(ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS"]
    assert row[2] == "(1)" and row[-3:] == ["range", "Stable", "1"]
    assert described(cluster, "--offsets")[0][-1][3:6] == ["40", "40", "0"]


def group_without_members(cluster):
    rows, shown = described(cluster)
    assert "Consumer group 'user_activity_group' has no active members." in shown
    assert rows[-1] == ["user_activity_group", "user_activity", "0", "40", "40", "0", "-", "-", "-"]
    _, shown = described(cluster, "--members")
    assert "Consumer group 'user_activity_group' has no active members." in shown
    rows, _ = described(cluster, "--state")
    assert rows[-1][-2:] == ["Empty", "0"]
    assert "Consumer group 'user_activity_group' has no active members." in described(
        cluster, "--offsets")[1]
