"""The commands of Apache Kafka, as its bin/ scripts run them, from the jars of Maven Central.

One JVM runs them all, one after another: a JVM for each would cost seconds.
"""
import atexit
import collections
import json
import select
import subprocess

import client_programs

CLASSES = {
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
}
# These take the address behind their subcommand.
SUBCOMMAND_FIRST = ("kafka-cluster",)

Ended = collections.namedtuple("Ended", "code out err")


class Machine:
    """The JVM of clients/java/Commands.java; made when it is first needed, and anew after it hung."""

    def __init__(self):
        self.process = None

    def call(self, name, arguments, text="", seconds=60):
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *client_programs.java("Commands", heap="256m")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        asked = {"class": name, "arguments": arguments, "input": text}
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else None
        if not line:
            self.close()
            raise AssertionError(f"{name} {arguments} did not end within {seconds} s")
        answer = json.loads(line)
        return Ended(answer["code"], answer["out"], answer["err"])

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


MACHINE = Machine()
atexit.register(MACHINE.close)


def call(command, bootstrap, *arguments, text="", seconds=60):
    """Runs one to its end; returns its exit code and what it printed."""
    arguments = list(map(str, arguments))
    first = 1 if command in SUBCOMMAND_FIRST else 0
    address = ["--bootstrap-server", bootstrap]
    return MACHINE.call(CLASSES[command], arguments[:first] + address + arguments[first:], text,
                        seconds)


def run(command, cluster, *arguments, seconds=60, works=True):
    """Runs one; returns what it printed. Fails with that when it fails, or must and doesn't."""
    ended = call(command, cluster.bootstrap(), *arguments, seconds=seconds)
    shown = ended.out + ended.err
    assert (ended.code == 0) == works, f"{command} {' '.join(map(str, arguments))}:\n{shown}"
    return shown


def assignment(topic, replicas):
    """What kafka-reassign-partitions reads: where each partition of the topic is to be."""
    return json.dumps({"version": 1, "partitions": [
        {"topic": topic, "partition": index, "replicas": nodes}
        for index, nodes in enumerate(replicas)]})
