"""Records are deleted from the front of a log, everywhere; who was away copies segments, or the
metadata's snapshot."""
import json

import confluent_kafka

import kafka_tools
import kafka_wire as wire
from cluster import eventually

SEGMENT = 1 << 20
VALUE = b"." * 200_000


def write(cluster, topic, numbers):
    """A record and a batch each, in order, acknowledged by all."""
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap(), "acks": "all",
                                         "batch.num.messages": 1})
    for number in numbers:
        producer.produce(topic, b"%d " % number + VALUE, partition=0)
    assert producer.flush(30) == 0


def read(cluster, topic):
    """The numbers that were written, by offset."""
    return {record.offset: int(record.value.split()[0])
            for batch in cluster.read_partition(topic, 0) for record in wire.records(batch)}


def delete_before(cluster, topic, offset, tmp_path):
    plan = tmp_path / "delete.json"
    plan.write_text(json.dumps({"version": 1, "partitions": [
        {"topic": topic, "partition": 0, "offset": offset}]}))
    shown = kafka_tools.run("kafka-delete-records", cluster, "--offset-json-file", plan)
    assert f"low_watermark: {offset}" in shown, shown


def segments(broker, topic):
    return sorted(path.name for path in broker.data.glob(f"{topic}-0.*/*.log"))


def test_who_was_away_while_the_log_start_moved_copies_segments(three, tmp_path):
    three.create_topic("trimmed", 1, configs={"segment.bytes": str(SEGMENT)})
    write(three, "trimmed", range(10))
    leader = three.leaders("trimmed")[0]
    away = three[leader % 3 + 1]
    away.kill()
    write(three, "trimmed", range(10, 60))
    before = len(segments(three[leader], "trimmed"))
    delete_before(three, "trimmed", 40, tmp_path)
    eventually(lambda: len(segments(three[leader], "trimmed")) < before - 5,
               what="segments below the log start go")
    away.start()
    three.wait_ready()
    three.wait_whole("trimmed", 1)
    assert "copying entries" in away.log_text()
    write(three, "trimmed", range(60, 65))
    # From now on it is the copy that everybody reads.
    order = [away.node] + [node for node in three.replicas("trimmed")[0] if node != away.node]
    plan = tmp_path / "order.json"
    plan.write_text(kafka_tools.assignment("trimmed", [order]))
    kafka_tools.run("kafka-reassign-partitions", three, "--reassignment-json-file", plan,
                    "--execute")
    eventually(lambda: three.leaders("trimmed")[0] == away.node, what="the copy leads")
    three[leader].kill()
    assert read(three, "trimmed") == {offset: offset for offset in range(40, 65)}


def test_a_broker_that_was_away_for_long_gets_the_metadata_as_a_snapshot(make_cluster):
    cluster = make_cluster(3, settings={"garam.metadata.segment.bytes": 1024}).start()
    cluster[3].kill()
    for number in range(40):
        with cluster.running()[0].connect() as connection:
            error, message = connection.create_topic(f"topic-{number}", 1, 2)
        assert error == wire.NONE, message
    cluster[3].start()
    cluster.wait_ready([1, 2, 3])
    eventually(lambda: not cluster.metadata(["topic-39"], node=3).topics["topic-39"].error,
               what="broker 3 knows the last topic")
    assert "group 0: copying entries" in cluster[3].log_text()
    cluster[3].kill()
    cluster[3].start()
    cluster.wait_ready([1, 2, 3])
    assert not cluster.metadata(["topic-0"], node=3).topics["topic-0"].error


def test_a_log_start_inside_a_batch_leaves_the_rest_of_it_under_a_new_leader(three, tmp_path):
    three.create_topic("halved", 1)
    with three.connect_leader("halved") as connection:
        made = wire.batch([b"%d" % n for n in range(10)], timestamp=1_700_000_000_000)
        assert connection.produce("halved", 0, made).error == wire.NONE
    gone = three[three.leaders("halved")[0]]
    gone.kill()
    eventually(lambda: three.leaders("halved")[0] not in (-1, gone.node), what="another leads")
    delete_before(three, "halved", 4, tmp_path)
    with three.connect_leader("halved") as connection:
        got = connection.fetch("halved", 0, 4)
        assert got.error == wire.NONE and got.high_watermark == 10
        assert [batch.last_offset for batch in wire.batches(got.data)] == [9]
        assert connection.list_offset("halved", 0, 0) == (wire.NONE, 4)
