"""What writers and readers share: connections, and a view of who leads that never goes back in epochs."""
import random
import threading
import time

import kafka_wire as wire
from calls import fetch

LOST = (wire.ConnectionLost, TimeoutError, OSError)
ANSWER_SECONDS = (0.5, 1.0, 3.0)  # How long clients wait: the impatient learn of new leaders first.
METADATA_SECONDS = 1.0
REFRESH_PAUSE = 0.03


def name_of(topic, number):
    return f"{topic}-{number}"


def split(partition):
    topic, number = partition.rsplit("-", 1)
    return topic, int(number)


class Client:
    """One client on one thread."""

    def __init__(self, addresses, partitions, seed, stopping):
        self.addresses = addresses
        self.partitions = partitions
        self.topics = sorted({split(partition)[0] for partition in partitions})
        self.random = random.Random(seed)
        self.stopping = stopping
        self.answer_seconds = self.random.choice(ANSWER_SECONDS)
        self.connections = {}
        self.view = {}    # Partition -> (node, epoch).
        self.newest = {}  # Partition -> the newest epoch that was shown, ever.

    def connection(self, node):
        if node not in self.connections:
            host, port = self.addresses[node]
            connection = wire.Connection(port, host, METADATA_SECONDS)
            connection.socket.settimeout(self.answer_seconds)
            self.connections[node] = connection
        return self.connections[node]

    def drop(self, node):
        """Forgets the connection: what comes on it could answer something older."""
        connection = self.connections.pop(node, None)
        if connection is not None:
            connection.close()

    def forget(self, partition):
        self.view.pop(partition, None)

    def leader(self, partition):
        """(node, epoch), or None where nobody shows one just now."""
        if partition not in self.view:
            self.stopping.wait(REFRESH_PAUSE)
            self._refresh()
        return self.view.get(partition)

    def _refresh(self):
        node = self.random.choice(list(self.addresses))
        try:
            host, port = self.addresses[node]
            with wire.Connection(port, host, METADATA_SECONDS) as connection:
                shown = connection.metadata(self.topics)
        except LOST:
            return
        for topic in shown.topics.values():
            for part in topic.partitions:
                partition = name_of(topic.name, part.index)
                if part.leader < 0 or part.epoch < self.newest.get(partition, -1):
                    continue
                self.newest[partition] = part.epoch
                self.view[partition] = (part.leader, part.epoch)

    def fetch(self, partition, node, epoch, offset, wait):
        topic, number = split(partition)
        return fetch(self.connection(node), topic, number, epoch, offset, wait)

    def close(self):
        for node in list(self.connections):
            self.drop(node)


class Worker(threading.Thread):
    """A client that does `step` again and again until it is told to stop."""

    def __init__(self, name, client, log, calls_a_second):
        super().__init__(name=name, daemon=True)
        self.client = client
        self.log = log
        self.pause = 1 / calls_a_second
        self.failure = None

    def run(self):
        try:
            due = time.monotonic()
            while not self.client.stopping.wait(max(0.0, due - time.monotonic())):
                due = max(due + self.pause, time.monotonic() - 1)
                self.step()
        except Exception as error:  # Told by whoever joins it.
            self.failure = error
        finally:
            self.client.close()

    def finish(self):
        self.join(60)
        if self.failure is not None:
            raise self.failure
        assert not self.is_alive(), f"{self.name} does not end"
