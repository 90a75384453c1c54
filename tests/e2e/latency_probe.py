"""How long one record takes, again and again: what an application feels while something goes on."""
import threading
import time

import confluent_kafka

RECORD_BYTES = 1024
EVERY_SECONDS = 0.005


class LatencyProbe:
    """Sends a record to one partition every 5 ms with acks=all, one at a time."""

    def __init__(self, cluster, topic, partition):
        self.samples = []  # (when it was sent, how many seconds it took)
        self.errors = []
        self._stop = threading.Event()
        self._arguments = (cluster.bootstrap(), topic, partition)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        bootstrap, topic, partition = self._arguments
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
        value = b"x" * RECORD_BYTES

        def delivered(error, _message):
            if error is not None:
                self.errors.append(str(error))

        while not self._stop.wait(EVERY_SECONDS):
            began = time.monotonic()
            producer.produce(topic, value, partition=partition, on_delivery=delivered)
            producer.flush(120)
            self.samples.append((began, time.monotonic() - began))

    def stop(self):
        self._stop.set()
        self._thread.join(150)

    def milliseconds(self, share, since, until):
        """The quantile of those sent in [since, until)."""
        taken = sorted(took for began, took in self.samples if since <= began < until)
        assert len(taken) >= 20, "too few samples to say anything"
        return taken[min(len(taken) - 1, int(share * len(taken)))] * 1000
