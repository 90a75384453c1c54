"""One test of consumer groups through every client: members join, are killed, leave and come back."""
import signal

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

from cluster import PATIENCE, eventually
from group_members import CLIENTS, Members

PARTITIONS = 3
SESSION_MS = str(int(3000 * min(PATIENCE, 3)))
WAIT = 60


@pytest.fixture(scope="module")
def broker_settings():
    """Nobody waits for more members, and who was killed is missed soon."""
    return {"group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": SESSION_MS,
            "group.consumer.min.session.timeout.ms": SESSION_MS,
            "group.consumer.session.timeout.ms": SESSION_MS,
            "group.consumer.min.heartbeat.interval.ms": "300",
            "group.consumer.heartbeat.interval.ms": "300"}


class Story:
    """A group of one client, what was written for it, and what it may never read again."""

    def __init__(self, client, cluster):
        self.cluster = cluster
        self.topic = f"read-by-{client}"
        cluster.create_topic(self.topic, PARTITIONS)
        classic = not client.endswith("-consumer")
        self.members = Members(client, cluster, f"group-{client}", self.topic,
                               {"session.timeout.ms": SESSION_MS} if classic else None)
        self.producer = confluent_kafka.Producer(
            {"bootstrap.servers": cluster.bootstrap(), "acks": "all"})
        self.written = 0

    def write(self, count):
        for number in range(self.written, self.written + count):
            self.producer.produce(self.topic, str(number), partition=number % PARTITIONS)
        self.written += count
        assert self.producer.flush(WAIT) == 0

    def all_read(self, seconds=WAIT):
        """Waits until the group has read and committed all that was written."""
        wanted = {str(number) for number in range(self.written)}
        ends = {p: self.written // PARTITIONS for p in range(PARTITIONS)}
        eventually(lambda: wanted <= self.members.values(), seconds, f"{self.written} records are read")
        eventually(lambda: self.members.committed() == ends, seconds, "they are committed")

    def shared_by(self, *counts):
        """Waits until those that run have all partitions, so many each."""
        eventually(lambda: self.members.share(PARTITIONS) and sorted(
            len(member.partitions) for member in self.members.running()) == sorted(counts),
            WAIT, f"shared as {counts}")

    def nothing_again(self, after):
        """Checks what was read since mark(): nothing that had been committed before it."""
        floors, marks = after
        for number, member in enumerate(self.members.all):
            since = marks[number] if number < len(marks) else 0
            for partition, offset, _ in member.records[since:]:
                assert offset >= floors.get(partition, 0), (
                    f"member {number} read {partition}:{offset}; {floors[partition]} was committed")

    def mark(self):
        """What is committed now, and how much each has read by now."""
        floors = self.members.committed()
        return floors, [len(member.records) for member in self.members.all]

    def offsets_of_coordinator(self):
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap()})
        asked = confluent_kafka.ConsumerGroupTopicPartitions(self.members.group)
        found = admin.list_consumer_group_offsets([asked])[self.members.group].result(WAIT)
        return {part.partition: part.offset for part in found.topic_partitions}


@pytest.fixture
def story(request, healthy):
    made = Story(request.param, healthy)
    yield made
    made.members.close()


@pytest.mark.parametrize("story", CLIENTS, indirect=True)
def test_a_group_loses_members_and_nothing_else(story):
    one = story.members.add()
    story.shared_by(3)
    story.write(300)
    story.all_read()
    began = story.mark()
    two, three = story.members.add(), story.members.add()
    story.shared_by(1, 1, 1)
    story.write(300)
    story.all_read()
    story.nothing_again(began)

    story.write(150)
    two.end()  # As by kill -9, with records under way: its session has to end first.
    killed = story.mark()
    story.write(150)
    story.shared_by(1, 2)
    story.all_read()
    story.nothing_again(killed)

    left = story.mark()
    three.end(signal.SIGINT)
    story.shared_by(3)
    story.write(300)
    story.all_read()
    story.nothing_again(left)

    gone = story.mark()
    one.end()
    story.write(300)  # Nobody is there.
    story.members.add()
    story.shared_by(3)
    story.all_read()
    story.nothing_again(gone)
    assert story.offsets_of_coordinator() == {p: story.written // 3 for p in range(PARTITIONS)}
