"""Carries out planned faults on a cluster, and takes them back."""
import collections
import heapq
import itertools
import signal
import subprocess
import time

from calls import error_name, reassign
from client import LOST, split
from history import Fault
from recovery import wait_whole

STOP_SECONDS = 30.0
MOVE_SECONDS = 1.0
LOOK_SECONDS = 0.1  # How often it looks whether a broker ended by itself.


class Nemesis:
    """Runs a schedule. Everything happens on the thread that calls: brokers end with it."""

    def __init__(self, cluster, topics, log, say):
        self.cluster = cluster
        self.topics = topics
        self.log = log
        self.say = say
        self.done = collections.Counter()
        self.wrong = []  # What a broker did that no fault explains.
        self.down = set()

    def run(self, planned):
        began = time.monotonic()
        order = itertools.count()
        moments = []
        for fault in planned:
            heapq.heappush(moments, (fault.start, next(order), fault, True))
            heapq.heappush(moments, (fault.end, next(order), fault, False))
        while moments:
            at, _, fault, begins = heapq.heappop(moments)
            self._watch_until(began + at)
            if begins and fault.kind == "lose-disk":
                # What was on the last one has to be learned before another one goes.
                began += wait_whole(self.cluster, self.topics)
            if begins:
                self._note(f"{fault.text()}", fault.kind)
            self._carry_out(fault, begins)

    def _note(self, text, kind=None):
        self.log.add(Fault(time.monotonic(), text))
        self.say(text)
        if kind:
            self.done[kind] += 1

    def _watch_until(self, until):
        while True:
            self.look()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, LOOK_SECONDS))

    def look(self):
        """Starts again, and tells of, brokers that ended by themselves."""
        for node, broker in self.cluster.brokers.items():
            if node not in self.down and not broker.is_running():
                self._blame(f"broker {node} ended by itself with code {broker.process.returncode}")
                broker.start()

    def _blame(self, text):
        self.wrong.append(text)
        self._note(f"WRONG: {text}")

    def _carry_out(self, fault, begins):
        if fault.links:
            for sender, receiver in fault.links:
                self._link(fault, sender, receiver, begins)
        elif fault.kind == "move":
            if begins:
                self.move({fault.partition: fault.replicas})
        elif fault.kind == "full-disk":
            disk = self.cluster.disks[fault.nodes[0]]
            disk.fill() if begins else disk.free()
        elif fault.kind == "clock":
            self.cluster.clocks[fault.nodes[0]].set_step(fault.step_ms if begins else 0)
        elif fault.kind in ("pause", "pause-all"):
            for node in fault.nodes:
                self.cluster[node].signal(signal.SIGSTOP if begins else signal.SIGCONT)
        elif begins:
            self._end_brokers(fault)
        else:
            if fault.kind == "lose-disk":
                self._wipe(fault.nodes[0])
            self._start_brokers(fault.nodes)

    def _wipe(self, node):
        self.cluster[node].process.wait(STOP_SECONDS)
        self.cluster[node].wipe()

    def move(self, wanted):
        """Asks some broker that answers; wanted is {partition: replicas}. True when all is accepted."""
        topics = collections.defaultdict(dict)
        for partition, replicas in wanted.items():
            topic, number = split(partition)
            topics[topic][number] = replicas
        for node in self.cluster.brokers:
            if node in self.down:
                continue
            try:
                with self.cluster[node].connect(MOVE_SECONDS) as connection:
                    errors = reassign(connection, topics, MOVE_SECONDS)
            except LOST:
                continue
            refused = [error_name(error) for error in errors if error]
            if refused:
                self._note(f"broker {node} refuses the move: {', '.join(refused)}", "move refused")
            return not refused
        self._note("no broker takes the move", "move refused")
        return False

    def _link(self, fault, sender, receiver, begins):
        if not begins:
            self.cluster.network.heal(sender, receiver)
        elif fault.kind == "slow":
            self.cluster.network.slow(sender, receiver, fault.kbit)
        else:
            self.cluster.network.cut(sender, receiver)

    def _end_brokers(self, fault):
        brokers = [self.cluster[node] for node in fault.nodes]
        self.down |= set(fault.nodes)
        for broker in brokers:
            broker.signal(signal.SIGTERM if fault.kind == "stop" else signal.SIGKILL)

    def _start_brokers(self, nodes):
        for node in nodes:
            broker = self.cluster[node]
            try:
                code = broker.process.wait(STOP_SECONDS)
                if code not in (0, -signal.SIGKILL):
                    self._blame(f"broker {node} stopped with code {code}")
            except subprocess.TimeoutExpired:
                self._blame(f"broker {node} does not stop within {STOP_SECONDS:.0f} s of SIGTERM")
                broker.kill()
            broker.start()
            self.down.discard(node)
