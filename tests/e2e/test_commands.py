"""Apache Kafka's own commands, and what they must print: the transcripts of commands/.

Each line of a transcript is one of

  $ COMMAND ARGUMENTS… [CODE]   runs it; it ends with that code, 0 where none is said
  ~ COMMAND ARGUMENTS…          the same, again and again until its answer is the expected one
  E: TEXT                       is somewhere in what it writes to standard error
  +                             its output has more lines than those here
  > FILE TEXT                   adds a line to a file that later arguments name @FILE
  anything else                 a line of its output, in any order; * stands for some characters of a
                                word, … for any, blanks for any number of them

With GARAMD=kafka the same transcripts are held against Kafka's own broker.
"""
import pathlib
import re
import typing

import confluent_kafka
import pytest

import kafka_tools
from cluster import eventually

TRANSCRIPTS = pathlib.Path(__file__).parent / "commands"
FIRST_TIME_MS = 1_700_000_000_000
WAIT = 20


class Row(typing.NamedTuple):
    command: str
    arguments: list
    code: int
    again: bool
    lines: list
    errors: list

    def __str__(self):
        return " ".join([self.command, *self.arguments])


def rows_of(text, folder):
    """The commands of a transcript, in order; its files are written as they will be read."""
    rows, more = [], set()
    for line in filter(None, map(str.strip, text.splitlines())):
        sign, _, rest = line.partition(" ")
        if sign in ("$", "~"):
            words = rest.split()
            code = int(words.pop()[1:-1]) if re.fullmatch(r"\[\d\]", words[-1]) else 0
            arguments = [str(folder / word[1:]) if word[0] == "@" else word for word in words[1:]]
            rows.append(Row(words[0], arguments, code, sign == "~", [], []))
        elif sign == ">":
            name, _, content = rest.partition(" ")
            with open(folder / name, "a") as file:
                file.write(content + "\n")
        elif sign == "E:":
            rows[-1].errors.append(rest)
        elif line == "+":
            more.add(len(rows) - 1)
        else:
            rows[-1].lines.append(line)
    return [(row, number in more) for number, row in enumerate(rows)]


def pattern_of(line):
    parts = re.split(r"([*…]|\s+)", line)
    meanings = {"*": r"\S+", "…": r".*"}
    return "".join(meanings.get(part) or (r"\s+" if part.isspace() else re.escape(part))
                   for part in parts)


def difference(row, more, ended):
    """What of the answer is not as the transcript says; empty where all is."""
    found = [line.strip() for line in ended.out.splitlines() if line.strip()]
    wrong = [] if ended.code == row.code else [f"code {ended.code}"]
    for line in row.lines:
        match = next((each for each in found if re.fullmatch(pattern_of(line), each)), None)
        if match is None:
            wrong.append(f"missing: {line}")
        else:
            found.remove(match)
    wrong += [f"not on standard error: {text}" for text in row.errors if text not in ended.err]
    if not more:
        wrong += [f"unexpected: {line}" for line in found]
    if wrong and ended.err:
        wrong.append("standard error: " + "\n".join(ended.err.splitlines()[:3]))
    return wrong


def differences(cluster, transcript, folder):
    """{command: what is wrong} of all rows."""
    wrong = {}
    for row, more in rows_of((TRANSCRIPTS / f"{transcript}.txt").read_text(), folder):

        def now(row=row, more=more):
            return difference(row, more,
                              kafka_tools.call(row.command, cluster.bootstrap(), *row.arguments))

        last = now()
        if last and row.again:
            try:
                eventually(lambda: not now(), WAIT, pause=0.2)
                last = []
            except AssertionError:
                last = now()
        if last:
            wrong[str(row)] = last
    return wrong


def records(cluster):
    """orders has ten records a partition, logs five; each a second after the one before it."""
    cluster.create_topic("orders", 3)
    cluster.create_topic("logs", 1)
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap(), "acks": "all"})
    for topic, partitions, count in (("orders", 3, 10), ("logs", 1, 5)):
        for number in range(count):
            for partition in range(partitions):
                producer.produce(topic, b"x", partition=partition,
                                 timestamp=FIRST_TIME_MS + 1000 * number)
    assert producer.flush(WAIT) == 0


def idle_group(cluster):
    """And the group g has read some of them."""
    records(cluster)
    consumer = confluent_kafka.Consumer({"bootstrap.servers": cluster.bootstrap(), "group.id": "g"})
    consumer.commit(asynchronous=False, offsets=[
        confluent_kafka.TopicPartition(topic, partition, offset)
        for topic, partition, offset in
        (("orders", 0, 4), ("orders", 1, 5), ("orders", 2, 6), ("logs", 0, 2))])
    consumer.close()


def active_group(cluster, settings=None):
    """And the group active has a member with all partitions of orders, which has committed nothing."""
    records(cluster)
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": cluster.bootstrap(), "group.id": "active", "client.id": "reader",
        "enable.auto.commit": False, **(settings or {})})
    consumer.subscribe(["orders"])
    eventually(lambda: (consumer.poll(0.1), len(consumer.assignment()) == 3)[1], WAIT, "an assignment")
    return consumer


def active_consumer_group(cluster):
    """The same by the new protocol."""
    return active_group(cluster, {"group.protocol": "consumer"})


def left_consumer_group(cluster):
    active_consumer_group(cluster).close()


def nothing(_):
    pass


@pytest.mark.parametrize("transcript, prepare", [
    ("topics", nothing), ("records", records), ("configs", records), ("cluster", nothing),
    ("groups", idle_group), ("active-group", active_group),
    ("active-consumer-group", active_consumer_group), ("left-consumer-group", left_consumer_group),
    ("quotas", nothing), ("features", nothing), ("quorum", nothing), ("dynamic-resources", nothing)],
    ids=lambda value: value if isinstance(value, str) else "")
def test_commands_answer_as_kafkas_brokers_make_them(make_cluster, tmp_path, transcript, prepare):
    cluster = make_cluster(3, {"group.initial.rebalance.delay.ms": "0"}).start()
    kept = prepare(cluster)
    wrong = differences(cluster, transcript, tmp_path)
    if kept is not None:
        kept.close()
    assert not wrong, "\n".join(f"$ {command}\n  " + "\n  ".join(what)
                                for command, what in wrong.items())


def test_transcripts_can_fail(tmp_path):
    text = "$ c --x @f [1]\nA * c…\nE: bad\n> f one\n> f two\n"
    ((row, more),) = rows_of(text, tmp_path)
    assert (row.command, row.arguments, row.code) == ("c", ["--x", str(tmp_path / "f")], 1)
    assert (tmp_path / "f").read_text() == "one\ntwo\n"
    right = kafka_tools.Ended(1, "A  b  c and more\n", "a bad thing")
    assert not difference(row, more, right)
    for other in (right._replace(code=0), right._replace(out="A b d\n"), right._replace(err=""),
                  right._replace(out=right.out + "more\n"), right._replace(out="")):
        assert difference(row, more, other)
