"""Readers: those that follow the logs, and those that ask for what was acknowledged just now."""
import time

import kafka_wire as wire
from calls import end_offset, records_of
from client import LOST, Worker, split
from history import End, Read

WAIT_SECONDS = 0.1
BACK_MAX = 30
NO_ANSWER = -1000  # Stands for an error where there was no answer.


class Reader(Worker):
    """Fetches; `step` says from where."""

    def __init__(self, name, client, log, calls_a_second, board):
        super().__init__(name, client, log, calls_a_second)
        self.board = board

    def call(self, partition, do, make):
        """Does one call at the partition's leader and records it; its event, or None without one."""
        leader = self.client.leader(partition)
        if leader is None:
            return None
        node, epoch = leader
        start = time.monotonic()
        try:
            answer = do(node, epoch)
        except LOST:
            self.client.drop(node)
            answer = None
        event = make(node, epoch, start, time.monotonic(), answer)
        if event.error not in (wire.NONE, wire.OFFSET_OUT_OF_RANGE):
            self.client.forget(partition)
        self.log.add(event)
        return event

    def fetch(self, partition, offset, wait):
        def make(node, epoch, start, end, answer):
            if answer is None:
                return Read(self.name, partition, node, epoch, start, end, offset, NO_ANSWER)
            return Read(self.name, partition, node, epoch, start, end, offset, answer.error,
                        answer.high_watermark, records_of(answer.data))

        return self.call(partition, lambda node, epoch: self.client.fetch(
            partition, node, epoch, offset, wait), make)

    def ask_end(self, partition):
        topic, number = split(partition)

        def make(node, epoch, start, end, answer):
            error, offset = answer or (NO_ANSWER, -1)
            return End(self.name, partition, node, epoch, start, end, error, offset)

        return self.call(partition, lambda node, epoch: end_offset(
            self.client.connection(node), topic, number, epoch), make)


class Follower(Reader):
    """Reads every partition in turn, from where it left off."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.positions = dict.fromkeys(self.client.partitions, 0)
        self.turn = self.client.random.randrange(len(self.client.partitions))

    def step(self):
        partition = self.client.partitions[self.turn % len(self.client.partitions)]
        self.turn += 1
        read = self.fetch(partition, self.positions[partition], WAIT_SECONDS)
        if read is not None and read.records:
            self.positions[partition] = read.records[-1][0] + 1


class Prober(Reader):
    """Asks for the newest acknowledged record, or a little before it, and for the end of the log."""

    def step(self):
        partition = self.client.random.choice(self.client.partitions)
        offset = self.board.offsets[partition]
        if offset < 0:
            return
        if self.client.random.random() < 0.4:
            self.ask_end(partition)
        else:
            self.fetch(partition, max(0, offset - self.client.random.randint(0, BACK_MAX)), 0.0)
