"""A network and mounts of our own, which nobody else sees and which end with this process.

`enter` runs the program again under unshare(1), as root or with a user namespace. What the kernel or
the container does not allow is left out, with the reason.
"""
import os
import subprocess
import sys
import typing

import clocks

INSIDE = "GARAM_NEMESIS_INSIDE"
WAYS = (["unshare", "--net", "--mount"],
        ["unshare", "--net", "--mount", "--user", "--map-root-user"])
LINKS = """
ip link set lo up
ip link add bridge0 type bridge
ip link add port0 type veth peer name peer0
ip link set port0 master bridge0
tc qdisc replace dev port0 root bfifo limit 1
"""
SLOW = LINKS + "tc qdisc replace dev port0 root tbf rate 100kbit burst 4kb latency 500ms\n"
DISKS = "mount -t tmpfs -o size=1m tmpfs /mnt\n"


class Means(typing.NamedTuple):
    """Which faults this machine allows."""

    links: bool
    slow: bool
    disks: bool
    clocks: bool


def _allows(way, script):
    try:
        done = subprocess.run([*way, "sh", "-ec", script], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        return False, str(error)
    lines = done.stderr.strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else f"code {done.returncode}"


def _best_way():
    """(unshare's command, what it allows, why not more)."""
    no_clocks = clocks.why_not()
    reasons = [f"clocks: {no_clocks}"] if no_clocks else []
    for way in WAYS:
        allowed = []
        for name, script in (("links", LINKS), ("slow", SLOW), ("disks", DISKS)):
            works, reason = _allows(way, script)
            allowed.append(works)
            if not works:
                reasons.append(f"{name}: {reason}")
        if allowed[0]:
            return way, Means(*allowed, not no_clocks), reasons
    return None, Means(False, False, False, not no_clocks), reasons


def enter():
    """The Means; does not return where the program is run again inside."""
    inside = os.environ.get(INSIDE)
    if inside is not None:
        return Means(*(letter == "1" for letter in inside))
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # Where tc lies, and users do not look.
    way, means, reasons = _best_way()
    if not all(means):
        print(f"left out here: {'; '.join(reasons)}", flush=True)
    if way is None:
        return means
    os.environ[INSIDE] = "".join("01"[allowed] for allowed in means)
    os.execvp(way[0], [*way, sys.executable, *sys.argv])
