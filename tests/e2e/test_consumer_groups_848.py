"""Consumer groups of the new protocol (KIP-848), from librdkafka and Kafka's own commands."""
import signal

import pytest

import kafka_tools
import kafka_wire as wire
from cluster import eventually
from group_members import WAIT, awaits, describe, members, produce  # noqa: F401 (a fixture)

CLIENT = "librdkafka-consumer"


@pytest.fixture(scope="module")
def broker_settings():
    """Short beats and sessions; assignments as they come."""
    return {"group.consumer.min.heartbeat.interval.ms": "200",
            "group.consumer.heartbeat.interval.ms": "200",
            "group.consumer.min.session.timeout.ms": "3000",
            "group.consumer.session.timeout.ms": "3000",
            "group.consumer.assignment.interval.ms": "100"}


def test_three_share_and_a_killed_one_is_replaced(healthy, members):
    healthy.create_topic("shared", 3)
    group = members(CLIENT, healthy, "sharers", "shared")
    one = group.add()
    eventually(lambda: group.share(3), WAIT, "one has them all")
    two, three = group.add(), group.add()
    eventually(lambda: group.share(3) and all(len(m.partitions) == 1 for m in group.all), WAIT,
               "each has one")
    awaits(healthy, group, "shared", 0, 300)
    two.end()  # As by kill -9: its session has to end first.
    awaits(healthy, group, "shared", 300, 300)
    three.end(signal.SIGINT)  # Ctrl-C: it leaves.
    eventually(lambda: one.partitions == [0, 1, 2], WAIT, "the last one has them all")
    awaits(healthy, group, "shared", 600, 300)


def test_a_killed_coordinator_costs_no_rebalance(three, members):
    three.create_topic("outlives", 3)
    group = members(CLIENT, three, "survivors", "outlives")
    for _ in range(3):
        group.add()
    eventually(lambda: group.share(3) and all(m.partitions for m in group.all), WAIT, "they share")
    awaits(three, group, "outlives", 0, 100)
    before = [len(member.assignments) for member in group.all]
    three[describe(three, "survivors").coordinator.id].kill()
    awaits(three, group, "outlives", 100, 300)
    assert [len(member.assignments) for member in group.all] == before
    assert group.share(3)


def test_who_comes_back_reads_on(healthy, members):
    healthy.create_topic("resumed", 2)
    group = members(CLIENT, healthy, "resumers", "resumed")
    member = group.add()
    awaits(healthy, group, "resumed", 0, 100)
    member.end(signal.SIGINT)
    produce(healthy, "resumed", 100, 50)
    back = group.add()
    wanted = {str(number) for number in range(100, 150)}
    eventually(lambda: wanted <= {value for _, _, value in list(back.records)}, WAIT, "it reads on")
    assert {value for _, _, value in back.records} == wanted


def test_a_static_member_comes_back_to_what_it_had(healthy, members):
    healthy.create_topic("static", 4)
    group = members(CLIENT, healthy, "static-group", "static")
    stays = group.add({"group.instance.id": "a"})
    goes = group.add({"group.instance.id": "b"})
    eventually(lambda: group.share(4) and all(len(m.partitions) == 2 for m in group.all), WAIT,
               "they share")
    had, told = [each for each in goes.assignments if each][-1], len(stays.assignments)
    goes.end(signal.SIGINT)  # It leaves for a moment: its place stays its own.
    back = group.add({"group.instance.id": "b"})
    eventually(lambda: back.partitions == had, WAIT, "it has what it had")
    awaits(healthy, group, "static", 0, 100)
    assert len(stays.assignments) == told


def test_a_regular_expression_finds_topics_as_they_come(healthy, members):
    healthy.create_topic("red-1", 1)
    healthy.create_topic("blue-1", 1)
    group = members(CLIENT, healthy, "by-expression", "^red-.*")
    member = group.add({"topic.metadata.refresh.interval.ms": "1000"})
    eventually(lambda: member.partitions == ["red-1-0"], WAIT, "it reads what there is")
    healthy.create_topic("red-2", 2)
    eventually(lambda: member.partitions == ["red-1-0", "red-2-0", "red-2-1"], WAIT,
               "it reads what has come")
    awaits(healthy, group, "red-2", 0, 20)
    with healthy[1].connect() as connection:
        assert connection.delete_topic("red-1") == wire.NONE
    eventually(lambda: member.partitions == ["red-2-0", "red-2-1"], WAIT, "one is gone")


def test_a_group_changes_its_protocol_member_by_member(healthy, members):
    healthy.create_topic("moved", 4)
    old = members("librdkafka", healthy, "movers", "moved")
    new = members(CLIENT, healthy, "movers", "moved")

    def shared_by(*some):
        parts = sorted(part for member in some for part in member.partitions)
        return parts == [0, 1, 2, 3] and all(member.partitions for member in some)

    one, two = old.add(), old.add()
    eventually(lambda: shared_by(one, two), WAIT, "two of the classic protocol share")
    three = new.add()
    eventually(lambda: shared_by(one, two, three), WAIT, "one of the new protocol has joined them")
    one.end(signal.SIGINT)
    two.end(signal.SIGINT)
    eventually(lambda: shared_by(three), WAIT, "it has everything")
    four = old.add()
    eventually(lambda: shared_by(three, four), WAIT, "one of the classic protocol is back")
    three.end(signal.SIGINT)
    eventually(lambda: shared_by(four), WAIT, "the group is classic again")
    awaits(healthy, old, "moved", 0, 100)
    listed = kafka_tools.run("kafka-consumer-groups", healthy, "--list", "--type", "classic")
    assert "movers" in listed, listed


def test_kafka_consumer_groups_shows_and_deletes(healthy, members):
    healthy.create_topic("shown", 2)
    group = members(CLIENT, healthy, "shown-group", "shown")
    member = group.add()
    awaits(healthy, group, "shown", 0, 50)
    shown = kafka_tools.run("kafka-consumer-groups", healthy, "--describe", "--group", "shown-group")
    assert "/127.0.0.1" in shown and "rdkafka" in shown, shown
    shown = kafka_tools.run("kafka-consumer-groups", healthy, "--describe", "--group", "shown-group",
                            "--state")
    assert "uniform" in shown and "Stable" in shown, shown
    listed = kafka_tools.run("kafka-consumer-groups", healthy, "--list", "--type", "consumer")
    assert "shown-group" in listed, listed
    refused = kafka_tools.run("kafka-consumer-groups", healthy, "--delete", "--group", "shown-group")
    assert "not empty" in refused, refused
    member.end(signal.SIGINT)
    kafka_tools.run("kafka-consumer-groups", healthy, "--delete", "--group", "shown-group")
    listed = kafka_tools.run("kafka-consumer-groups", healthy, "--list")
    assert "shown-group" not in listed.split()
