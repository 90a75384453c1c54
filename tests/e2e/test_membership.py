"""Brokers that lose their disks, come later, leave, or are two of one number."""
import json
import time

import kafka

import kafka_tools
import ledger
from cluster import HOST, eventually, free_ports
from writer import Writers

PARTITIONS = 6
CLIENTS = ["librdkafka", "kafka-python"]
RATE = 600


def test_a_broker_that_lost_its_disk_learns_everything_again(three, tmp_path):
    three.create_topic("wiped", PARTITIONS)
    writers = Writers(CLIENTS, three, "wiped", PARTITIONS, RATE, tmp_path)
    try:
        writers.wait_acks(0, 50)
        for node in (2, 1):  # The second one shows that the first has everything.
            three[node].kill()
            three[node].wipe()
            three[node].start()
            three.wait_ready()
            three.wait_whole("wiped", PARTITIONS)
            writers.wait_acks(time.monotonic(), 50)
        writers.stop()
        # What 1 and 2 have, they have learned: the one that never lost anything goes.
        three[3].kill()
        eventually(lambda: all(n in (1, 2) for n in three.leaders("wiped", node=1).values()),
                   what="the two that learned lead")
        extra = ledger.check(three, "wiped", PARTITIONS, writers.acks())
        print(f"{len(writers.acks())} acknowledged and found, {extra} more in the log")
    finally:
        writers.close()


def test_a_broker_joins_and_takes_partitions(three, tmp_path):
    three.create_topic("wide", 3)
    three.add(4).start()
    three.wait_ready([1, 2, 3, 4])
    plan = tmp_path / "plan.json"
    target = [[4, 1, 2], [2, 4, 3], [3, 2, 4]]
    plan.write_text(kafka_tools.assignment("wide", target))
    kafka_tools.run("kafka-reassign-partitions", three, "--reassignment-json-file", plan,
                    "--execute")
    eventually(lambda: three.replicas("wide") == target, what="the move")
    eventually(lambda: three.leaders("wide", node=1)[0] == 4, what="broker 4 leads")
    # It has learned group 0's log, and is found again after a restart of its own.
    three[4].kill()
    three[4].start()
    three.wait_ready([1, 2, 3, 4])
    three.wait_whole("wide", 3)


def test_a_drained_broker_is_unregistered_and_nothing_is_lost(make_cluster, tmp_path):
    four = make_cluster(3)
    four[2].settings["garam.http.listener"] = f"{HOST}:{free_ports(1)[0]}"
    four.start()
    four.add(4).start()
    four.wait_ready([1, 2, 3, 4])
    four.create_topic("leaving", 2 * PARTITIONS, 3)
    assert any(4 in replicas for replicas in four.replicas("leaving"))
    writers = Writers(CLIENTS, four, "leaving", 2 * PARTITIONS, RATE, tmp_path)
    try:
        writers.wait_acks(0, 20)
        refused = kafka_tools.run("kafka-cluster", four, "unregister", "--id", 4, works=False)
        assert "broker 4 is running and has replicas" in refused
        status, text = four.admin(2, "/admin/brokers/4/drain", post=True)
        assert status == 202, text
        eventually(lambda: json.loads(four.admin(2, "/admin/brokers/4")[1])["partitions"] == 0,
                   seconds=60, what="broker 4 is empty")
        four.wait_whole("leaving", 2 * PARTITIONS)
        assert all(len(r) == 3 and 4 not in r for r in four.replicas("leaving"))
        shown = kafka_tools.run("kafka-cluster", four, "unregister", "--id", 4)
        assert "Broker 4 is no longer registered." in shown
        eventually(lambda: all(set(four.metadata(node=n).brokers) == {1, 2, 3} for n in (1, 2, 3)),
                   what="nobody shows broker 4")
        eventually(lambda: "this broker has been unregistered" in four[4].log_text(),
                   what="broker 4 knows")
        assert four[4].terminate() == 0
        writers.wait_acks(time.monotonic(), 20)
        writers.stop()
        extra = ledger.check(four, "leaving", 2 * PARTITIONS, writers.acks())
        print(f"{len(writers.acks())} acknowledged and found, {extra} more in the log")
    finally:
        writers.close()
    refused = kafka_tools.run("kafka-cluster", four, "unregister", "--id", 4, works=False)
    assert "Broker ID 4 is not currently registered" in refused
    four[4].start()  # Started anew it belongs to the cluster again.
    four.wait_ready([1, 2, 3, 4])


def test_a_fourth_broker_takes_a_dead_founders_vote(make_cluster):
    four = make_cluster(3, {"garam.voter.dead.max.ms": "2000"}).start()
    four.add(4).start()
    four.wait_ready([1, 2, 3, 4])
    four.create_topic("before", 1, 4)
    four[3].kill()
    eventually(lambda: any("voters of the cluster's metadata: 1 2 4" in four[n].log_text()
                           for n in (1, 2)), what="broker 4 votes")
    four[2].kill()  # Of the founders one is left: alone it could not decide anything.
    four.wait_ready([1, 4])
    four.create_topic("after", 1, 2)
    four[2].start()
    four[3].start()
    four.wait_ready([1, 2, 3, 4])
    four.wait_whole("before", 1)


def test_a_second_broker_of_one_number_is_refused_with_a_reason(three):
    twin = three.add(9)
    twin.settings["node.id"] = 2
    twin.start()
    twin.process.wait(30)
    assert twin.process.returncode != 0
    assert "another broker with node.id 2 is running" in twin.log_text()
    del three.brokers[9]
    three.wait_ready()


def test_offsets_get_replicas_when_brokers_come(make_cluster):
    """Design decision D4: what was made by one broker alone outlives it once there are three."""
    cluster = make_cluster(1).start()
    cluster.create_topic("read", 1, 1)
    consumer = kafka.KafkaConsumer(bootstrap_servers=cluster.bootstrap(), group_id="early")
    where = kafka.TopicPartition("read", 0)
    consumer.assign([where])
    consumer.commit({where: kafka.structs.OffsetAndMetadata(7, "", -1)})
    consumer.close()
    assert {tuple(replicas) for replicas in cluster.replicas("__consumer_offsets")} == {(1,)}
    cluster.add(2).start()
    cluster.add(3).start()
    cluster.wait_ready([1, 2, 3])
    eventually(lambda: all(len(replicas) == 3 for replicas in cluster.replicas("__consumer_offsets")),
               seconds=60, what="three replicas of each")
    leaders = [replicas[0] for replicas in cluster.replicas("__consumer_offsets")]
    assert {leaders.count(node) for node in (1, 2, 3)} <= {16, 17}
    cluster.wait_whole("__consumer_offsets", len(leaders))
    cluster[1].kill()
    consumer = kafka.KafkaConsumer(bootstrap_servers=cluster.bootstrap(), group_id="early")

    def committed():
        try:
            return consumer.committed(where)
        except kafka.errors.KafkaConnectionError:
            return None  # It asked the broker that is gone.

    assert eventually(committed, what="the offset is known") == 7
    consumer.close()
