"""Consumer groups of the classic protocol, from real clients and Kafka's own commands."""
import signal

import pytest

import kafka_tools
import kafka_wire as wire
from cluster import eventually
from group_members import WAIT, awaits, describe, members  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def broker_settings():
    """As the labs have it: nobody waits for more members."""
    return {"group.initial.rebalance.delay.ms": "0"}


def test_groups_are_independent_and_more_members_than_partitions_wait(healthy, members):
    healthy.create_topic("two-groups", 2)
    first = members("librdkafka", healthy, "first", "two-groups")
    second = members("librdkafka", healthy, "second", "two-groups")
    for group in (first, first, first, second):
        group.add()
    eventually(lambda: first.share(2) and second.share(2), WAIT, "both have all")
    eventually(lambda: sorted(len(member.partitions) for member in first.all) == [0, 1, 1], WAIT,
               "one of three has nothing")
    awaits(healthy, first, "two-groups", 0, 100)
    awaits(healthy, second, "two-groups", 100, 100)


def test_a_killed_coordinator_costs_no_rebalance(three, members):
    three.create_topic("outlives", 3)
    group = members("librdkafka", three, "survivors", "outlives")
    group.add()
    group.add()
    eventually(lambda: group.share(3) and all(m.partitions for m in group.all), WAIT, "they share")
    awaits(three, group, "outlives", 0, 100)
    before = [len(member.assignments) for member in group.all]
    described = describe(three, "survivors")
    three[described.coordinator.id].kill()
    awaits(three, group, "outlives", 100, 200)
    assert [len(member.assignments) for member in group.all] == before
    after = describe(three, "survivors")
    assert after.coordinator.id != described.coordinator.id
    assert {m.member_id for m in after.members} == {m.member_id for m in described.members}


def test_a_static_member_comes_back_without_a_rebalance(healthy, members):
    healthy.create_topic("static", 2)
    group = members("librdkafka", healthy, "static", "static")
    stays, goes = group.add({"group.instance.id": "a"}), group.add({"group.instance.id": "b"})
    eventually(lambda: group.share(2) and len(goes.partitions) == 1, WAIT, "they share")
    assignments, had = len(stays.assignments), goes.partitions
    goes.end()
    back = group.add({"group.instance.id": "b"})
    eventually(lambda: back.partitions == had, WAIT, "it has what it had")
    awaits(healthy, group, "static", 0, 100)
    assert len(stays.assignments) == assignments


def test_offsets_go_with_their_topic(healthy, members):
    healthy.create_topic("short-lived", 1)
    group = members("librdkafka", healthy, "outlives-topic", "short-lived")
    member = group.add()
    awaits(healthy, group, "short-lived", 0, 20)
    member.end(signal.SIGINT)
    assert offsets_of(healthy, "outlives-topic")[0][0] == "20"
    with healthy[1].connect() as connection:
        assert connection.delete_topic("short-lived") == wire.NONE
    healthy.create_topic("short-lived", 1)
    again = members("librdkafka", healthy, "outlives-topic", "short-lived")
    again.add()
    awaits(healthy, again, "short-lived", 0, 20)


def offsets_of(cluster, group):
    """Kafka's own table: by partition, current offset, end and lag."""
    shown = kafka_tools.run("kafka-consumer-groups", cluster, "--describe", "--group", group)
    rows = [line.split() for line in shown.splitlines() if line.startswith(group)]
    return {int(row[2]): tuple(row[3:6]) for row in rows}


def test_kafka_consumer_groups_shows_resets_and_deletes(healthy, members):
    healthy.create_topic("shown", 2)
    group = members("librdkafka", healthy, "shown-group", "shown")
    member = group.add()
    awaits(healthy, group, "shown", 0, 50)
    shown = kafka_tools.run("kafka-consumer-groups", healthy, "--describe", "--group", "shown-group")
    assert "/127.0.0.1" in shown and "rdkafka" in shown, shown
    assert "shown-group" in kafka_tools.run("kafka-consumer-groups", healthy, "--list")
    refused = kafka_tools.run("kafka-consumer-groups", healthy, "--reset-offsets", "--group",
                              "shown-group", "--topic", "shown", "--to-earliest", "--execute")
    assert "inactive" in refused, refused
    refused = kafka_tools.run("kafka-consumer-groups", healthy, "--delete", "--group", "shown-group")
    assert "not empty" in refused, refused
    member.end(signal.SIGINT)
    ends = offsets_of(healthy, "shown-group")
    assert sum(int(end) for _, end, _ in ends.values()) == 50
    assert all(lag == "0" for _, _, lag in ends.values())
    kafka_tools.run("kafka-consumer-groups", healthy, "--reset-offsets", "--group", "shown-group",
                    "--topic", "shown", "--to-earliest", "--execute")
    assert all(current == "0" for current, _, _ in offsets_of(healthy, "shown-group").values())
    kafka_tools.run("kafka-consumer-groups", healthy, "--delete", "--group", "shown-group")
    listed = kafka_tools.run("kafka-consumer-groups", healthy, "--list")
    assert "shown-group" not in listed.split()
