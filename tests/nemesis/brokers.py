"""The cluster that the faults meet: as in the end-to-end tests, but each broker on its own network."""
import shutil
import subprocess

import kafka_wire as wire
from clocks import WallClock
from cluster import HOST, PATIENCE, Broker, Cluster, free_ports, program
from disks import Disk
from network import Network, address

CLIENT_PORT, CONTROL_PORT = 29092, 29093  # In namespaces where nobody else is.


class NemesisBroker(Broker):
    """A broker at an address of its own; `enter` comes before its command."""

    def __init__(self, folder, node, host, port, settings, enter):
        super().__init__(folder, node, port, settings)
        self.host = host
        self.enter = enter
        self.starts = 0

    def start(self, **overrides):
        lines = {**self.settings, **overrides}
        self.config.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        command = [*self.enter, "setpriv", "--pdeathsig", "KILL", program(), "--config",
                   str(self.config)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.starts += 1

    def wipe(self):
        """What a new disk has; the folder itself may be where the disk is mounted."""
        for entry in self.data.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def connect(self, timeout=10.0):
        return wire.Connection(self.port, self.host, timeout * PATIENCE)


class NemesisCluster(Cluster):
    """Four brokers, in namespaces and on small disks where the machine allows. The last one is no
    founder, and is there so that partitions have somewhere to move to.
    """

    def __init__(self, folder, means, minutes, count=4):
        self.folder = folder
        nodes = range(1, count + 1)
        self.network = Network(nodes) if means.links else None
        self.disks, self.clocks = {}, {}
        places = self._places(nodes)
        self.founders = tuple(nodes)[:-1]
        voters = ",".join(f"{n}@{places[n][0]}:{places[n][2]}" for n in self.founders)
        self.brokers = {}
        for node, (host, port, control) in places.items():
            data = folder / f"broker-{node}"
            if means.disks:
                self.disks[node] = Disk(data, minutes)
            settings = {
                "node.id": node,
                "listeners": f"PLAINTEXT://{host}:{port}",
                "advertised.listeners": f"PLAINTEXT://{host}:{port}",
                "controller.quorum.voters": voters,
                "garam.control.listener": f"{host}:{control}",
                "log.dirs": data,
            }
            enter = self.network.enter_command(node) if self.network else []
            if means.clocks:
                self.clocks[node] = WallClock(folder / f"clock-{node}")
                enter = [*enter, *self.clocks[node].command()]
            self.brokers[node] = NemesisBroker(folder, node, host, port, settings, enter)

    def _places(self, nodes):
        """{node: (host, client port, control port)}."""
        if self.network:
            return {node: (address(node), CLIENT_PORT, CONTROL_PORT) for node in nodes}
        ports = free_ports(2 * len(nodes))
        return {node: (HOST, ports.pop(), ports.pop()) for node in nodes}

    def retire(self, node):
        """Stops a broker for good; returns its code."""
        return self.brokers.pop(node).terminate()

    def addresses(self):
        return {node: (broker.host, broker.port) for node, broker in self.brokers.items()}

    def close(self):
        super().close()
        if self.network:
            self.network.close()
