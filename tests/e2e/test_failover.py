"""Brokers are killed, stopped and paused under writers; nothing acknowledged may be missing."""
import signal
import time

import pytest

import kafka_wire as wire
import kcat
import ledger
from cluster import PATIENCE, eventually
from writer import Writers

PARTITIONS = 12
CLIENTS = ["librdkafka", "kafka-python"]
# Records a second of each client, over all partitions. As long as every connection of it that lives has
# something in flight, kafka-python asks the broker that was killed for metadata, and learns nothing.
RATE = round(1500 / PATIENCE)
GAP_MAX = 3.0  # Bounds noise only; bench/failover measures.
PAUSE = 3.0
TAKEN_OVER = 1.5


class Scene:
    """A cluster under two writers, and what happened to it."""

    def __init__(self, cluster, topic, acks_min, folder):
        self.cluster = cluster
        self.topic = topic
        self.acks_min = acks_min
        cluster.create_topic(topic, PARTITIONS)
        self.writers = Writers(CLIENTS, cluster, topic, PARTITIONS, RATE, folder)

    def between(self, since, what):
        """Waits for enough acknowledgements since an event; returns librdkafka's longest gap."""
        counts = self.writers.wait_acks(since, self.acks_min)
        gaps = {c: self.writers.longest_gap(c, since, since + GAP_MAX) for c in CLIENTS}
        shown = ", ".join(f"{client} {gap * 1000:.0f} ms" for client, gap in gaps.items())
        print(f"{what}: acknowledged per partition {counts}, longest gaps {shown}")
        return gaps["librdkafka"]

    def end(self, name, end_it):
        """Ends the broker that leads most, sees the others take over, starts it again."""
        victim = self.cluster.leads_most(self.topic)
        at = time.monotonic()
        end_it(victim)
        others = [broker.node for broker in self.cluster.running()]
        self.writers.wait_acks(time.monotonic(), 1)
        victim.start()
        self.cluster.wait_ready()
        self.cluster.wait_whole(self.topic)
        gap = self.between(at, f"{name} of broker {victim.node}, {others} go on")
        assert gap <= GAP_MAX * PATIENCE

    def pause(self):
        """SIGSTOP of the broker that leads most: another leads while it stands still."""
        victim = self.cluster.leads_most(self.topic)
        watching = next(n for n in self.cluster.brokers if n != victim.node)
        at = time.monotonic()
        victim.signal(signal.SIGSTOP)
        try:
            eventually(
                lambda: not {victim.node, -1} & set(
                    self.cluster.leaders(self.topic, node=watching).values()),
                seconds=TAKEN_OVER, what=f"others lead what the paused broker {victim.node} led")
            print(f"SIGSTOP of broker {victim.node}: others lead after {time.monotonic() - at:.3f} s")
            time.sleep(max(0.0, at + PAUSE - time.monotonic()))  # The pause itself.
        finally:
            victim.signal(signal.SIGCONT)
        self.cluster.wait_whole(self.topic)
        # No bound on the gap: a stock client waits for the answer of the broker that stands still.
        self.between(at, f"SIGSTOP of broker {victim.node} for {PAUSE:.0f} s")

    def settle(self):
        """Stops the writers and holds what they were told against the log."""
        self.writers.stop()
        acks = self.writers.acks()
        given_up = [error for writer in self.writers.writers for error in writer.errors]
        extra = ledger.check(self.cluster, self.topic, PARTITIONS, acks)
        print(f"{len(acks)} acknowledged and found, {extra} more in the log (sent again or never "
              f"acknowledged), {len(given_up)} given up by the clients")
        assert not given_up, given_up[:5]


def terminate(broker):
    assert broker.terminate() == 0, "SIGTERM is a clean stop"


@pytest.mark.parametrize("kills, acks_min", [
    pytest.param(2, 150, id="short"),
    # 3,000 of each partition take 12 s. librdkafka forgets how often a broker refused it after 10 s
    # (reconnect.backoff.max.ms): killed sooner, a broker that is back waits for its clients.
    pytest.param(5, 3000, id="long", marks=pytest.mark.long),
])
def test_no_acknowledged_record_is_lost_when_leaders_go(three, tmp_path, kills, acks_min):
    scene = Scene(three, "failover", acks_min, tmp_path)
    try:
        scene.writers.wait_acks(0, acks_min)
        for number in range(kills):
            scene.end(f"kill -9 number {number + 1}", lambda broker: broker.kill())
        scene.pause()
        scene.end("SIGTERM", terminate)
        scene.settle()
    finally:
        scene.writers.close()


@pytest.mark.parametrize("mode, configs", [
    ("F", {"flush.messages": "1"}),
    ("P", {"flush.messages": "100000", "flush.ms": "1000"}),
])
def test_all_brokers_killed_at_once_come_back_with_everything(three, tmp_path, mode, configs):
    topic = f"all-killed-{mode}"
    three.create_topic(topic, PARTITIONS, configs=configs)
    writers = Writers(CLIENTS, three, topic, PARTITIONS, RATE, tmp_path)
    try:
        for _ in range(2):
            writers.wait_acks(time.monotonic(), 100)
            three.kill_all()
            three.start()
            three.wait_whole(topic)
        writers.wait_acks(time.monotonic(), 100)
        writers.stop()
        extra = ledger.check(three, topic, PARTITIONS, writers.acks())
        print(f"{len(writers.acks())} acknowledged and found, {extra} more in the log")
    finally:
        writers.close()


def test_a_cluster_stopped_and_started_has_what_it_had(three):
    three.create_topic("kept", 3)
    kcat.produce(three.bootstrap(), "kept", b"".join(b"%d\n" % i for i in range(1000)))
    before = sorted(kcat.consume(three.bootstrap(), "kept"))
    for broker in three.brokers.values():
        broker.signal(signal.SIGTERM)
    assert [broker.process.wait(30) for broker in three.brokers.values()] == [0, 0, 0]
    three.start()
    three.wait_whole("kept", 3)
    assert len(before) == 1000
    assert sorted(kcat.consume(three.bootstrap(), "kept")) == before


def test_a_new_leader_serves_from_the_middle_of_a_batch(three):
    three.create_topic("midway", 1)
    with three.connect_leader("midway") as connection:
        made = wire.batch([b"%d" % n for n in range(10)])
        assert connection.produce("midway", 0, made).error == wire.NONE
    gone = three[three.leaders("midway")[0]]
    gone.kill()
    eventually(lambda: three.leaders("midway")[0] not in (-1, gone.node), what="another leads")
    with three.connect_leader("midway") as connection:
        got = connection.fetch("midway", 0, 4)
    assert got.error == wire.NONE
    assert [batch.last_offset for batch in wire.batches(got.data)] == [9]
