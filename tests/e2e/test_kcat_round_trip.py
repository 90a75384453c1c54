"""What a stranger tries first: a file in by kcat, the same lines out."""
import collections

import pytest

import kafka_wire as wire
import kcat

LINES = 100_000
PARTITIONS = 3


def numbered_lines():
    return [f"{i:08d} the river carries what it is given" for i in range(LINES)]


def records_by_partition(cluster, topic):
    """{partition: [(offset, line)]} in the order in which kcat showed them."""
    found = collections.defaultdict(list)
    for line in kcat.consume(cluster.bootstrap(), topic):
        partition, offset, value = line.split(" ", 2)
        found[int(partition)].append((int(offset), value))
    return found


def check_round_trip(cluster, topic, *options):
    lines = numbered_lines()
    cluster.create_topic(topic, PARTITIONS)
    # Not sticky: each line goes to a partition of its own choice.
    spread = ["-X", "sticky.partitioning.linger.ms=0"]
    kcat.produce(cluster.bootstrap(), topic, "\n".join(lines).encode() + b"\n", *spread, *options)
    found = records_by_partition(cluster, topic)
    assert sorted(found) == list(range(PARTITIONS)), "every partition got some"
    for partition, records in found.items():
        offsets = [offset for offset, _ in records]
        assert offsets == list(range(len(records))), f"offsets of {partition} start at 0 and are dense"
        values = [value for _, value in records]
        # Numbered lines: written order is sorted order.
        assert values == sorted(values), f"partition {partition} is in the order of writing"
    assert sorted(value for records in found.values() for _, value in records) == lines


def test_a_file_comes_back_line_by_line(healthy):
    check_round_trip(healthy, "plain")


def files_of(cluster, topic, partition):
    """The segment bytes of every replica of the partition."""
    for broker in cluster.running():
        segments = list(broker.data.glob(f"{topic}-{partition}.*/*.log"))
        assert segments, f"broker {broker.node} has segments of {topic}-{partition}"
        yield b"".join(segment.read_bytes() for segment in sorted(segments))


@pytest.mark.parametrize("codec", ["zstd", "lz4", "snappy", "gzip"])
def test_a_codec_passes_through_untouched(healthy, codec):
    topic = f"coded-{codec}"
    check_round_trip(healthy, topic, "-z", codec, "-X", "linger.ms=20")
    for partition in range(PARTITIONS):
        stored = healthy.read_partition(topic, partition)
        for batch in stored:
            assert wire.crc_is_right(batch)
            # librdkafka sends a batch as it is where the codec would not make it smaller.
            if batch.count > 20:
                assert batch.attributes & 7 == wire.CODECS[codec]
        assert any(batch.count > 20 for batch in stored)
        for data in files_of(healthy, topic, partition):
            assert all(batch.raw in data for batch in stored), "what is served is what is on disk"


def test_a_topic_is_made_by_its_first_use(healthy):
    kcat.produce(healthy.bootstrap(), "first-use", b"one\ntwo\n")
    values = kcat.consume(healthy.bootstrap(), "first-use", "%s\n")
    assert sorted(values) == ["one", "two"]


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_each_kind_of_acknowledgement_works(healthy, acks):
    topic = f"acks-{acks}"
    healthy.create_topic(topic, 1)
    lines = [f"line {i}" for i in range(1000)]
    data = "\n".join(lines).encode() + b"\n"
    kcat.produce(healthy.bootstrap(), topic, data, "-X", f"acks={acks}")
    # acks=0 returns before the broker has it: read until all of them are there.
    values = kcat.consume(healthy.bootstrap(), topic, "%s\n", count=1000)
    assert values == lines
