"""Brokers that lose their disks, come later, or are two of one number."""
import time

import kafka_tools
import ledger
from cluster import eventually
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


def test_a_second_broker_of_one_number_is_refused_with_a_reason(three):
    twin = three.add(9)
    twin.settings["node.id"] = 2
    twin.start()
    twin.process.wait(30)
    assert twin.process.returncode != 0
    assert "another broker with node.id 2 is running" in twin.log_text()
    del three.brokers[9]
    three.wait_ready()
