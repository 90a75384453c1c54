"""Brokers in network namespaces of their own, a wire from each to each and from each to the clients.

        broker 1 ── port ─[bridge 1-2]─ port ── broker 2        (the same for 1-3 and 2-3)
        broker 1 ── clients' namespace, the one of this process

What leaves the bridge between i and j towards j is what i sends to j: a queue that takes nothing
there loses it without a word to either side, and a narrow one delays it and loses what piles up.
Everything ends with the namespaces, and those with the processes that hold them.
"""
import itertools
import os
import subprocess

from cluster import eventually

CLIENTS = "10.77.0.100"


def address(node):
    return f"10.77.0.{node}"


def _run(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")


class Network:
    """The wires between the nodes, all whole at first."""

    def __init__(self, nodes):
        self.holders = {node: self._hold() for node in nodes}
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "addr", "add", f"{CLIENTS}/32", "dev", "lo")
        for node in nodes:
            self._inside(node, "ip", "link", "set", "lo", "up")
            self._inside(node, "ip", "addr", "add", f"{address(node)}/32", "dev", "lo")
            self._wire_clients(node)
        for pair in itertools.combinations(nodes, 2):
            self._wire_pair(*pair)

    @staticmethod
    def _hold():
        """A process that keeps a new namespace there."""
        holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"],
            stdin=subprocess.DEVNULL)
        ours = os.readlink("/proc/self/ns/net")
        eventually(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != ours,
                   what="a network namespace")
        return holder

    def enter_command(self, node):
        """What to put before a command so that it runs in the node's namespace."""
        return ["nsenter", f"--net=/proc/{self.holders[node].pid}/ns/net"]

    def _inside(self, node, *words):
        _run(*self.enter_command(node), *words)

    def _route(self, node, device, to):
        self._inside(node, "ip", "link", "set", device, "up")
        self._inside(node, "ip", "route", "add", f"{to}/32", "dev", device, "src", address(node))

    def _wire_clients(self, node):
        ours = f"clients-{node}"
        _run("ip", "link", "add", ours, "type", "veth", "peer", "name", "clients", "netns",
             str(self.holders[node].pid))
        _run("ip", "link", "set", ours, "up")
        _run("ip", "route", "add", f"{address(node)}/32", "dev", ours, "src", CLIENTS)
        self._route(node, "clients", CLIENTS)

    def _wire_pair(self, one, other):
        bridge = f"bridge-{one}-{other}"
        _run("ip", "link", "add", bridge, "type", "bridge")
        _run("ip", "link", "set", bridge, "up")
        for node, peer in ((one, other), (other, one)):
            port = self._port(peer, node)
            _run("ip", "link", "add", port, "type", "veth", "peer", "name", f"to-{peer}", "netns",
                 str(self.holders[node].pid))
            _run("ip", "link", "set", port, "master", bridge, "up")
            self._route(node, f"to-{peer}", address(peer))

    @staticmethod
    def _port(sender, receiver):
        """The device through which the sender's packets leave their bridge."""
        return f"from-{sender}-to-{receiver}"

    def cut(self, sender, receiver):
        """Loses everything that goes this way."""
        self._queue(sender, receiver, "bfifo", "limit", "1")

    def slow(self, sender, receiver, kbit):
        """Lets so many kilobits a second through, with up to half a second of them queued."""
        self._queue(sender, receiver, "tbf", "rate", f"{kbit}kbit", "burst", "4kb", "latency",
                    "500ms")

    def _queue(self, sender, receiver, *queue):
        _run("tc", "qdisc", "replace", "dev", self._port(sender, receiver), "root", *queue)

    def heal(self, sender, receiver):
        _run("tc", "qdisc", "del", "dev", self._port(sender, receiver), "root")

    def close(self):
        for holder in self.holders.values():
            holder.kill()
            holder.wait()
