"""Writers with acks=all and one request in flight, each a process of its own on one client library.

As a program: writer.py CLIENT BOOTSTRAP TOPIC PARTITIONS RATE OUTPUT writes numbered records to every
partition in turn, RATE a second in all, until SIGTERM; then it waits for what is under way and ends.
OUTPUT gets a line per acknowledgement, `a TIME PARTITION OFFSET NUMBER` (CLOCK_MONOTONIC, which all
processes share), and one per record given up, `e PARTITION NUMBER REASON`.
"""
import collections
import os
import pathlib
import queue
import signal
import subprocess
import sys
import time

import confluent_kafka
import kafka

from cluster import eventually

OUTSTANDING_MAX = 50  # Per partition: while one has no leader the others go on.
GIVE_UP_MS = 120_000
Ack = collections.namedtuple("Ack", "time partition offset value")


def value_of(client, partition, number):
    return f"{client}:{partition}:{number}".encode()


# --- the program ----------------------------------------------------------------------------------


class LibrdkafkaClient:
    """librdkafka, stock but for one request in flight."""

    def __init__(self, bootstrap, topic, done):
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": False,
            "max.in.flight.requests.per.connection": 1,
            "message.timeout.ms": GIVE_UP_MS,
        })
        self.topic = topic
        self.done = done

    def send(self, partition, number, value):
        def delivered(error, message):
            self.done.put((partition, number, message.offset(), error, time.monotonic()))

        self.producer.produce(self.topic, value, partition=partition, on_delivery=delivered)

    def wait(self, seconds):
        self.producer.poll(seconds)

    def finish(self):
        self.producer.flush(GIVE_UP_MS / 1000)


class KafkaPythonClient:
    """kafka-python, stock but for one request in flight, and for what that does to it.

    It asks for metadata only over a connection with nothing in flight. When every one is busy it waits,
    twice as long each time, up to reconnect.backoff.max.ms: under load half a minute (by default)
    without learning who leads what a dead broker led.
    """

    def __init__(self, bootstrap, topic, done):
        self.producer = kafka.KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=False,
            max_in_flight_requests_per_connection=1, reconnect_backoff_max_ms=100,
            retries=2**31 - 1,
            delivery_timeout_ms=GIVE_UP_MS)
        self.topic = topic
        self.done = done

    def send(self, partition, number, value):
        def acknowledged(metadata):
            self.done.put((partition, number, metadata.offset, None, time.monotonic()))

        def failed(error):
            self.done.put((partition, number, -1, error, time.monotonic()))

        future = self.producer.send(self.topic, value, partition=partition)
        future.add_callback(acknowledged).add_errback(failed)

    def wait(self, seconds):
        time.sleep(seconds)

    def finish(self):
        self.producer.flush(GIVE_UP_MS / 1000)


CLIENTS = {"librdkafka": LibrdkafkaClient, "kafka-python": KafkaPythonClient}


def write_done(done, outstanding, out):
    while not done.empty():
        partition, number, offset, error, at = done.get()
        outstanding[partition] -= 1
        if error is None:
            out.write(f"a {at:.6f} {partition} {offset} {number}\n")
        else:
            out.write(f"e {partition} {number} {error}\n")
    out.flush()


def main(client, bootstrap, topic, partitions, rate, output):
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    done = queue.SimpleQueue()
    producer = CLIENTS[client](bootstrap, topic, done)
    outstanding = [0] * int(partitions)
    number = 0
    began = time.monotonic()
    with open(output, "w", encoding="ascii") as out:
        while not stopping:
            due = int((time.monotonic() - began) * int(rate))
            while number < due and not stopping:
                partition = number % len(outstanding)
                if outstanding[partition] < OUTSTANDING_MAX:
                    producer.send(partition, number, value_of(client, partition, number))
                    outstanding[partition] += 1
                number += 1
            producer.wait(0.005)
            write_done(done, outstanding, out)
        producer.finish()
        write_done(done, outstanding, out)


# --- the tests' side ------------------------------------------------------------------------------


class Writer:
    """A running writer process and what it was told."""

    def __init__(self, client, cluster, topic, partitions, rate, folder):
        self.client = client
        self.output = pathlib.Path(folder) / f"{client}.acks"
        self.errors_file = pathlib.Path(folder) / f"{client}.errors"
        self.acks = []
        self.errors = []
        self.at = 0
        self.output.touch()
        arguments = [client, cluster.bootstrap(), topic, partitions, rate, self.output]
        with open(self.errors_file, "wb") as errors:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", sys.executable, __file__, *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)

    def poll(self):
        """Reads what is new in the output; returns all acknowledgements so far."""
        assert self.process.poll() in (None, 0), self.errors_file.read_text()
        with open(self.output, "rb") as output:
            output.seek(self.at)
            data = output.read()
        data = data[: data.rfind(b"\n") + 1]
        self.at += len(data)
        for line in data.decode("ascii").splitlines():
            kind, *words = line.split(" ", 4)
            if kind == "a":
                partition, offset, number = map(int, words[1:])
                value = value_of(self.client, partition, number)
                self.acks.append(Ack(float(words[0]), partition, offset, value))
            else:
                self.errors.append(line)
        return self.acks

    def stop(self):
        """Lets it finish what is under way."""
        self.process.terminate()
        self.process.wait(GIVE_UP_MS / 1000 + 30)
        self.poll()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Writers:
    """Several writers on one topic, seen as one."""

    def __init__(self, clients, cluster, topic, partitions, rate, folder):
        self.partitions = partitions
        self.writers = [Writer(c, cluster, topic, partitions, rate, folder) for c in clients]

    def acks(self):
        return [ack for writer in self.writers for ack in writer.poll()]

    def counts(self, since=0.0, client=None):
        """Acknowledgements per partition since a time."""
        counts = [0] * self.partitions
        for writer in self.writers:
            if client in (None, writer.client):
                for ack in writer.poll():
                    if ack.time >= since:
                        counts[ack.partition] += 1
        return counts

    def wait_acks(self, since, at_least, seconds=60.0):
        """Waits until every writer was acknowledged on every partition, at_least in all, since."""

        def enough():
            each = all(min(self.counts(since, writer.client)) > 0 for writer in self.writers)
            return each and min(self.counts(since)) >= at_least

        eventually(enough, seconds, f"{at_least} acknowledgements on every partition", pause=0.1)
        return self.counts(since)

    def stop(self):
        for writer in self.writers:
            writer.process.terminate()
        for writer in self.writers:
            writer.stop()

    def close(self):
        for writer in self.writers:
            writer.close()

    def longest_gap(self, client, since, until):
        """The longest time, over the partitions, without an acknowledgement to the client."""
        worst = 0.0
        (writer,) = [writer for writer in self.writers if writer.client == client]
        for partition in range(self.partitions):
            times = sorted(ack.time for ack in writer.poll() if ack.partition == partition)
            for before, after in zip(times, times[1:]):
                if after > since and before < until:
                    worst = max(worst, after - before)
        return worst


if __name__ == "__main__":
    main(*sys.argv[1:])
    # Some clients' threads outlive their producer; everything is written by now.
    os._exit(0)
