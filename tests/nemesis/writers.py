"""Writers: produce calls, each one request, each with a known place in the history."""
import collections
import threading
import time

import kafka_wire as wire
from calls import NOT_ENOUGH_REPLICAS, batch, error_name
from client import LOST, Worker, split
from history import ACKED, REFUSED, UNKNOWN, Write

TIMEOUT_SHARE = 0.7  # Of the client's patience: the broker's comes first.
BATCH_MAX = 5
PIPELINE_MAX = 5
SIZES = (0, 20, 100, 400, 3000)


class Board:
    """The newest acknowledgement of each partition, for readers who ask for just that."""

    def __init__(self, partitions):
        self.lock = threading.Lock()
        self.offsets = dict.fromkeys(partitions, -1)
        self.sent = dict.fromkeys(partitions, 0.0)  # When the newest acknowledged call began.
        self.told = dict.fromkeys(partitions, 0.0)  # When the newest acknowledgement came.
        self.longest_gap = (0.0, "", 0.0)  # Seconds, of which partition, until when.

    def acknowledged(self, partition, offset, start, end):
        with self.lock:
            self.offsets[partition] = max(self.offsets[partition], offset)
            self.sent[partition] = max(self.sent[partition], start)
            before, self.told[partition] = self.told[partition], end
            if before:
                self.longest_gap = max(self.longest_gap, (end - before, partition, end))

    def silent_since(self, time):
        """Partitions that acknowledged nothing that was sent since then."""
        return [partition for partition, at in self.sent.items() if at <= time]


class Writer(Worker):
    """Sends `pipeline` requests at once to one partition, then takes their answers.

    With one at a time it sends a batch of unknown outcome again now and then, as clients do.
    """

    def __init__(self, name, client, log, calls_a_second, board, acks, pipeline=False):
        super().__init__(name, client, log, calls_a_second)
        self.board = board
        self.acks = acks
        self.pipeline = pipeline
        self.number = 0
        self.again = collections.deque()

    def _new_values(self):
        count = self.client.random.choice([1, 1, 1, self.client.random.randint(2, BATCH_MAX)])
        size = self.client.random.choice(SIZES)
        self.number += count
        return [f"{self.name}:{n}:{size}" for n in range(self.number - count, self.number)]

    def step(self):
        partition, batches = self.client.random.choice(self.client.partitions), []
        if self.again and not self.pipeline and self.client.random.random() < 0.5:
            partition, values = self.again.popleft()
            batches = [values]
        leader = self.client.leader(partition)
        if leader is None:
            if batches:
                self.again.append((partition, batches[0]))
            return
        count = self.client.random.randint(2, PIPELINE_MAX) if self.pipeline else 1
        batches = batches or [self._new_values() for _ in range(count)]
        for outcome in self._call(partition, leader[0], batches):
            self.log.add(outcome)
            if outcome.outcome == UNKNOWN and not self.pipeline:
                self.again.append((partition, outcome.values))

    def _call(self, partition, node, batches):
        """The history of the batches, sent at once."""
        try:
            connection = self.client.connection(node)
        except LOST as error:
            self.client.forget(partition)
            now = time.monotonic()
            return [Write(self.name, partition, node, now, now, values, REFUSED, -1, str(error))
                    for values in batches]
        sent = self._send(connection, partition, batches)
        answers, lost = [], ""
        for start, values, correlation in sent:
            produced = None
            if correlation is not None and not lost:
                try:
                    produced = connection.receive_produce(correlation)
                except LOST as error:
                    lost = str(error) or type(error).__name__
            answers.append(self._outcome(partition, node, start, values, produced, lost))
        if lost or len(sent) < len(batches) or sent[-1][2] is None:
            self.client.drop(node)
            self.client.forget(partition)
        return answers

    def _send(self, connection, partition, batches):
        """[(start, values, correlation)], the last without a correlation where sending failed."""
        topic, number = split(partition)
        timeout = TIMEOUT_SHARE * self.client.answer_seconds
        sent = []
        for values in batches:
            start, correlation = time.monotonic(), None
            try:
                correlation = connection.send_produce(topic, number, batch(values), self.acks,
                                                      timeout)
            except LOST:
                pass
            sent.append((start, values, correlation))
            if correlation is None:
                break
        return sent

    def _outcome(self, partition, node, start, values, produced, lost):
        end = time.monotonic()
        if produced is None:
            return Write(self.name, partition, node, start, end, values, UNKNOWN, -1,
                         lost or "not sent whole")
        if produced.error == wire.NONE:
            last = produced.base_offset + len(values) - 1
            self.board.acknowledged(partition, last, start, end)
            return Write(self.name, partition, node, start, end, values, ACKED,
                         produced.base_offset)
        if produced.error == NOT_ENOUGH_REPLICAS:
            return Write(self.name, partition, node, start, end, values, REFUSED, -1,
                         error_name(produced.error))
        self.client.forget(partition)
        return Write(self.name, partition, node, start, end, values, UNKNOWN, -1,
                     error_name(produced.error))
