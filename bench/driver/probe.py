"""A probe as a child: either of the two, both speak the same lines."""

import json
import statistics
import subprocess
import sys

from driver import load, paths

#: What ./dev test makes; else one of our own with the same version.
TEST_VENV = paths.ROOT / ".venv"
OWN_VENV = paths.RESULTS / "venv"
REQUIREMENTS = paths.ROOT / "tests" / "e2e" / "requirements.txt"


class Probe:
    """Use as a context: it runs until the context ends."""

    def __init__(self, command, describes):
        self.command = command
        self.describes = describes

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self._expect("ready")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _expect(self, event):
        for line in self.process.stdout:
            message = json.loads(line)
            if message["event"] == event:
                return message
        raise load.LoadError(f"the probe ended early ({self.describes})")

    def mark(self, name):
        """Ends a window; {partition: {"acks", "longest_gap_ms", …}} of it."""
        self.process.stdin.write(f"mark {name}\n")
        self.process.stdin.flush()
        return {p["partition"]: p for p in self._expect(name)["partitions"]}


def raw(cluster, topic, interval_us):
    return Probe(load.command(cluster, "probe", "--interval-us", interval_us, topic=topic),
                 f"raw protocol, one connection a partition, follows new-leader hints, a probe every "
                 f"{interval_us} us")


def librdkafka(cluster, topic, interval_us):
    python = venv_python()
    script = paths.ROOT / "bench" / "rdkafka_probe.py"
    version = subprocess.run([python, script, "--version"], capture_output=True, text=True,
                             check=True).stdout.strip()
    return Probe([python, script, cluster.bootstrap, topic, str(interval_us)],
                 f"{version}, stock settings but acks=all and linger.ms=0, a probe every "
                 f"{interval_us} us")


CLIENTS = {"raw": raw, "librdkafka": librdkafka}


def venv_python():
    for venv in (TEST_VENV, OWN_VENV):
        if (venv / "bin" / "python3").exists():
            return str(venv / "bin" / "python3")
    wanted = next(line for line in REQUIREMENTS.read_text().splitlines()
                  if line.startswith("confluent-kafka"))
    print(f"installing {wanted} from PyPI", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", OWN_VENV], check=True)
    python = OWN_VENV / "bin" / "python3"
    subprocess.run([python, "-m", "pip", "install", "-q", wanted], check=True)
    return str(python)


def gaps(window, partitions=None):
    """The longest gaps in milliseconds, of `partitions` or of all."""
    return [p["longest_gap_ms"] for n, p in window.items() if partitions is None or n in partitions]


def summary(values):
    if not values:
        return "-"
    return f"median {statistics.median(values):,.0f}  worst {max(values):,.0f} ms"
