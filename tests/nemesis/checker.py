"""Says what in a history breaks a promise. Pure: events in, a verdict out.

What clients saw is held against the final log (what every broker serves once everything is healed)
and against each other. Two things are counted but break no promise, as in Kafka: a leader that was
deposed and has not heard of it answers fetches from what it has, and a new leader that has not yet
committed in its own epoch shows a fetch a lower bound of the high watermark. `strict` makes both
violations.
"""
import collections
import typing

from history import ACKED, REFUSED, UNKNOWN, End, Final, Read, Write

LOST = "lost"
MOVED = "at another offset than acknowledged"
REORDERED = "reordered"
CONFLICT = "two records at one offset"
UNCOMMITTED = "read but not in the log"
ABOVE_HIGH = "read above the high watermark"
DUPLICATE = "duplicate of a known outcome"
STORED_REFUSED = "refused but stored"
PHANTOM = "never sent"
TORN = "torn batch"
GAP = "gap in the log"
EPOCH_BACK = "leader epoch goes back in the log"
DIVERGED = "brokers differ"
STALE_END = "end of the log below what was known"
RANGE = "out of range below what was known"

DEPOSED = "answers of deposed leaders that were behind"
UNCONFIRMED = "fetches that showed a new leader's lower bound"

OFFSET_OUT_OF_RANGE = 1


class Violation(typing.NamedTuple):
    kind: str
    partition: str
    text: str


class Verdict:
    """Violations, and counts of what is allowed."""

    def __init__(self):
        self.violations = []
        self.counts = collections.Counter()
        # How long before an allowed answer was asked for there was known what it lacks.
        self.behind_seconds = 0.0

    def add(self, kind, partition, text):
        self.violations.append(Violation(kind, partition, text))

    def kinds(self):
        return collections.Counter(violation.kind for violation in self.violations)


class Record(typing.NamedTuple):
    epoch: int
    value: str


def check(events, strict=False):
    """The verdict on a whole history."""
    verdict = Verdict()
    by_partition = collections.defaultdict(list)
    for event in events:
        if isinstance(event, (Write, Read, End, Final)):
            by_partition[event.partition].append(event)
    for partition, here in sorted(by_partition.items()):
        _check_partition(verdict, partition, here, strict)
    return verdict


def _of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def _check_partition(verdict, partition, events, strict):
    writes, reads, ends = _of(events, Write), _of(events, Read), _of(events, End)
    finals = _of(events, Final)
    log = _final_log(verdict, partition, finals)
    _check_offsets(verdict, partition, writes, reads, finals)
    _check_order(verdict, partition, writes)
    _check_high_watermarks(verdict, partition, reads)
    if finals:
        _check_acknowledged(verdict, partition, writes, log)
        _check_values(verdict, partition, writes, log)
        _check_batches(verdict, partition, writes, log)
        _check_reads(verdict, partition, reads, log)
    else:
        verdict.counts["partitions without a final read"] += 1
    epochs = {offset: record.epoch for offset, record in log.items()}
    for read in reads:
        for offset, epoch, _ in read.records:
            epochs.setdefault(offset, epoch)
    _Progress(verdict, partition, epochs, strict).check(writes, reads, ends)


# --- the final log ----------------------------------------------------------------------------


def _final_log(verdict, partition, finals):
    """{offset: Record} as the first broker served it; the others must serve the same."""
    log = {}
    for number, final in enumerate(finals):
        where = f"broker {final.broker}"
        served = {offset: Record(epoch, value) for offset, epoch, value in final.records}
        _check_dense(verdict, partition, final, where)
        if number == 0:
            log = served
            continue
        for offset in sorted(set(served) | set(log)):
            if served.get(offset) != log.get(offset):
                verdict.add(DIVERGED, partition, f"at {offset}: {where} has {served.get(offset)}, "
                                                 f"broker {finals[0].broker} {log.get(offset)}")
                break
    return log


def _check_dense(verdict, partition, final, where):
    offsets = [offset for offset, _, _ in final.records]
    if offsets != list(range(final.high)):
        wrong = next((o for o, n in zip(offsets, range(final.high)) if o != n), len(offsets))
        verdict.add(GAP, partition, f"{where}: {len(offsets)} records below the high watermark "
                                    f"{final.high}, the first wrong place is {wrong}")
    epochs = [epoch for _, epoch, _ in final.records]
    for at, (before, after) in enumerate(zip(epochs, epochs[1:])):
        if after < before:
            verdict.add(EPOCH_BACK, partition, f"{where} at {at + 1}: {before}, then {after}")
            break


