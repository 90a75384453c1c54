"""What the cluster tells about itself, also while a broker is down."""
import kafka_wire as wire
from cluster import eventually

NOT_ENOUGH_REPLICAS = 19


def test_every_broker_tells_the_same(healthy):
    healthy.create_topic("told", 6)

    def shown(node):
        found = healthy.metadata(["told"], node=node)
        return found.cluster, found.controller, found.brokers, found.topics["told"]

    eventually(lambda: shown(1) == shown(2) == shown(3), what="one picture on all brokers")
    cluster, controller, brokers, topic = shown(1)
    assert cluster
    assert controller in brokers
    assert {node: port for node, (_, port) in brokers.items()} == {
        broker.node: broker.port for broker in healthy.brokers.values()}
    assert [p.index for p in topic.partitions] == list(range(6))
    assert all(p.offline == [] for p in topic.partitions)


def test_an_empty_list_asks_for_no_topic_and_null_for_all(healthy):
    healthy.create_topic("one-of-all", 1)
    assert healthy.metadata([]).topics == {}
    assert "one-of-all" in healthy.metadata(None).topics
    unknown = healthy.metadata(["unknown"]).topics["unknown"]
    assert unknown.error == wire.UNKNOWN_TOPIC_OR_PARTITION


def test_a_broker_that_is_down_leaves_the_list_and_the_isr_but_stays_a_replica(three):
    three.create_topic("truth", 6, configs={"min.insync.replicas": "3"})
    three.create_topic("going-on", 6)
    victim = three.leads_most("truth")
    victim.kill()

    def shows_the_truth(node):
        shown = three.metadata(["truth"], node=node)
        return victim.node not in shown.brokers and all(
            p.leader not in (victim.node, -1) and victim.node not in p.isr
            and sorted(p.replicas) == [1, 2, 3] and p.offline == [victim.node]
            for p in shown.topics["truth"].partitions)

    for broker in three.running():
        eventually(lambda node=broker.node: shows_the_truth(node),
                   what=f"broker {broker.node} shows that {victim.node} is down")
    with three.connect_leader("truth") as connection:
        assert connection.produce("truth", 0, wire.batch([b"a"])).error == NOT_ENOUGH_REPLICAS
    with three.connect_leader("going-on") as connection:
        assert connection.produce("going-on", 0, wire.batch([b"a"])).error == wire.NONE
    victim.start()
    three.wait_ready()
    three.wait_whole("truth", 6)
    three.wait_whole("going-on", 6)
    with three.connect_leader("truth") as connection:
        assert connection.produce("truth", 0, wire.batch([b"a"])).error == wire.NONE


def test_the_controller_can_go_and_topics_are_still_made(three):
    gone = three[three.metadata().controller]
    gone.kill()
    eventually(lambda: three.metadata().controller not in (gone.node, -1), what="another controller")
    with three.running()[0].connect() as connection:
        assert connection.create_topic("after", 2, 2)[0] == wire.NONE
    three.wait_whole("after", 2)
    gone.start()
    three.wait_ready()
    eventually(lambda: not three.metadata(["after"], node=gone.node).topics["after"].error,
               what="the broker that was away knows the topic")


def test_two_of_three_down_is_no_leader_and_comes_back(three):
    three.create_topic("majority", 3)
    for node in (1, 2):
        three[node].kill()
    eventually(lambda: set(three.leaders("majority").values()) == {-1}, what="no leader is shown")
    three[1].start()
    eventually(lambda: -1 not in three.leaders("majority").values(), what="leaders again")
    with three.connect_leader("majority") as connection:
        assert connection.produce("majority", 0, wire.batch([b"a"])).error == wire.NONE


def test_a_broker_without_any_configuration_of_others_is_a_cluster_of_one(make_cluster):
    alone = make_cluster(1)
    del alone[1].settings["controller.quorum.voters"]
    alone.start()
    alone.create_topic("mine", 3)
    with alone[1].connect() as connection:
        assert connection.produce("mine", 2, wire.batch([b"a"])).base_offset == 0
