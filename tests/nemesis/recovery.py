"""After the faults: the cluster comes back, and every broker shows what it has."""
import time

import kafka_wire as wire
from calls import end_offset, fetch, records_of
from client import name_of, split
from cluster import PATIENCE, eventually
from history import Final

RECOVERY_SECONDS = 60.0
READ_ATTEMPTS = 4
RETURNS = 3


class NoRecovery(Exception):
    """What is missing, in one line."""


def _wait(condition, what):
    """Like eventually, but what is missing is in the error. `condition` returns it, or "" when whole."""
    missing = ["nothing was seen"]

    def nothing_missing():
        missing[0] = condition()
        return not missing[0]

    try:
        eventually(nothing_missing, RECOVERY_SECONDS, what, pause=0.05)
    except AssertionError as error:
        raise NoRecovery(f"{error}; last: {missing[0]}") from error


def _not_whole(cluster, topics):
    for broker in cluster.brokers.values():
        if not broker.is_running():
            return f"broker {broker.node} is not running"
        shown = cluster.metadata(topics, node=broker.node)
        for topic in shown.topics.values():
            for part in topic.partitions:
                if part.error or part.leader < 0 or set(part.isr) != set(part.replicas):
                    return (f"broker {broker.node} shows {name_of(topic.name, part.index)} with "
                            f"leader {part.leader}, ISR {sorted(part.isr)}, error {part.error}")
    return ""


def wait_whole(cluster, topics):
    """The seconds that it took."""
    began = time.monotonic()
    _wait(lambda: _not_whole(cluster, topics), "every ISR is full")
    return time.monotonic() - began


def bring_home(cluster, topics, partitions, nodes, move):
    """Moves every partition to `nodes`, by `move`, so that each of these has everything."""
    turns = [nodes[n:] + nodes[:n] for n in range(len(nodes))]
    wanted = {name: turns[n % len(nodes)] for n, name in enumerate(partitions)}

    def elsewhere():
        shown = cluster.metadata(topics, node=nodes[0])
        away = {name_of(topic.name, part.index) for topic in shown.topics.values()
                for part in topic.partitions if set(part.replicas) != set(nodes)}
        return ", ".join(sorted(away))

    _wait(lambda: "" if move(wanted) else "the moves are not accepted", "everything goes home")
    _wait(elsewhere, "everything is home")
    wait_whole(cluster, topics)


def wait_back(cluster, topics, board):
    """(seconds until every partition took a write, seconds until all is whole). NoRecovery."""
    healed = time.monotonic()
    written = []

    def missing():
        silent = board.silent_since(healed)
        if not silent and not written:
            written.append(time.monotonic() - healed)
        if silent:
            return f"no write was acknowledged on {', '.join(silent)}"
        return _not_whole(cluster, topics)

    _wait(missing, "the cluster is back")
    return written[0], time.monotonic() - healed


class FinalReader:
    """Reads every partition from every broker: only who leads serves it, so each has to lead."""

    def __init__(self, cluster, partitions, log):
        self.cluster = cluster
        self.topics = sorted({split(partition)[0] for partition in partitions})
        self.missing = {node: set(partitions) for node in cluster.brokers}
        self.log = log

    def read_all(self):
        """Returns {node: partitions that it never came to lead}."""
        for node in self.cluster.brokers:
            self._read_led(node)
        for attempt in range(READ_ATTEMPTS):
            for node in self.cluster.brokers:
                if self.missing[node]:
                    self._make_lead(node, attempt)
        return {node: sorted(missing) for node, missing in self.missing.items() if missing}

    def _make_lead(self, node, attempt):
        """Leaves the node alone with the wish to lead, until one comes back that has its vote."""
        others = [other for other in self.cluster.brokers.values() if other.node != node]
        first, second = others if attempt % 2 else reversed(others)
        code = first.terminate()
        if code != 0:
            raise NoRecovery(f"broker {first.node} stopped with code {code}")
        for _ in range(RETURNS):
            second.kill()
            second.start()
            _wait(lambda: self._leaderless(node), f"leaders among brokers {node}, {second.node}")
            self._read_led(node)
            if not self.missing[node]:
                break
        first.start()
        _wait(lambda: _not_whole(self.cluster, self.topics), "the cluster is back")

    def _leaderless(self, node):
        shown = self.cluster.metadata(self.topics, node=node)
        running = {broker.node for broker in self.cluster.running()}
        return ", ".join(name_of(topic.name, part.index) for topic in shown.topics.values()
                         for part in topic.partitions if part.leader not in running)

    def _read_led(self, node):
        shown = self.cluster.metadata(self.topics, node=node)
        with self.cluster[node].connect() as connection:
            for topic in shown.topics.values():
                for part in topic.partitions:
                    partition = name_of(topic.name, part.index)
                    if part.leader == node and partition in self.missing[node]:
                        self._read(connection, node, partition, part.epoch)

    def _read(self, connection, node, partition, epoch):
        """Leaves the partition missing where the node's leadership is over, or not confirmed yet."""
        topic, number = split(partition)
        confirmed = []

        def end():
            error, high = end_offset(connection, topic, number, epoch)
            confirmed[:] = [error, high]
            return error != wire.LEADER_NOT_AVAILABLE

        eventually(end, 10 * PATIENCE, f"broker {node} is confirmed as leader of {partition}")
        error, high = confirmed
        records, at = [], 0
        while error == wire.NONE and at < high:
            got = fetch(connection, topic, number, epoch, at, 0.0, 1 << 20)
            error, more = got.error, [record for record in records_of(got.data) if record[0] >= at]
            if not more:
                break
            records += more
            at = more[-1][0] + 1
        if error == wire.NONE:
            self.log.add(Final(node, partition, high, records))
            self.missing[node].discard(partition)
