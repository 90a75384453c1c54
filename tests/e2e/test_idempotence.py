"""Idempotent producers: what is sent again is stored once, whoever leads by then."""
import confluent_kafka
import kafka
import pytest

import kafka_wire as wire
from cluster import eventually

WAIT = 60
OUT_OF_ORDER_SEQUENCE, INVALID_PRODUCER_EPOCH, TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 45, 47, 53


class Producer:
    """An idempotent producer by hand, on whatever connection leads the partition."""

    def __init__(self, cluster, topic):
        self.cluster, self.topic = cluster, topic
        with cluster[1].connect() as connection:
            error, self.id, self.epoch = connection.init_producer_id()
        assert error == wire.NONE

    def send(self, sequence, values, epoch=None):
        """(error, base offset) of a batch that begins with `sequence`."""
        data = wire.batch(values, producer=(self.id, self.epoch if epoch is None else epoch, sequence))
        answers = []

        def answered():
            try:
                with self.cluster.connect_leader(self.topic) as connection:
                    answers.append(connection.produce(self.topic, 0, data))
            except (OSError, wire.ConnectionLost):
                return False
            return answers[-1].error not in (6, 19, 20)  # Who leads has just changed.

        eventually(answered, WAIT, "the batch is answered")
        return answers[-1].error, answers[-1].base_offset


def values(cluster, topic):
    return [record.value for batch in cluster.read_partition(topic, 0) for record in wire.records(batch)]


def test_what_is_sent_again_is_stored_once(healthy):
    healthy.create_topic("once", 1)
    producer = Producer(healthy, "once")
    assert producer.send(0, [b"a", b"b"]) == (wire.NONE, 0)
    assert producer.send(2, [b"c"]) == (wire.NONE, 2)
    assert producer.send(0, [b"a", b"b"]) == (wire.NONE, 0)
    assert producer.send(2, [b"c"]) == (wire.NONE, 2)
    assert producer.send(4, [b"e"])[0] == OUT_OF_ORDER_SEQUENCE
    assert producer.send(1, [b"b"])[0] == OUT_OF_ORDER_SEQUENCE
    assert producer.send(3, [b"d"]) == (wire.NONE, 3)
    assert producer.send(0, [b"f"], epoch=1) == (wire.NONE, 4)
    assert producer.send(4, [b"g"])[0] == INVALID_PRODUCER_EPOCH
    assert values(healthy, "once") == [b"a", b"b", b"c", b"d", b"f"]


def test_ids_are_never_given_twice(three):
    ids = set()
    for node in three.brokers.values():
        with node.connect() as connection:
            ids |= {connection.init_producer_id()[1] for _ in range(1500)}
    three.kill_all()
    for node in three.brokers.values():
        node.start()
    three.wait_ready()
    with three[2].connect() as connection:
        ids |= {connection.init_producer_id()[1] for _ in range(10)}
    assert len(ids) == 3 * 1500 + 10


def test_the_next_leader_and_the_next_start_know_the_producer(three):
    three.create_topic("known", 1)
    producer = Producer(three, "known")
    assert producer.send(0, [b"a"]) == (wire.NONE, 0)
    assert producer.send(1, [b"b"]) == (wire.NONE, 1)
    leader = three.leaders("known")[0]
    three[leader].kill()
    assert producer.send(1, [b"b"]) == (wire.NONE, 1)
    assert producer.send(3, [b"d"])[0] == OUT_OF_ORDER_SEQUENCE
    assert producer.send(2, [b"c"]) == (wire.NONE, 2)
    three[leader].start()
    three.kill_all()
    for node in three.brokers.values():
        node.start()
    three.wait_ready()
    assert producer.send(2, [b"c"]) == (wire.NONE, 2)
    assert producer.send(3, [b"d"]) == (wire.NONE, 3)
    assert values(three, "known") == [b"a", b"b", b"c", b"d"]


def test_librdkafka_stores_each_record_once_while_leaders_are_killed(three):
    three.create_topic("exactly", 1)
    failed = []
    producer = confluent_kafka.Producer({"bootstrap.servers": three.bootstrap(), "acks": "all",
                                         "enable.idempotence": True, "linger.ms": 1})
    wanted = []
    for kill in range(3):
        for _ in range(2000):
            wanted.append(b"%d" % len(wanted))
            producer.produce("exactly", wanted[-1], on_delivery=lambda e, _: e and failed.append(e))
            producer.poll(0)
        leader = three.leaders("exactly")[0]
        three[leader].kill()
        assert producer.flush(WAIT) == 0
        three[leader].start()
        three.wait_ready()
    assert not failed, failed[0]
    assert values(three, "exactly") == wanted


def test_kafka_python_is_idempotent_by_default(healthy):
    healthy.create_topic("by-default", 1)
    producer = kafka.KafkaProducer(bootstrap_servers=healthy.bootstrap())
    sent = [producer.send("by-default", value=b"%d" % n) for n in range(500)]
    assert [future.get(WAIT).offset for future in sent] == list(range(500))
    producer.close()
    assert healthy.read_partition("by-default", 0)[0].raw[43:51] != b"\xff" * 8  # It has a producer.


def test_a_transactional_id_is_refused_with_a_reason(healthy):
    with healthy[1].connect() as connection:
        assert connection.init_producer_id("tx") == (TRANSACTIONAL_ID_AUTHORIZATION_FAILED, -1, -1)
    producer = confluent_kafka.Producer({"bootstrap.servers": healthy.bootstrap(),
                                         "transactional.id": "tx"})
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        producer.init_transactions(WAIT)
    assert refused.value.args[0].fatal(), refused.value
