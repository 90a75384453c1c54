"""Which faults come when, drawn from a seed. Pure.

Faults come in rounds of one to three that overlap; after each round everything is whole for a while.
"""
import random
import typing

FIRST_AFTER = 2.0
KINDS = {  # Weight, then the shortest and the longest seconds that it lasts.
    "kill": (4, 0.0, 3.0),
    "kill-all": (1, 0.0, 1.0),
    "crash-loop": (1, 0.5, 3.0),
    "stop": (2, 0.0, 2.0),
    "pause": (4, 0.1, 5.0),
    "pause-all": (1, 0.1, 3.0),
    "cut": (2, 0.3, 6.0),
    "part": (1, 0.3, 6.0),
    "isolate": (5, 0.3, 6.0),
    "flap": (2, 0.5, 4.0),
    "slow": (2, 1.0, 8.0),
    "full-disk": (2, 0.5, 4.0),
    "lose-disk": (2, 0.0, 3.0),
    "move": (6, 0.0, 6.0),
    "clock": (2, 0.1, 6.0),
}
OF_LINKS = {"cut", "part", "isolate", "flap"}
OF_ALL = {"kill-all", "pause-all"}
OF_PROCESSES = {"kill", "crash-loop", "stop", "pause", "full-disk", "lose-disk",
                "clock"} | OF_ALL
ALONE = {"lose-disk"}  # In a round of their own.
REPLICAS = 3
REPEATED = {"crash-loop": (0.02, 0.8), "flap": (0.02, 0.5)}  # Seconds that each part of it lasts.
ROUND_SIZES = (1, 1, 1, 2, 2, 3)
RATES_KBIT = (64, 256, 1000)
STEPS_MS = (-3_600_000, -60_000, -1000, -100, 100, 1000, 60_000, 3_600_000)


class Planned(typing.NamedTuple):
    """One fault: from `start` to `end`, in seconds since the beginning."""

    start: float
    end: float
    kind: str
    nodes: tuple  # Whose process; or the senders of the links.
    links: tuple = ()  # (sender, receiver) pairs.
    kbit: int = 0
    partition: str = ""   # What moves, and
    replicas: tuple = ()  # where to; none: a move of it is called off.
    step_ms: int = 0      # How far the wall clock jumps, and back in the end.

    def text(self):
        if self.partition:
            return f"{self.kind} {self.partition} to {' '.join(map(str, self.replicas)) or 'nowhere'}"
        where = " ".join(f"{a}>{b}" for a, b in self.links) or " ".join(map(str, self.nodes))
        rate = f" to {self.kbit} kbit/s" if self.kbit else ""
        step = f" by {self.step_ms / 1000:+g} s" if self.step_ms else ""
        return f"{self.kind} {where}{rate}{step} for {self.end - self.start:.2f} s"


def kinds_allowed(means):
    """The kinds that the machine allows."""
    return [kind for kind in KINDS
            if (kind not in OF_LINKS or means.links) and (kind != "slow" or means.slow)
            and (kind != "full-disk" or means.disks) and (kind != "clock" or means.clocks)]


def _links(rng, kind, nodes):
    one, other = rng.sample(nodes, 2)
    if kind in ("cut", "slow") or kind == "flap" and rng.random() < 0.5:
        return ((one, other),)
    if kind in ("part", "flap"):
        return ((one, other), (other, one))
    others = [node for node in nodes if node != one]
    sends, hears = [(one, node) for node in others], [(node, one) for node in others]
    return tuple(rng.choice([sends, hears, sends + hears]))


def _draw_move(rng, start, nodes, partitions):
    """It is asked for once, and goes on by itself while other things happen."""
    replicas = tuple(rng.sample(nodes, REPLICAS)) if rng.random() < 0.85 else ()
    return Planned(start, start, "move", (), (), 0, rng.choice(partitions), replicas)


def _draw_one(rng, kinds, nodes, partitions, begin):
    kind = rng.choices(kinds, [KINDS[kind][0] for kind in kinds])[0]
    _, shortest, longest = KINDS[kind]
    start = begin + rng.uniform(0, 1.5)
    # Short ones are as likely as long ones on a logarithmic scale: many bugs live below a second.
    share = rng.random() ** 2
    end = start + shortest + share * (longest - shortest)
    if kind == "move":
        return _draw_move(rng, start, nodes, partitions)
    if kind in OF_PROCESSES:
        hit = tuple(nodes) if kind in OF_ALL else (rng.choice(nodes),)
        step_ms = rng.choice(STEPS_MS) if kind == "clock" else 0
        return Planned(start, end, kind, hit, step_ms=step_ms)
    kbit = rng.choice(RATES_KBIT) if kind == "slow" else 0
    return Planned(start, end, kind, (), _links(rng, kind, nodes), kbit)


def _collide(one, other):
    """Two faults of one process, or of one link, never share a round."""
    return bool(set(one.nodes) & set(other.nodes) or set(one.links) & set(other.links))


def _parts(rng, fault):
    """The fault itself, or the short ones in a row that it is made of."""
    if fault.kind not in REPEATED:
        return [fault]
    parts, at = [], fault.start
    while at < fault.end:
        stop = at + rng.uniform(*REPEATED[fault.kind])
        parts.append(fault._replace(start=at, end=stop))
        at = stop + rng.uniform(*REPEATED[fault.kind])
    return parts


def draw(seed, seconds, kinds, partitions, nodes=(1, 2, 3, 4)):
    """All faults of a run, by their start. What cannot be here is left out: the rest stays as drawn."""
    rng = random.Random(seed)
    nodes, all_kinds = list(nodes), list(KINDS)
    planned, at = [], FIRST_AFTER
    while at < seconds:
        this_round = []
        for _ in range(rng.choice(ROUND_SIZES)):
            fault = _draw_one(rng, all_kinds, nodes, partitions, at)
            alone = fault.kind in ALONE or any(other.kind in ALONE for other in this_round)
            if this_round and alone or any(_collide(fault, other) for other in this_round):
                continue
            this_round += _parts(rng, fault)
        at = max(fault.end for fault in this_round) + rng.uniform(0.2, 2.5)
        planned += this_round
    return sorted(fault for fault in planned if fault.end <= seconds and fault.kind in kinds)
