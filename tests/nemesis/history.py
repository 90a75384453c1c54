"""What clients did and saw, call by call, and the file that keeps it.

Times are seconds of CLOCK_MONOTONIC: `start` is taken before the request leaves, `end` after its
answer is there (or was given up). A partition is named by its topic and number, "synced-3". A record
is (offset, leader epoch, value).
"""
import json
import threading
import typing

ACKED = "acked"      # Answered without an error: the records are at `offset` and on.
UNKNOWN = "unknown"  # An error, a lost connection, no answer in time: stored or not.
REFUSED = "refused"  # Never sent, or refused before the append: must not be in the log.


class Header(typing.NamedTuple):
    """The run that the history is of."""

    seed: int
    seconds: float
    partitions: list


class Write(typing.NamedTuple):
    """One produce call with acks=all: one batch of values."""

    client: str
    partition: str
    broker: int
    start: float
    end: float
    values: list
    outcome: str
    offset: int = -1
    error: str = ""


class Read(typing.NamedTuple):
    """One fetch from who leads in `epoch`; error 0 says that it did so."""

    client: str
    partition: str
    broker: int
    epoch: int
    start: float
    end: float
    offset: int
    error: int
    high: int = -1
    records: list = []


class End(typing.NamedTuple):
    """One ListOffsets for the end of the log, from who leads in `epoch`."""

    client: str
    partition: str
    broker: int
    epoch: int
    start: float
    end: float
    error: int
    offset: int = -1


class Final(typing.NamedTuple):
    """A whole partition, as a broker that led it served it after everything was healed."""

    broker: int
    partition: str
    high: int
    records: list


class Fault(typing.NamedTuple):
    """What was done to the cluster, and when."""

    time: float
    text: str


KINDS = {kind.__name__.lower(): kind for kind in (Header, Write, Read, End, Final, Fault)}


class Log:
    """Writes events to the file as they come. Any thread."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.file = open(path, "w", encoding="utf-8")

    def add(self, event):
        line = json.dumps([type(event).__name__.lower(), *event], separators=(",", ":"))
        with self.lock:
            self.file.write(line + "\n")

    def close(self):
        self.file.close()


def load(path):
    """The events of a file, in its order."""
    events = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            kind, *fields = json.loads(line)
            events.append(KINDS[kind](*fields))
    return events
