"""A consumer of a group as a process of its own, which says on its output what happens to it.

  group_member.py CLIENT BOOTSTRAP GROUP TOPIC [key=value…]

Each line is a JSON list: ["assigned", partitions…], or ["read", partition, offset, value]. Offsets are
committed after each poll, so that what was said may be said again, and nothing is left out.
"""
import json
import signal
import sys

SESSION_MS = 6000


def say(*what):
    print(json.dumps(what), flush=True)


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


def by_kafka_python(bootstrap, group, topic, settings):
    import kafka

    class Listener(kafka.ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            pass

        def on_partitions_assigned(self, assigned):
            say("assigned", *sorted(part.partition for part in assigned))

    names = {"group.instance.id": "group_instance_id"}
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
        enable_auto_commit=False, session_timeout_ms=SESSION_MS, heartbeat_interval_ms=500,
        **{names[key]: value for key, value in settings.items()})
    consumer.subscribe([topic], listener=Listener())
    try:
        while True:
            for records in consumer.poll(200).values():
                for record in records:
                    say("read", record.partition, record.offset, record.value.decode())
            if consumer.assignment():
                consumer.commit()
    except Stopped:
        consumer.close()


def by_librdkafka(bootstrap, group, topic, settings):
    import confluent_kafka

    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
         "enable.auto.commit": False, "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": 500,
         **settings})
    consumer.subscribe([topic], on_assign=lambda _, parts: say(
        "assigned", *sorted(part.partition for part in parts)))
    try:
        while True:
            records = [record for record in consumer.consume(100, 0.2) if record.error() is None]
            for record in records:
                say("read", record.partition(), record.offset(), record.value().decode())
            if records:
                consumer.commit(asynchronous=False)
    except Stopped:
        consumer.close()


CLIENTS = {"kafka-python": by_kafka_python, "librdkafka": by_librdkafka}


def stop(*_):
    raise Stopped()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    client, bootstrap, group, topic, *more = sys.argv[1:]
    CLIENTS[client](bootstrap, group, topic, dict(each.split("=", 1) for each in more))