# --- records and offsets ----------------------------------------------------------------------


def _check_acknowledged(verdict, partition, writes, log):
    places = {record.value: offset for offset, record in sorted(log.items(), reverse=True)}
    for write in writes:
        if write.outcome != ACKED:
            continue
        for offset, value in enumerate(write.values, write.offset):
            found = log.get(offset)
            if found is not None and found.value == value:
                verdict.counts["records acknowledged and found"] += 1
            elif value in places:
                verdict.add(MOVED, partition, f"{value} of {write.client} was acknowledged at "
                                              f"{offset}, the log has it at {places[value]}")
            else:
                verdict.add(LOST, partition, f"{value} of {write.client}, acknowledged at {offset} "
                                             f"by broker {write.broker}; there is {found}")


def _check_offsets(verdict, partition, writes, reads, finals):
    """Everybody who ever saw an offset saw one record there."""
    seen = {}

    def see(offset, epoch, value, who):
        before = seen.setdefault(offset, (epoch, value, who))
        if before[1] != value or None not in (before[0], epoch) and before[0] != epoch:
            verdict.add(CONFLICT, partition, f"at {offset}: {before[2]} {before[1]} (epoch "
                                             f"{before[0]}), {who} {value} (epoch {epoch})")
        elif before[0] is None:
            seen[offset] = (epoch, value, who)

    for write in writes:
        if write.outcome == ACKED:
            for offset, value in enumerate(write.values, write.offset):
                see(offset, None, value, f"{write.client} was told")
    for read in reads:
        for offset, epoch, value in read.records:
            see(offset, epoch, value, f"{read.client} read from broker {read.broker}")
    for final in finals:
        for offset, epoch, value in final.records:
            see(offset, epoch, value, f"in the end broker {final.broker} has")


def _check_order(verdict, partition, writes):
    """Of one client: sent after an acknowledgement means at a higher offset."""
    by_client = collections.defaultdict(list)
    for write in writes:
        if write.outcome == ACKED:
            by_client[write.client].append(write)
    for mine in by_client.values():
        ended = sorted(mine, key=lambda write: write.end)
        at, highest = 0, None
        for write in sorted(mine, key=lambda write: write.start):
            while at < len(ended) and ended[at].end < write.start:
                if highest is None or ended[at].offset > highest.offset:
                    highest = ended[at]
                at += 1
            if highest is not None and write.offset <= highest.offset:
                verdict.add(REORDERED, partition,
                            f"{write.client} sent {write.values[0]} after {highest.values[0]} was "
                            f"acknowledged at {highest.offset}, and it lies at {write.offset}")


def _check_values(verdict, partition, writes, log):
    """No value is stored more often than it can have been."""
    possible, refused = collections.Counter(), set()
    unknown = set()
    for write in writes:
        for value in write.values:
            if write.outcome == REFUSED:
                refused.add(value)
            else:
                possible[value] += 1
            if write.outcome == UNKNOWN:
                unknown.add(value)
    stored = collections.Counter(record.value for record in log.values())
    for value, count in stored.items():
        if count <= possible[value]:
            verdict.counts["duplicates after unknown outcomes"] += count - 1
            continue
        kind = DUPLICATE if possible[value] else STORED_REFUSED if value in refused else PHANTOM
        verdict.add(kind, partition, f"{value} is there {count} times, {possible[value]} calls can "
                                     f"have stored it")
    verdict.counts["records of unknown outcome"] += len(unknown)
    verdict.counts["records of unknown outcome that are stored"] += len(unknown & set(stored))


def _check_batches(verdict, partition, writes, log):
    """The records of one call are stored together or not at all."""
    places = collections.defaultdict(list)
    for offset, record in sorted(log.items()):
        places[record.value].append(offset)
    for values in {tuple(write.values) for write in writes if len(write.values) > 1}:
        wanted = places[values[0]]
        for number, value in enumerate(values):
            if places[value] != [offset + number for offset in wanted]:
                verdict.add(TORN, partition, f"{values[0]} is at {wanted}, {value} of the same "
                                             f"batch at {places[value]}")
                break


def _check_reads(verdict, partition, reads, log):
    for read in reads:
        for offset, epoch, value in read.records:
            if log.get(offset) != Record(epoch, value):
                verdict.add(UNCOMMITTED, partition,
                            f"{read.client} read {value} (epoch {epoch}) at {offset} from broker "
                            f"{read.broker}; the log has {log.get(offset)}")
            else:
                verdict.counts["records read and found"] += 1


