"""The commands of Apache Kafka, as its bin/ scripts run them, from the jars of Maven Central."""
import json
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
JARS = ROOT / "build" / "kafka-tools"
POM = pathlib.Path(__file__).parent / "kafka_tools" / "pom.xml"
FETCH = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies"
CLASSES = {
    "kafka-cluster unregister": "org.apache.kafka.tools.ClusterTool unregister",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
}


def fetch_jars():
    """Once for a checkout; the marker comes last, so that half a folder does not count."""
    marker = JARS / "complete"
    if marker.exists() and marker.read_bytes() == POM.read_bytes():
        return
    assert shutil.which("mvn"), "mvn is missing: apt-get install maven"
    fetched = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(POM), FETCH, "-DincludeScope=runtime",
         f"-DoutputDirectory={JARS}"], capture_output=True, text=True)
    assert fetched.returncode == 0, f"Kafka's commands could not be fetched:\n{fetched.stdout}"
    marker.write_bytes(POM.read_bytes())


def run(command, cluster, *arguments, seconds=60, works=True):
    """Runs one to its end; returns what it printed. Fails with that when it fails, or must and doesn't."""
    fetch_jars()
    ended = subprocess.run(
        ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*", *CLASSES[command].split(),
         "--bootstrap-server", cluster.bootstrap(), *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
    shown = ended.stdout + ended.stderr
    assert (ended.returncode == 0) == works, f"{command} {' '.join(map(str, arguments))}:\n{shown}"
    return shown


def assignment(topic, replicas):
    """What kafka-reassign-partitions reads: where each partition of the topic is to be."""
    return json.dumps({"version": 1, "partitions": [
        {"topic": topic, "partition": index, "replicas": nodes}
        for index, nodes in enumerate(replicas)]})
