"""A consumer of a group as a process of its own, which says on its output what happens to it.

  group_member.py CLIENT BOOTSTRAP GROUP TOPIC [key=value…]

Each line is a JSON list: ["assigned", partitions…] has all that it now has, ["read", partition, offset,
value] a record, ["committed", partition, offset] what the group's coordinator has confirmed. A topic that
begins with ^ is librdkafka's: an expression; partitions have their topic's name before them then. Offsets are
committed after each poll, so that what was said may be said again, and nothing is left out. SIGINT makes
it leave. The programs of clients/ say the same.
"""
import json
import signal
import sys


def say(*what):
    print(json.dumps(what), flush=True)


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


def name_of(topic, partition, subscribed):
    return partition if topic == subscribed else f"{topic}-{partition}"


class Assigned:
    """What the consumer has, whether it is told of all or of what changes."""

    def __init__(self, topic):
        self.topic = topic
        self.partitions = set()

    def more(self, parts):
        self.partitions |= {name_of(part.topic, part.partition, self.topic) for part in parts}
        say("assigned", *sorted(self.partitions))

    def fewer(self, parts):
        self.partitions -= {name_of(part.topic, part.partition, self.topic) for part in parts}
        say("assigned", *sorted(self.partitions))


def by_kafka_python(bootstrap, group, topic, settings):
    import kafka

    assigned = Assigned(topic)

    class Listener(kafka.ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            assigned.fewer(revoked)

        def on_partitions_assigned(self, added):
            assigned.more(added)

    names = {key: key.replace(".", "_") for key in settings}
    values = {names[key]: int(value) if value.isdigit() else value for key, value in settings.items()}
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
        enable_auto_commit=False, **values)
    consumer.subscribe([topic], listener=Listener())
    try:
        while True:
            polled = consumer.poll(200)
            for records in polled.values():
                for record in records:
                    say("read", record.partition, record.offset, record.value.decode())
            if polled:
                commit_of_kafka_python(consumer, polled)
    except Stopped:
        consumer.close()


def commit_of_kafka_python(consumer, polled):
    import kafka

    try:
        consumer.commit()
    except (kafka.errors.CommitFailedError, kafka.errors.RebalanceInProgressError):
        return  # The group goes on without it: whoever has the partition then reads these again.
    for part, records in polled.items():
        say("committed", part.partition, records[-1].offset + 1)


def by_librdkafka(bootstrap, group, topic, settings):
    import confluent_kafka

    assigned = Assigned(topic)
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
         "enable.auto.commit": False, **settings})
    consumer.subscribe([topic], on_assign=lambda _, parts: assigned.more(parts),
                       on_revoke=lambda _, parts: assigned.fewer(parts),
                       on_lost=lambda _, parts: assigned.fewer(parts))
    try:
        while True:
            records = [record for record in consumer.consume(100, 0.2) if record.error() is None]
            for record in records:
                partition = name_of(record.topic(), record.partition(), topic)
                say("read", partition, record.offset(), record.value().decode())
            if records:
                commit_of_librdkafka(consumer)
    except Stopped:
        consumer.close()


def commit_of_librdkafka(consumer):
    import confluent_kafka

    try:
        committed = consumer.commit(asynchronous=False)
    except confluent_kafka.KafkaException as failure:
        # The partitions went before this came: nothing left to commit, or it is another's now.
        print(failure, file=sys.stderr)
        return
    for part in committed:
        if part.offset >= 0:  # Else nothing was read of it since the last commit.
            say("committed", part.partition, part.offset)


CLIENTS = {"kafka-python": by_kafka_python, "librdkafka": by_librdkafka}


def stop(*_):
    raise Stopped()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    client, bootstrap, group, topic, *more = sys.argv[1:]
    CLIENTS[client](bootstrap, group, topic, dict(each.split("=", 1) for each in more))