def _check_high_watermarks(verdict, partition, reads):
    for read in reads:
        if read.records and read.records[-1][0] >= read.high:
            verdict.add(ABOVE_HIGH, partition,
                        f"{read.client} was given {read.records[-1][0]} by broker {read.broker}, "
                        f"whose high watermark was {read.high}")


# --- progress: an answer never shows less than what was known before it was asked --------------


class _Progress:
    """Walks one partition's calls in time.

    `known[e]` is the highest end of the log that a call which has ended showed in epoch e: by an
    acknowledgement, or by a high watermark. Who leads in e knows all that was known in epochs up to
    e once it has committed in e, which an acknowledgement or a ListOffsets in e shows.
    """

    def __init__(self, verdict, partition, epochs, strict):
        self.verdict = verdict
        self.partition = partition
        self.epochs = epochs
        self.strict = strict
        self.known = {}  # Epoch -> (end of the log, by whom, time).
        self.confirmed = set()
        self.fetched = {}  # (client, epoch) -> (offset asked, high watermark) of its last fetch.

    def check(self, writes, reads, ends):
        acked = [write for write in writes if write.outcome == ACKED]
        ended = sorted(acked + [call for call in reads + ends if call.error == 0],
                       key=lambda call: call.end)
        at = 0
        for call in sorted(reads + ends, key=lambda call: call.start):
            while at < len(ended) and ended[at].end < call.start:
                self._learn(ended[at])
                at += 1
            if isinstance(call, End):
                self._check_end(call)
            elif call.error == OFFSET_OUT_OF_RANGE:
                self._check_range(call)
            elif call.error == 0:
                self._check_read(call)

    def _learn(self, call):
        if isinstance(call, Write):
            end = call.offset + len(call.values)
            epoch = self.epochs.get(call.offset)
            if epoch is None:
                return  # Nobody ever saw it again: the check for losses speaks of that.
            self.confirmed.add(epoch)
        elif isinstance(call, End):
            epoch, end = call.epoch, call.offset
            self.confirmed.add(epoch)
        else:
            epoch, end = call.epoch, call.high
            if end <= call.offset:
                return  # May be no more than what was asked for.
        if end > self.known.get(epoch, (-1,))[0]:
            self.known[epoch] = (end, f"{type(call).__name__.lower()} of {call.client}", call.end)

    def _highest(self, allowed):
        known = [self.known[epoch] for epoch in self.known if allowed(epoch)]
        return max(known, default=(-1, "", 0.0))

    def _behind(self, kind, call, shown, known):
        end, who, time = known
        if kind in (DEPOSED, UNCONFIRMED) and not self.strict:
            self.verdict.counts[kind] += 1
            self.verdict.behind_seconds = max(self.verdict.behind_seconds,
                                              call.start - time)
            return
        self.verdict.add(kind, self.partition,
                         f"{call.client} was shown {shown} by broker {call.broker} in epoch "
                         f"{call.epoch} at {call.start:.6f}; {end} was known by {who} at {time:.6f}")

    def _check_end(self, call):
        if call.error != 0:
            return
        known = self._highest(lambda epoch: epoch <= call.epoch)
        newer = self._highest(lambda epoch: epoch > call.epoch)
        if call.offset < known[0]:
            self._behind(STALE_END, call, call.offset, known)
        elif call.offset < newer[0]:
            self._behind(DEPOSED, call, call.offset, newer)

    def _check_range(self, call):
        known = self._highest(lambda epoch: epoch <= call.epoch)
        if call.offset <= known[0]:
            self._behind(RANGE, call, f"OFFSET_OUT_OF_RANGE at {call.offset}", known)

    def _check_read(self, call):
        must = call.epoch in self.confirmed
        known = self._highest(lambda epoch: epoch == call.epoch or must and epoch < call.epoch)
        older = self._highest(lambda epoch: epoch < call.epoch)
        newer = self._highest(lambda epoch: epoch > call.epoch)
        before = self.fetched.get((call.client, call.epoch))
        self.fetched[call.client, call.epoch] = (call.offset, call.high)
        if call.high < known[0]:
            self._behind(STALE_END, call, call.high, known)
        elif before and before[0] <= call.offset and call.high < before[1]:
            self._behind(STALE_END, call, call.high, (before[1], "itself", call.start))
        elif call.high < newer[0]:
            self._behind(DEPOSED, call, call.high, newer)
        elif call.high < older[0]:
            self._behind(UNCONFIRMED, call, call.high, older)
