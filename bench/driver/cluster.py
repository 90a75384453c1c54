"""Three brokers on the loopback interface: what is the same for Garam and for Kafka."""

import os
import shutil
import signal
import subprocess
import time

from driver import load, paths, procfs


class StartError(Exception):
    pass


class Cluster:
    """One cluster; start() and stop() may alternate. Its data folder is removed by wipe()."""

    name = "?"
    base_port = 0
    #: Topic settings for acknowledging after (F) and without (P) a flush to the disk.
    modes = {}

    def __init__(self, brokers=3):
        self.brokers = brokers
        self.data = paths.DATA / self.name
        self.processes = {}
        self.ready_s = None

    # What a kind of cluster says.
    def command(self, node):
        raise NotImplementedError

    def configure(self):
        """Writes the configuration of all nodes into a fresh data folder."""
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    # What is common.
    def nodes(self):
        return range(1, self.brokers + 1)

    def port(self, node):
        return self.base_port + node - 1

    def peer_port(self, node):
        return self.base_port + 100 + node - 1

    def folder(self, node):
        return self.data / f"broker-{node}"

    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{self.port(node)}" for node in self.nodes())

    def voters(self):
        return ",".join(f"{node}@127.0.0.1:{self.peer_port(node)}" for node in self.nodes())

    def wipe(self):
        shutil.rmtree(self.data, ignore_errors=True)
        subprocess.run(["sync"], check=False)
        subprocess.run(["fstrim", "/"], check=False, capture_output=True)

    def start(self):
        """Starts all brokers; returns the seconds from the first exec until each lists all."""
        began = time.monotonic()
        for node in self.nodes():
            self.start_node(node)
        self.wait_ready()
        self.ready_s = time.monotonic() - began
        return self.ready_s

    def start_node(self, node):
        log = open(self.data / f"broker-{node}.log", "ab")
        self.processes[node] = subprocess.Popen(
            self.command(node), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            cwd=self.data, env=self.environment(), start_new_session=True)

    def wait_ready(self, seconds=90):
        waiting = subprocess.Popen(load.command(self, "ready", "--seconds", seconds),
                                   stderr=subprocess.PIPE, text=True)
        while waiting.poll() is None:
            dead = [n for n, p in self.processes.items() if p.poll() is not None]
            if dead:
                waiting.kill()
                waiting.wait()
                raise StartError(f"{self.name} broker {dead[0]} ended; its log ends:\n{self.log_tail(dead[0])}")
            time.sleep(0.01)
        if waiting.returncode != 0:
            raise StartError(f"{self.name}: {waiting.stderr.read().strip()}\n{self.log_tail(1)}")

    def log_tail(self, node, lines=15):
        text = (self.data / f"broker-{node}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def pids(self):
        return [p.pid for p in self.processes.values() if p.poll() is None]

    def usage(self):
        return procfs.usage_of(self.pids())

    def signal_node(self, node, number):
        self.processes[node].send_signal(number)

    def wait_node(self, node, seconds=60):
        self.processes[node].wait(seconds)

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()
