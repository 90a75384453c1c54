#!/usr/bin/env python3
"""The failover probe of a stock client: confluent-kafka, which is librdkafka.

Arguments: bootstrap list, topic, microseconds between two probes of a partition. Speaks the lines
of `garam-bench probe`: prints {"event":"ready"}, answers `mark NAME` with a window, ends with its
input. One message a partition is under way at a time; what librdkafka retries, it retries itself.
"""

import json
import os
import select
import sys
import time

import confluent_kafka

SETTINGS = {"acks": "all", "linger.ms": 0}


class Watched:
    """One partition."""

    def __init__(self, partition, now):
        self.partition = partition
        self.waiting = False
        self.next = now
        self.sent = now
        self.last_ack = now
        self.acked = False
        self.clear()

    def clear(self):
        self.acks = self.errors = 0
        self.longest = self.longest_from = 0.0

    def note(self, now):
        if now - self.last_ack > self.longest:
            self.longest, self.longest_from = now - self.last_ack, self.last_ack


class Prober:
    def __init__(self, bootstrap, topic, interval_s):
        self.topic = topic
        self.interval = interval_s
        self.producer = confluent_kafka.Producer(
            SETTINGS | {"bootstrap.servers": bootstrap, "log_level": 0},
            error_cb=lambda error: None)
        count = len(self.producer.list_topics(topic, timeout=10).topics[topic].partitions)
        now = time.monotonic()
        self.start = now
        self.watched = [Watched(n, now + interval_s * n / count) for n in range(count)]
        self.ready = False
        self.text = ""

    def delivered(self, watched, error):
        now = time.monotonic()
        watched.waiting = False
        if error is not None:
            watched.errors += 1
            watched.next = now + 0.01
            return
        watched.note(now)
        watched.last_ack = now
        watched.acks += 1
        watched.acked = True
        watched.next = max(now, watched.sent + self.interval)

    def send_due(self, now):
        for watched in self.watched:
            if watched.waiting or now < watched.next:
                continue
            watched.waiting = True
            watched.sent = now
            self.producer.produce(self.topic, b"x" * 100, partition=watched.partition,
                                  on_delivery=lambda e, _, w=watched: self.delivered(w, e))

    def window(self, name):
        now = time.monotonic()
        partitions = []
        for watched in self.watched:
            watched.note(now)
            partitions.append({"partition": watched.partition, "acks": watched.acks,
                               "longest_gap_ms": 1000 * watched.longest,
                               "gap_from_ms": 1000 * (watched.longest_from - self.start),
                               "errors": watched.errors})
            watched.clear()
        print(json.dumps({"event": name, "window_ms": 1000 * (now - self.start),
                          "partitions": partitions}), flush=True)
        self.start = now

    def commands(self):
        """False at the end of the input."""
        while select.select([0], [], [], 0)[0]:
            chunk = os.read(0, 4096)
            if not chunk:
                return False
            self.text += chunk.decode()
            *lines, self.text = self.text.split("\n")
            for line in lines:
                if line.startswith("mark "):
                    self.window(line[5:])
        return True

    def run(self):
        while self.commands():
            self.send_due(time.monotonic())
            self.producer.poll(0.0005)
            if not self.ready and all(watched.acked for watched in self.watched):
                self.ready = True
                print(json.dumps({"event": "ready"}), flush=True)
        self.window("end")


if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:
        print(f"librdkafka {confluent_kafka.libversion()[0]}"
              f" (confluent-kafka {confluent_kafka.__version__})")
    else:
        Prober(sys.argv[1], sys.argv[2], int(sys.argv[3]) / 1e6).run()
