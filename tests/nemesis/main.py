#!/usr/bin/env python3
"""A real cluster under faults, its clients' history checked; the `nemesis` command of ./dev.

The environment variable GARAMD names the broker's program.
"""
import argparse
import pathlib
import random
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import checker  # noqa: E402  The end-to-end tests' modules are found from here on.
import isolation  # noqa: E402
import report  # noqa: E402
import schedule  # noqa: E402
from brokers import NemesisCluster  # noqa: E402
from client import LOST, Client, name_of  # noqa: E402
from faults import Nemesis  # noqa: E402
from history import Header, Log, load  # noqa: E402
from readers import Follower, Prober  # noqa: E402
from recovery import FinalReader, NoRecovery, bring_home, wait_back  # noqa: E402
from writers import Board, Writer  # noqa: E402

TOPICS = {  # Half of the partitions acknowledge what is flushed, half what is written.
    "synced": {"flush.messages": "1"},
    "written": {"flush.messages": "100000", "flush.ms": "1000"},
}
PARTITIONS_EACH = 6
MIN_INSYNC_REPLICAS = 2
SEGMENT_BYTES = 1 << 20
GAP_MAX_SECONDS = 30.0  # Several times what the longest round takes.
WRITERS, PIPELINES, FOLLOWERS, PROBERS = 7, 2, 3, 3
WRITES_A_SECOND, PIPELINES_A_SECOND, READS_A_SECOND = 30, 5, 40  # Of each of them.


def say(text):
    print(text, flush=True)


class Run:
    """One run: its cluster, its clients, its files."""

    def __init__(self, options, means):
        self.options = options
        self.means = means
        self.seconds = options.minutes * 60
        self.folder = options.out / f"seed-{options.seed}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.history = self.folder / "history.jsonl"
        self.partitions = [name_of(topic, n) for topic in TOPICS for n in range(PARTITIONS_EACH)]
        self.began = time.monotonic()
        self.problems = []
        self.cluster = self.log = self.nemesis = None

    def tell(self, text):
        say(f"{time.monotonic() - self.began:8.2f}  {text}")

    def do(self):
        """True when nothing was found."""
        self.log = Log(self.history)
        self.log.add(Header(self.options.seed, self.seconds, self.partitions))
        self.cluster = NemesisCluster(self.folder, self.means, self.options.minutes)
        try:
            self._with_cluster()
        except (NoRecovery, AssertionError, subprocess.TimeoutExpired, *LOST) as error:
            self.problems.append(f"no recovery: {type(error).__name__}: {error}")
            self.tell(self.problems[-1])
        finally:
            self.cluster.close()
            self.log.close()
        self.problems += self.nemesis.wrong if self.nemesis else []
        clean = self._judge()
        if not clean:
            self._keep_data()
        return clean

    def _with_cluster(self):
        self.cluster.start()
        for topic, configs in TOPICS.items():
            self.cluster.create_topic(topic, PARTITIONS_EACH, 3, {
                "min.insync.replicas": str(MIN_INSYNC_REPLICAS),
                "segment.bytes": str(SEGMENT_BYTES), **configs})
        board, stopping = Board(self.partitions), threading.Event()
        workers = self._workers(board, stopping)
        self.nemesis = Nemesis(self.cluster, list(TOPICS), self.log, self.tell)
        kinds = set(schedule.kinds_allowed(self.means)) - set(self.options.without)
        planned = schedule.draw(self.options.seed, self.seconds, kinds, self.partitions)
        planned = planned[self.options.first - 1:self.options.last]
        for worker in workers:
            worker.start()
        try:
            self.nemesis.run(planned)
            self.tell("everything is healed")
            written, whole = wait_back(self.cluster, list(TOPICS), board)
            self.tell(f"every partition took a write after {written:.2f} s and was whole after "
                      f"{whole:.2f} s")
        finally:
            stopping.set()
            for worker in workers:
                worker.finish()
            gap, partition, until = board.longest_gap
            self.tell(f"longest gap between acknowledgements of a partition: {gap:.2f} s, "
                      f"{partition} until {until - self.began:.2f}")
            if gap > GAP_MAX_SECONDS:
                self.problems.append(f"{partition} acknowledged nothing for {gap:.2f} s")
        self._go_home()
        self._read_from_every_broker()

    def _go_home(self):
        """Every partition back to the founders: each of them can show everything then."""
        founders = self.cluster.founders
        bring_home(self.cluster, list(TOPICS), self.partitions, founders, self.nemesis.move)
        for node in set(self.cluster.brokers) - set(founders):
            code = self.cluster.retire(node)
            if code != 0:
                self.problems.append(f"broker {node} stopped with code {code}")
        self.tell(f"every partition is back on brokers {', '.join(map(str, founders))}")

    def _workers(self, board, stopping):
        addresses, workers = self.cluster.addresses(), []
        names = random.Random(self.options.seed)
        acks = -1 if self.options.acks == "all" else 1

        def add(kind, name, rate, *more):
            client = Client(addresses, self.partitions, names.random(), stopping)
            workers.append(kind(name, client, self.log, rate, board, *more))

        for number in range(WRITERS):
            add(Writer, f"w{number}", WRITES_A_SECOND, acks)
        for number in range(PIPELINES):
            add(Writer, f"p{number}", PIPELINES_A_SECOND, acks, True)
        for number in range(FOLLOWERS):
            add(Follower, f"follower{number}", READS_A_SECOND)
        for number in range(PROBERS):
            add(Prober, f"prober{number}", READS_A_SECOND)
        return workers

    def _read_from_every_broker(self):
        missing = FinalReader(self.cluster, self.partitions, self.log).read_all()
        for node, partitions in missing.items():
            self.tell(f"not read from broker {node}, which never came to lead: "
                      f"{', '.join(partitions)}")
        self.nemesis.look()
        self.tell(f"read {len(self.partitions)} partitions from {len(self.cluster.brokers)} "
                  f"brokers but for {sum(map(len, missing.values()))}")

    def _keep_data(self):
        """Copies the data off the small disks, which end with this process."""
        for node in self.cluster.disks:
            subprocess.run(["cp", "-r", "--sparse=always", self.folder / f"broker-{node}",
                            self.folder / f"data-{node}"], check=False)

    def _judge(self):
        events = load(self.history)
        verdict = checker.check(events, self.options.strict)
        left_out = sorted(set(schedule.KINDS) - set(schedule.kinds_allowed(self.means)))
        lines = report.of_faults(self.nemesis.done if self.nemesis else {}, left_out)
        for line in lines + report.of_verdict(verdict, events):
            say(line)
        for problem in self.problems:
            say(f"problem: {problem}")
        say(f"seed {self.options.seed}; history: {self.history}; brokers' logs beside it")
        return not verdict.violations and not self.problems


