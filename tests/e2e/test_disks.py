"""Brokers whose disks have rotted while they were down, or fail and stall under them."""
import shutil
import time

import pytest

import kafka_wire as wire
import syscalls
from cluster import eventually

TOPIC = "rotten"
PARTITIONS = 3
VALUE = b"." * 50_000
RECORDS = 80  # Of each partition: about four segments.
VICTIM = 2


@pytest.fixture(scope="module")
def broker_settings():
    # A healed broker leads again what it is to lead, so that all is read through it.
    return {"garam.leader.settle.ms": 300}


def value(partition, number):
    return b"%d/%d " % (partition, number) + VALUE


def fill(cluster):
    cluster.create_topic(TOPIC, PARTITIONS, 3, {"segment.bytes": "1048576"})
    for partition in range(PARTITIONS):
        with cluster.connect_leader(TOPIC, partition) as connection:
            for number in range(RECORDS):
                got = connection.produce(TOPIC, partition,
                                         wire.batch([value(partition, number)]))
                assert got.error == wire.NONE
    cluster.wait_whole(TOPIC, PARTITIONS)


def led_by(cluster, node):
    """The partition that the broker is to lead."""
    return next(i for i, nodes in enumerate(cluster.replicas(TOPIC)) if nodes[0] == node)


def segments(broker, partition):
    return sorted(broker.data.glob(f"{TOPIC}-{partition}.*[0-9]/*.log"))


def flip_a_byte(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def check_all_readable_through(cluster, node):
    eventually(lambda: cluster.leaders(TOPIC)[led_by(cluster, node)] == node, 30,
               "the healed broker leads")
    for partition in range(PARTITIONS):
        found = cluster.read_partition(TOPIC, partition)
        read = [record for one in found for record in wire.records(one)]
        assert len(read) == RECORDS
        for number, record in enumerate(read):
            assert record.value == value(partition, number)


@pytest.mark.parametrize("where", ["middle", "last"])
def test_a_flipped_byte_is_found_said_and_healed(three, where):
    fill(three)
    victim = three[VICTIM]
    partition = led_by(three, VICTIM)
    assert victim.terminate() == 0
    paths = segments(victim, partition)
    assert len(paths) > 3
    damaged = paths[len(paths) // 2] if where == "middle" else paths[-1]
    flip_a_byte(damaged, damaged.stat().st_size // 2)
    victim.start()
    three.wait_ready()
    eventually(lambda: f"{damaged.name} is damaged" in victim.log_text(), 60, "the damage is found")
    eventually(lambda: "has again what it may have lost" in victim.log_text(), 60, "it is healed")
    three.wait_whole(TOPIC, PARTITIONS)
    aside = list(victim.data.glob(f"{TOPIC}-{partition}.*.damaged/{damaged.name}"))
    assert len(aside) == 1, "the files are kept"
    check_all_readable_through(three, VICTIM)


def test_a_reader_that_meets_damage_is_never_given_it(three):
    fill(three)
    partition = led_by(three, VICTIM)
    for broker in three.brokers.values():  # What they have in memory goes.
        assert broker.terminate() == 0
    victim = three[VICTIM]
    damaged = segments(victim, partition)[1]
    flip_a_byte(damaged, damaged.stat().st_size // 2)
    for broker in three.brokers.values():
        broker.start(**{"garam.scrub.mb.per.second": 0})
    three.wait_ready()
    three.wait_whole(TOPIC, PARTITIONS)
    eventually(lambda: three.leaders(TOPIC)[partition] == VICTIM, 30, "the damaged broker leads")
    assert "is damaged" not in victim.log_text()

    def read_everything():
        offset = 0
        while offset < RECORDS:
            with three.connect_leader(TOPIC, partition) as connection:
                got = connection.fetch(TOPIC, partition, offset)
            if got.error != wire.NONE:
                return False  # Only ever refused, ...
            for one in wire.batches(got.data):
                for record in wire.records(one):  # ... and never given what was not written.
                    assert record.value == value(partition, offset)
                    offset += 1
        return True

    eventually(read_everything, 30, "all is read", pause=0.2)
    assert f"{damaged.name} is damaged" in victim.log_text()
    eventually(lambda: "has again what it may have lost" in victim.log_text(), 60, "it is healed")
    check_all_readable_through(three, VICTIM)


def test_a_lost_key_value_store_makes_another_node_of_it(three):
    fill(three)
    victim = three[VICTIM]
    victim.kill()
    shutil.rmtree(victim.data / "kv")
    victim.start()
    three.wait_ready()
    assert "begins anew as a learner" in victim.log_text()
    # In sync again only as somebody new: what it was is not let in.
    three.wait_whole(TOPIC, PARTITIONS, seconds=60)
    check_all_readable_through(three, VICTIM)


@pytest.fixture
def trace(tmp_path):
    """trace(broker, …) changes the broker's system calls until the test ends; skips where it may not."""
    traces = []

    def start(broker, **how):
        try:
            traces.append(syscalls.Trace(broker.process.pid, tmp_path / "calls", **how))
        except syscalls.NotPermitted as error:
            pytest.skip(f"tracing is not allowed here: {error}")
        return traces[-1]

    yield start
    for one in traces:
        one.stop()


def produce(cluster, partition, number):
    with cluster.connect_leader(TOPIC, partition) as connection:
        got = connection.produce(TOPIC, partition, wire.batch([value(partition, number)]))
    assert got.error == wire.NONE


def test_a_sync_that_fails_is_final_and_the_isr_goes_on_without_it(three, trace):
    fill(three)
    victim = three[VICTIM]
    partition = next(i for i in range(PARTITIONS) if three.leaders(TOPIC)[i] != VICTIM)
    failing = trace(victim, sync_error="EIO", path=segments(victim, partition)[-1],
                    calls=syscalls.SYNCS)
    produce(three, partition, RECORDS)

    def is_out_of_the_isr():
        shown = three.metadata([TOPIC], node=three.leaders(TOPIC)[partition]).topics[TOPIC]
        return VICTIM not in next(p.isr for p in shown.partitions if p.index == partition)

    eventually(is_out_of_the_isr, 5, "out of the ISR, long before replica.lag.time.max.ms")
    assert "takes no more writes" in victim.log_text()
    failing.stop()
    produce(three, partition, RECORDS + 1)
    assert is_out_of_the_isr(), "a later sync proves nothing"
    victim.kill()
    victim.start()
    three.wait_ready()
    three.wait_whole(TOPIC, PARTITIONS)
    found = three.read_partition(TOPIC, partition)
    assert sum(len(wire.records(one)) for one in found) == RECORDS + 2


def test_a_disk_that_stalls_changes_no_leader_and_holds_nobody_up(three, trace):
    fill(three)
    eventually(lambda: three.leaders(TOPIC)[led_by(three, VICTIM)] == VICTIM, 30, "all lead")

    def epochs():
        return {p.index: p.epoch for p in three.metadata([TOPIC], node=1).topics[TOPIC].partitions}

    before = epochs()
    trace(three[VICTIM], sync_delay=0.5, calls=syscalls.SYNCS)
    took = []
    for number in range(RECORDS, RECORDS + 10):
        for partition in range(PARTITIONS):
            began = time.monotonic()
            produce(three, partition, number)
            took.append(time.monotonic() - began)
    # Whoever waited for that disk would take half a second each time: a majority is quicker.
    assert sorted(took)[len(took) // 2] < 0.5
    assert epochs() == before
    three.wait_whole(TOPIC, PARTITIONS)
