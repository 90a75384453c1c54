"""Holds what writers were told against what the log has."""
import kafka_wire as wire


def check(cluster, topic, partitions, acks):
    """Every acknowledged record is at its offset, in order. Returns how many more the log has."""
    extra = 0
    for partition in range(partitions):
        stored = []
        for batch in cluster.read_partition(topic, partition):
            assert wire.crc_is_right(batch)
            stored += wire.records(batch)
        assert [r.offset for r in stored] == list(range(len(stored))), (
            f"offsets of {topic}-{partition} are dense from 0")
        here = [ack for ack in acks if ack.partition == partition]
        for ack in here:
            found = stored[ack.offset].value if ack.offset < len(stored) else None
            assert found == ack.value, (
                f"{topic}-{partition} at {ack.offset}: {ack.value} was acknowledged, {found} is there")
        check_order(here)
        extra += len(stored) - len(here)
    return extra


def check_order(acks):
    """Of each client the records lie in the order in which they were sent."""
    last = {}
    for ack in sorted(acks, key=lambda ack: ack.offset):
        client, _, number = ack.value.decode().split(":")
        assert last.get(client, -1) < int(number), f"{ack.value} lies after {last[client]}"
        last[client] = int(number)