def check_again(path, strict):
    events = load(path)
    verdict = checker.check(events, strict)
    for line in report.of_verdict(verdict, events):
        say(line)
    return not verdict.violations


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev nemesis", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of faults (default 10)")
    parser.add_argument("--seed", type=int, help="what the faults are drawn from (default: any)")
    parser.add_argument("--first", type=int, default=1, metavar="N",
                        help="leave out the faults before the Nth")
    parser.add_argument("--last", type=int, metavar="N", help="leave out the faults after the Nth")
    parser.add_argument("--without", action="append", default=[], choices=list(schedule.KINDS),
                        metavar="KIND", help="leave out the faults of a kind")
    parser.add_argument("--acks", choices=["all", "1"], default="all",
                        help="1 promises nothing: shows that losses are noticed")
    parser.add_argument("--strict", action="store_true",
                        help="answers that Kafka allows to be behind are violations too")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "nemesis",
                        metavar="DIR", help="where history and logs go (default build/nemesis)")
    parser.add_argument("--check", type=pathlib.Path, metavar="HISTORY",
                        help="only check a history that was kept")
    options = parser.parse_args(arguments)
    options.out = options.out.resolve()
    return options


def main(arguments):
    options = parse(arguments)
    if options.check:
        return 0 if check_again(options.check, options.strict) else 1
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1, 1_000_000)
        sys.argv += ["--seed", str(options.seed)]
    means = isolation.enter()
    say(f"seed {options.seed}, {options.minutes:g} minutes")
    return 0 if Run(options, means).do() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
