"""When the answer to a produce leaves, as the kernel saw it: what is on disk, and where, by then."""
import contextlib
import dataclasses
import pathlib
import time
import uuid

import pytest

import kafka_wire as wire
import syscalls
from cluster import HOST

MAJORITY = 2  # Of three.
# How long a sync takes at least. On a quick disk it would be done in time even if nobody waited.
SYNC = 0.03
# A topic whose records count as stored when they are written; no flush falls into the test.
UNFLUSHED = {"flush.messages": str(2**63 - 1), "flush.ms": str(2**63 - 1)}


@dataclasses.dataclass
class Replica:
    """What one broker did with the record."""

    node: int
    written: list  # Writes of the record to the partition's segment.
    synced: list  # Syncs of that same file that began after the record was in it.
    others: list  # (what, call): it received the record, sent it on, or answered.

    def durable_at(self):
        """When the record was on stable storage here; None if never."""
        return min((sync.ended for sync in self.synced if sync.is_done()), default=None)

    def written_at(self):
        return min((write.ended for write in self.written if write.is_done()), default=None)

    def timeline(self, start):
        steps = [("writes the record to " + short(call), call) for call in self.written]
        steps += [(f"{call.name} of " + short(call), call) for call in self.synced]
        steps += self.others
        yield f"broker {self.node}"
        for what, call in sorted(steps, key=lambda step: step[1].began):
            end = "not yet" if call.ended is None else f"{(call.ended - start) * 1e3:.3f}"
            yield f"  {(call.began - start) * 1e3:8.3f} .. {end:>8} ms  {what}"


def short(call):
    path = pathlib.Path(call.target())
    return f"{path.parent.name}/{path.name}"


@dataclasses.dataclass
class Story:
    """One produce with acks=all: what each broker did, and when the leader sent the answer."""

    replicas: list
    answered_at: float
    start: float

    def __str__(self):
        lines = [line for replica in self.replicas for line in replica.timeline(self.start)]
        sent = f"{(self.answered_at - self.start) * 1e3:.3f} ms after the client sent the record"
        return "\n".join([*lines, f"the answer left {sent}"])

    def in_time(self, moments):
        """How many of the moments lie before the answer."""
        return sum(at is not None and at <= self.answered_at for at in moments)

    def durable(self):
        return self.in_time(replica.durable_at() for replica in self.replicas)

    def written(self):
        return self.in_time(replica.written_at() for replica in self.replicas)


def is_segment(call, broker, topic):
    path = pathlib.Path(call.target())
    return (path.suffix == ".log" and path.parent.parent == broker.data
            and path.parent.name.startswith(f"{topic}-0."))


def replica_of(broker, calls, topic, marker, client):
    """Picks out of a broker's calls those that concern the record."""
    having = [call for call in calls if marker in call.arguments]
    written = [call for call in having
               if call.name in syscalls.WRITES and is_segment(call, broker, topic)]
    synced = [call for call in calls if call.name in syscalls.SYNCS and any(
        write.is_done() and write.ended <= call.began and write.target() == call.target()
        for write in written)]
    others = [("receives the record", call) for call in having if call.name in syscalls.RECEIVES]
    others += [("sends the record on", call) for call in having
               if call.name in syscalls.SENDS and call.target().startswith("TCP")]
    others += [("ANSWERS the client", call) for call in answers(calls, client)]
    return Replica(broker.node, written, synced, others)


def answers(calls, client):
    """Sends to the client's port. It asked for one thing only, after the tracing began."""
    return [call for call in calls
            if call.name in syscalls.SENDS and call.target().endswith(f"->{HOST}:{client}]")]


@contextlib.contextmanager
def traced(cluster, folder):
    """Traces every broker; yields {node: trace}, to be read after the end."""
    traces = {}
    try:
        for broker in cluster.brokers.values():
            file = folder / f"broker-{broker.node}.trace"
            traces[broker.node] = syscalls.Trace(broker.process.pid, file, sync_delay=SYNC)
        yield traces
    except syscalls.NotPermitted as error:
        pytest.skip(f"tracing is not permitted on this machine (ptrace): {error}")
    finally:
        for trace in traces.values():
            trace.stop()


def produce_traced(cluster, topic, folder):
    """Writes one record with acks=all under strace; returns and prints its story."""
    marker = f"the-record-{uuid.uuid4().hex}".ljust(64, "-")
    with cluster.connect_leader(topic) as connection:
        client = connection.socket.getsockname()[1]
        with traced(cluster, folder) as traces:
            start = time.time()
            produced = connection.produce(topic, 0, wire.batch([marker.encode()]))
    assert produced.error == wire.NONE
    calls = {node: trace.calls() for node, trace in traces.items()}
    replicas = [replica_of(cluster[node], calls[node], topic, marker, client) for node in calls]
    answered = [call.began for node in calls for call in answers(calls[node], client)]
    assert answered, "the answer was seen"
    story = Story(replicas, min(answered), start)
    print(story)
    return story


@pytest.fixture(scope="module")
def broker_settings():
    """Tracing slows the brokers: nobody shall take that for a leader's silence."""
    return {"garam.suspect.ms": 2000, "garam.election.ms": 2000}


def test_an_answer_leaves_after_the_flush_on_a_majority(healthy, tmp_path):
    healthy.create_topic("flushed", 1)
    story = produce_traced(healthy, "flushed", tmp_path)
    assert story.durable() >= MAJORITY, f"synced before the answer: {story.durable()} of 3"


def test_an_answer_waits_for_no_flush_where_the_topic_asks_for_none(healthy, tmp_path):
    healthy.create_topic("unflushed", 1, configs=UNFLUSHED)
    story = produce_traced(healthy, "unflushed", tmp_path)
    assert story.written() >= MAJORITY, f"written before the answer: {story.written()} of 3"
    # This is also how the test above would look if a broker did not wait.
    assert story.durable() == 0, "nobody had flushed it"
    assert not any(replica.synced for replica in story.replicas), "nobody had begun to"
