"""Consumers of a group as processes, and what they have read between them."""
import collections
import json
import pathlib
import signal
import subprocess
import sys
import threading

SCRIPT = pathlib.Path(__file__).with_name("group_member.py")


class Member:
    """One process of group_member.py; its lines are taken as they come."""

    def __init__(self, client, cluster, group, topic, settings=None):
        more = [f"{key}={value}" for key, value in (settings or {}).items()]
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), client, cluster.bootstrap(), group, topic, *more],
            stdout=subprocess.PIPE, text=True)
        self.assignments = []
        self.records = []
        self._reader = threading.Thread(target=self._take, daemon=True)
        self._reader.start()

    def _take(self):
        for line in self.process.stdout:
            what, *values = json.loads(line)
            if what == "assigned":
                self.assignments.append(values)
            else:
                self.records.append(tuple(values))

    @property
    def partitions(self):
        return self.assignments[-1] if self.assignments else []

    def end(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(30)
        self._reader.join(30)


class Members:
    """The members of one group, those that have ended included."""

    def __init__(self, client, cluster, group, topic):
        self.client, self.cluster, self.group, self.topic = client, cluster, group, topic
        self.all = []

    def add(self, settings=None):
        self.all.append(Member(self.client, self.cluster, self.group, self.topic, settings))
        return self.all[-1]

    def running(self):
        return [member for member in self.all if member.process.poll() is None]

    def share(self, partitions):
        """Whether those that run have all partitions between them, each once."""
        owned = collections.Counter(p for member in self.running() for p in member.partitions)
        return owned == collections.Counter(range(partitions))

    def values(self):
        return {value for member in self.all for _, _, value in list(member.records)}

    def close(self):
        for member in self.running():
            member.end()
