"""Apache Kafka: three combined KRaft nodes from jars of Maven Central."""

import shutil
import subprocess

from driver import paths
from driver.cluster import Cluster, StartError

LONG_MAX = 9223372036854775807

#: Configuration A is Kafka's own defaults; B is tuned for two cores.
TUNED = {
    "num.network.threads": 2,
    "num.io.threads": 4,
    "num.replica.fetchers": 1,
    "background.threads": 4,
    "log.cleaner.threads": 1,
    "auto.leader.rebalance.enable": "false",
    "offsets.topic.num.partitions": 3,
    "group.initial.rebalance.delay.ms": 0,
    "replica.fetch.wait.max.ms": 500,
    "num.recovery.threads.per.data.dir": 2,
}
#: The lowest failure detection that makes sense, for one more row of bench/failover.
QUICK_DETECTION = {"broker.session.timeout.ms": 1500, "broker.heartbeat.interval.ms": 300}

HEAP = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
        "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
        "-Djava.awt.headless=true"]
CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"


class Kafka(Cluster):
    name = "kafka"
    base_port = 19092
    modes = {"P": {}, "F": {"flush.messages": 1}}

    def __init__(self, brokers=3, tuned=True, quick_detection=False):
        super().__init__(brokers)
        self.settings = dict(TUNED) if tuned else {}
        if quick_detection:
            self.settings |= QUICK_DETECTION
        self.label = f"Kafka {paths.KAFKA_VERSION}, config {'B (tuned)' if tuned else 'A (stock)'}"
        if quick_detection:
            self.label += ", quick detection"

    def version(self):
        return self.label

    def _java(self):
        return ["java", *HEAP, "-cp", f"{paths.KAFKA_JARS}/*"]

    def command(self, node):
        return [*self._java(), "kafka.Kafka", str(self.data / f"node-{node}.properties")]

    def configure(self):
        fetch_jars()
        for node in self.nodes():
            self.folder(node).mkdir(parents=True)
            properties = {
                "process.roles": "broker,controller",
                "node.id": node,
                "controller.quorum.voters": self.voters(),
                "listeners": f"PLAINTEXT://127.0.0.1:{self.port(node)},"
                             f"CONTROLLER://127.0.0.1:{self.peer_port(node)}",
                "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port(node)}",
                "controller.listener.names": "CONTROLLER",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "log.dirs": self.folder(node),
                "default.replication.factor": min(3, self.brokers),
                "min.insync.replicas": min(2, self.brokers),
                "offsets.topic.replication.factor": min(3, self.brokers),
                # Space of deleted topics comes back between two scenarios.
                "file.delete.delay.ms": 1000,
            } | self.settings
            path = self.data / f"node-{node}.properties"
            path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
            done = subprocess.run(
                ["java", "-cp", f"{paths.KAFKA_JARS}/*", "kafka.tools.StorageTool", "format",
                 "-t", CLUSTER_ID, "-c", str(path)], capture_output=True, text=True)
            if done.returncode != 0:
                raise StartError(f"Kafka's storage was not formatted:\n{done.stdout}{done.stderr}")


def fetch_jars():
    if (paths.KAFKA_JARS / f"kafka_2.13-{paths.KAFKA_VERSION}.jar").exists():
        return
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise StartError(f"{tool} is missing: apt-get install openjdk-17-jre-headless maven")
    print("fetching Kafka's jars from Maven Central", flush=True)
    subprocess.run(
        ["mvn", "-q", "-B", "-f", str(paths.KAFKA_POM),
         "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies",
         "-DincludeScope=runtime", f"-DoutputDirectory={paths.KAFKA_JARS}"], check=True)
