"""A cluster of real brokers on free ports of this machine, for one test.

The program is the environment's GARAMD; `kafka` is Apache Kafka's own broker (kafka_broker.py). Nothing
here sleeps for luck: `eventually` polls a condition that the brokers themselves show, up to a deadline.
Everything started is ended by `close`.
"""
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import kafka_broker
import kafka_wire as wire

HOST = "127.0.0.1"
# Below the range of ephemeral ports: no connection of somebody's can sit on one of these.
PORTS = range(20000, 32000)
# How much longer everything may take: set for brokers built with a sanitizer.
PATIENCE = float(os.environ.get("GARAM_E2E_PATIENCE", "1"))


def eventually(condition, seconds=20.0, what=None, pause=0.01):
    """Polls until condition() is true (and returns it) or the time is up (AssertionError)."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        failure = None
        try:
            value = condition()
            if value:
                return value
        except (wire.ConnectionLost, TimeoutError, OSError) as error:
            failure = error
        if time.monotonic() > deadline:
            name = what or getattr(condition, "__name__", "condition")
            raise AssertionError(f"not within {seconds * PATIENCE:.0f} s: {name} ({failure})")
        time.sleep(pause)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            return True
        except OSError:
            return False


def free_ports(count):
    ports = []
    for port in random.SystemRandom().sample(PORTS, 500):
        if is_free(port):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise AssertionError(f"no {count} free ports")


def program():
    path = os.environ.get("GARAMD")
    assert path and os.access(path, os.X_OK), "GARAMD must name the broker's program"
    return path


class Broker:
    """One broker: its files, its process, its port."""

    def __init__(self, folder, node, port, settings):
        self.node = node
        self.port = port
        self.data = folder / f"broker-{node}"
        self.config = folder / f"broker-{node}.properties"
        self.log = folder / f"broker-{node}.log"
        self.settings = settings
        self.process = None

    def start(self, **overrides):
        lines = {**self.settings, **overrides}
        self.config.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        command = (kafka_broker.command(self) if os.environ.get("GARAMD") == "kafka"
                   else [program(), "--config", str(self.config)])
        # setpriv: if the test run itself is killed, its brokers go with it.
        command = ["setpriv", "--pdeathsig", "KILL", *command]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def wipe(self):
        """What a new disk has."""
        shutil.rmtree(self.data)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9, and waits until it is gone."""
        if self.is_running():
            self.process.kill()
            self.process.wait(30)

    def terminate(self, seconds=30.0):
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(seconds * PATIENCE)

    def connect(self, timeout=10.0):
        return wire.Connection(self.port, timeout=timeout * PATIENCE)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Cluster:
    """The brokers 1..count of one cluster. Its methods speak of all that run."""

    def __init__(self, folder, count=3, settings=None):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        ports = free_ports(2 * count)
        voters = ",".join(f"{i + 1}@{HOST}:{ports[count + i]}" for i in range(count))
        self.brokers = {}
        for i in range(count):
            node = i + 1
            lines = {
                "node.id": node,
                "listeners": f"PLAINTEXT://{HOST}:{ports[i]}",
                "advertised.listeners": f"PLAINTEXT://{HOST}:{ports[i]}",
                "controller.quorum.voters": voters,
                "log.dirs": folder / f"broker-{node}",
                **(settings or {}),
            }
            self.brokers[node] = Broker(folder, node, ports[i], lines)

    def add(self, node):
        """A broker that the others were not told of, not yet started."""
        first = next(iter(self.brokers.values()))
        port, control = free_ports(2)
        lines = {**first.settings, "node.id": node, "listeners": f"PLAINTEXT://{HOST}:{port}",
                 "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
                 "garam.control.listener": f"{HOST}:{control}",
                 "log.dirs": first.data.parent / f"broker-{node}"}
        self.brokers[node] = Broker(first.data.parent, node, port, lines)
        return self.brokers[node]

    def start(self):
        for broker in self.brokers.values():
            broker.start()
        self.wait_ready()
        return self

    def close(self):
        for broker in self.brokers.values():
            broker.kill()

    def __getitem__(self, node):
        return self.brokers[node]

    def running(self):
        return [broker for broker in self.brokers.values() if broker.is_running()]

    def bootstrap(self):
        return ",".join(f"{HOST}:{broker.port}" for broker in self.brokers.values())

    def wait_ready(self, nodes=None):
        """Returns when each of the nodes (default: those running) shows all of them."""
        wanted = set(nodes or (broker.node for broker in self.running()))

        def all_show_all():
            for node in wanted:
                assert self[node].is_running(), f"broker {node} ended:\n{self[node].log_text()[-2000:]}"
                with self[node].connect(2) as connection:
                    shown = connection.metadata()
                if not (wanted <= set(shown.brokers) and shown.controller >= 0):
                    return False
            return True

        eventually(all_show_all, what=f"brokers {sorted(wanted)} ready")

    def metadata(self, topics=None, node=None, timeout=2.0):
        """As one running broker shows it: the named one, else the first that answers."""
        brokers = [self[node]] if node else self.running()
        for broker in brokers:
            try:
                with broker.connect(timeout) as connection:
                    return connection.metadata(topics)
            except (wire.ConnectionLost, TimeoutError) as error:
                failure = error
        raise wire.ConnectionLost(f"no broker answers: {failure}")

    def create_topic(self, name, partitions, replicas=-1, configs=None):
        """Creates it and waits until every running broker shows leaders and full ISRs."""
        with self.running()[0].connect() as connection:
            error, message = connection.create_topic(name, partitions, replicas, configs)
        assert error == wire.NONE, f"CreateTopics {name}: {error} {message}"
        self.wait_whole(name, partitions)

    def wait_whole(self, topic, partitions=None, nodes=None, seconds=30.0):
        """Waits until each running broker shows a leader and all replicas in sync everywhere."""

        def is_whole():
            for broker in self.running() if nodes is None else [self[node] for node in nodes]:
                shown = self.metadata([topic], node=broker.node).topics[topic]
                if shown.error or (partitions and len(shown.partitions) != partitions):
                    return False
                if any(p.error or p.leader < 0 or set(p.isr) != set(p.replicas)
                       for p in shown.partitions):
                    return False
            return True

        eventually(is_whole, seconds=seconds, what=f"{topic} with leaders and full ISRs")

    def leaders(self, topic, node=None):
        """{partition: leader id}, -1 where there is none."""
        shown = self.metadata([topic], node=node).topics[topic]
        return {p.index: p.leader for p in shown.partitions}

    def replicas(self, topic):
        """The replicas of each partition, in their order."""
        shown = self.metadata([topic]).topics[topic]
        return [p.replicas for p in sorted(shown.partitions, key=lambda p: p.index)]

    def leads_most(self, topic):
        led = list(self.leaders(topic).values())
        return self[max(self.brokers, key=led.count)]

    def connect_leader(self, topic, partition=0):
        def leader():
            return max(self.leaders(topic)[partition], 0)

        return self[eventually(leader, what=f"a leader of {topic}-{partition}")].connect()

    def read_partition(self, topic, partition):
        """All batches of the partition, from the first to the high watermark."""
        found = []
        eventually(lambda: self._read_on(topic, partition, found),
                   what=f"a leader of {topic}-{partition} that stays one while it is read")
        return found

    def _read_on(self, topic, partition, found):
        """Adds what comes behind `found`; False when another broker leads by now."""
        with self.connect_leader(topic, partition) as connection:
            error, offset = connection.list_offset(topic, partition, -2)
            if error == wire.NOT_LEADER_OR_FOLLOWER:
                return False
            assert error == wire.NONE
            offset = found[-1].last_offset + 1 if found else offset
            while True:
                got = connection.fetch(topic, partition, offset)
                if got.error == wire.NOT_LEADER_OR_FOLLOWER:
                    return False
                assert got.error == wire.NONE, f"fetch of {topic}-{partition}: {got.error}"
                found += wire.batches(got.data)
                offset = found[-1].last_offset + 1 if found else 0
                if offset >= got.high_watermark:
                    return True

    def admin(self, node, path, post=False):
        """(status, text) of an admin route of the broker, which was given garam.http.listener."""
        url = f"http://{self[node].settings['garam.http.listener']}{path}"
        request = urllib.request.Request(url, method="POST" if post else "GET")
        try:
            with urllib.request.urlopen(request, timeout=10 * PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def kill_all(self):
        """kill -9 of every broker at once."""
        for broker in self.running():
            broker.signal(signal.SIGKILL)
        for broker in self.brokers.values():
            broker.process.wait(30)
