"""Apache Kafka's own broker in garamd's place, where the environment says GARAMD=kafka.

A test that speaks of nothing but Kafka's protocol can so be held against Kafka itself: what it expects
is then a fact, not an opinion.
"""
import subprocess

import kafka_jars

CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"
JAVA = ["java", "-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
        f"{kafka_jars.JARS}/*"]


def settings_of(broker):
    """Combined nodes, replicated as garamd does by itself where it has three brokers."""
    given = {key: value for key, value in broker.settings.items() if not key.startswith("garam.")}
    voters = given["controller.quorum.voters"].split(",")
    own = next(voter.split("@")[1] for voter in voters if voter.startswith(f"{broker.node}@"))
    copies = min(3, len(voters))
    return {
        "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "default.replication.factor": copies,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": 1,
        "broker.session.timeout.ms": 1500,
        "broker.heartbeat.interval.ms": 300,
        **given,
        "listeners": f"{given['listeners']},CONTROLLER://{own}",
    }


def command(broker):
    """What runs this broker; its folder is formatted first."""
    kafka_jars.fetch()
    broker.config.write_text("".join(
        f"{key}={value}\n" for key, value in settings_of(broker).items()))
    formatted = subprocess.run(
        [*JAVA, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID, "-c",
         str(broker.config)], capture_output=True, text=True)
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
    return [*JAVA, "kafka.Kafka", str(broker.config)]
