"""Garam: three brokers of this build."""

import subprocess

from driver import paths
from driver.cluster import Cluster, StartError
from driver.kafka import LONG_MAX


class Garam(Cluster):
    name = "garam"
    base_port = 29092
    #: F is Garam's default.
    modes = {"P": {"flush.messages": LONG_MAX}, "F": {}}

    def __init__(self, brokers=3, settings=None, metrics=False):
        super().__init__(brokers)
        self.settings = settings or {}
        self.metrics = metrics

    def metrics_port(self, node):
        return self.base_port + 200 + node - 1

    def version(self):
        commit = subprocess.run(["git", "-C", str(paths.ROOT), "rev-parse", "--short", "HEAD"],
                                capture_output=True, text=True).stdout.strip()
        return f"Garam {commit}"

    def command(self, node):
        return [str(paths.GARAMD), "--config", str(self.data / f"node-{node}.properties")]

    def configure(self):
        if not paths.GARAMD.exists():
            raise StartError(f"{paths.GARAMD} is not built: run ./dev build")
        for node in self.nodes():
            self.folder(node).mkdir(parents=True)
            properties = {
                "node.id": node,
                "controller.quorum.voters": self.voters(),
                "listeners": f"PLAINTEXT://127.0.0.1:{self.port(node)}",
                "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port(node)}",
                "log.dirs": self.folder(node),
                "min.insync.replicas": min(2, self.brokers),
            } | self.settings
            if self.metrics:
                properties["garam.http.listener"] = f"127.0.0.1:{self.metrics_port(node)}"
            path = self.data / f"node-{node}.properties"
            path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
