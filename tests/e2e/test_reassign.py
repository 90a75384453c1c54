"""Partitions and leaderships move by Apache Kafka's own commands, under writers."""
import time

import confluent_kafka
import pytest

import kafka_tools
import ledger
from cluster import eventually
from latency_probe import LatencyProbe
from writer import Writers

PARTITIONS = 3
CLIENTS = ["librdkafka", "kafka-python"]
RATE = 300
SECONDS_SEEN_MIN = 1.0  # A small move takes less.
FILL_VALUE = b"." * 100_000


def fill(cluster, topic, megabytes):
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap(), "acks": "all"})
    for number in range(megabytes * 10):
        while True:
            try:
                producer.produce(topic, FILL_VALUE, partition=number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(120) == 0


def create(cluster, topic, replicas):
    kafka_tools.run("kafka-topics", cluster, "--create", "--topic", topic, "--replica-assignment",
                    ",".join(":".join(map(str, nodes)) for nodes in replicas))
    cluster.wait_whole(topic, len(replicas))


@pytest.mark.parametrize("megabytes", [
    pytest.param(20, id="short"),
    pytest.param(1000, id="long", marks=pytest.mark.long),
])
def test_a_topic_moves_under_writers_and_nothing_is_lost(make_cluster, tmp_path, megabytes):
    four = make_cluster(4).start()
    target = [[2, 3, 4], [3, 4, 2], [4, 2, 3]]
    create(four, "moved", [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    fill(four, "moved", megabytes)
    plan = tmp_path / "plan.json"
    plan.write_text(kafka_tools.assignment("moved", target))
    writers = Writers(CLIENTS, four, "moved", PARTITIONS, RATE, tmp_path)
    probe = LatencyProbe(four, "moved", 0)
    try:
        began = time.monotonic()
        writers.wait_acks(0, 100)
        eventually(lambda: len(probe.samples) >= 50, what="the probe knows how it is without a move")
        at = time.monotonic()
        shown = kafka_tools.run("kafka-reassign-partitions", four, "--reassignment-json-file", plan,
                                "--execute")
        assert "Successfully started partition reassignments" in shown
        eventually(lambda: four.replicas("moved") == target, seconds=300, what="the move")
        took = time.monotonic() - at
        four.wait_whole("moved", PARTITIONS)
        writers.wait_acks(time.monotonic(), 100)
        eventually(lambda: probe.samples[-1][0] > at + SECONDS_SEEN_MIN, what="the probe has seen it")
        until = time.monotonic()
        probe.stop()
        writers.stop()
        shown = kafka_tools.run("kafka-reassign-partitions", four, "--reassignment-json-file", plan,
                                "--verify", "--preserve-throttles")
        assert shown.count("is completed") == PARTITIONS
        assert not probe.errors
        ledger.check(four, "moved", PARTITIONS, writers.acks())
        print(f"{megabytes} MB moved in {took:.1f} s with the command's own time; a record took "
              f"p50 {probe.milliseconds(0.5, began, at):.1f} p99 {probe.milliseconds(0.99, began, at):.1f} "
              f"ms before, p50 {probe.milliseconds(0.5, at, until):.1f} "
              f"p99 {probe.milliseconds(0.99, at, until):.1f} ms from the move on")
        assert not (four[1].data / "moved-0").exists()
    finally:
        probe.stop()
        writers.close()


def test_the_preferred_leader_is_elected_when_asked(make_cluster):
    three = make_cluster(3, {"auto.leader.rebalance.enable": "false"}).start()
    create(three, "led", [[2, 3, 1], [3, 1, 2]])
    eventually(lambda: three.leaders("led") == {0: 2, 1: 3}, what="the preferred replicas lead")
    three[2].kill()
    eventually(lambda: three.leaders("led", node=1)[0] in (1, 3), what="another leads")
    three[2].start()
    three.wait_ready()
    three.wait_whole("led", 2)
    assert three.leaders("led")[0] != 2
    shown = kafka_tools.run("kafka-leader-election", three, "--election-type", "preferred",
                            "--all-topic-partitions")
    assert "Successfully completed leader election (PREFERRED) for partitions led-0" in shown
    eventually(lambda: three.leaders("led") == {0: 2, 1: 3}, what="everybody knows")
    shown = kafka_tools.run("kafka-leader-election", three, "--election-type", "preferred",
                            "--topic", "led", "--partition", "0")
    assert "Valid replica already elected for partitions led-0" in shown


def test_leaders_go_back_by_themselves(make_cluster):
    three = make_cluster(3, {"garam.leader.settle.ms": "500"}).start()
    create(three, "back", [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    three[2].kill()
    eventually(lambda: three.leaders("back", node=1)[1] in (1, 3), what="another leads")
    three[2].start()
    three.wait_ready()
    eventually(lambda: three.leaders("back") == {0: 1, 1: 2, 2: 3}, what="the preferred ones lead")
