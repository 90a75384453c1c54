"""`./dev cluster`: start, look, kill, start again, stop."""
import os
import pathlib
import signal
import socket
import subprocess

import pytest

import kafka_wire as wire
import kcat
from cluster import HOST, PATIENCE, PORTS, eventually, is_free

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTROL = 10000


def free_port(count=3):
    for port in range(PORTS[0] + os.getpid() % 5000, PORTS[-1], count):
        if all(is_free(port + i) and is_free(port + CONTROL + i) for i in range(count)):
            return port
    raise AssertionError("no free ports")


def is_gone(pid):
    """True if the process has ended; init may not have taken notice of it yet."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] == "Z"
    except OSError:
        return True


class Dev:
    def __init__(self, data):
        self.data = data
        self.port = free_port()

    def command(self, *arguments):
        return [ROOT / "dev", "cluster", "--data", self.data, *map(str, arguments)]

    def run(self, *arguments):
        return subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60 * PATIENCE, check=False)

    def ok(self, *arguments):
        result = self.run(*arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def refused(self, *arguments):
        result = self.run(*arguments)
        assert result.returncode != 0
        lines = result.stderr.strip().splitlines()
        assert len(lines) == 1, lines
        return lines[0]

    def pid(self, node):
        return int((self.data / f"broker-{node}.pid").read_text())

    def brokers(self, node=1):
        with wire.Connection(self.port + node - 1) as connection:
            return set(connection.metadata().brokers)


@pytest.fixture
def dev(tmp_path):
    made = Dev(tmp_path / "data")
    yield made
    made.run("--stop")


def test_a_detached_cluster_is_ready_and_survives_kill_and_start(dev):
    out = dev.ok("--port", dev.port, "--detach", "--set", "num.partitions=2")
    bootstrap = ",".join(f"{HOST}:{dev.port + i}" for i in range(3))
    assert f"bootstrap servers: {bootstrap}" in out
    print(out)
    assert dev.brokers() == {1, 2, 3}
    kcat.produce(bootstrap, "t", b"one\n")
    os.kill(dev.pid(2), signal.SIGKILL)
    eventually(lambda: dev.brokers() == {1, 3}, what="broker 2 leaves the list")
    dev.ok("--start", 2)
    eventually(lambda: dev.brokers() == {1, 2, 3}, what="broker 2 is back")
    assert kcat.consume(bootstrap, "t", "%s\n") == ["one"]
    assert "runs already" in dev.refused("--start", 2)
    assert "run already" in dev.refused("--detach")
    pids = [dev.pid(node) for node in (1, 2, 3)]
    assert "stopped 3 brokers" in dev.ok("--stop")
    assert all(is_gone(pid) for pid in pids)
    assert list(dev.data.glob("*.pid")) == []
    assert "--brokers 3" in dev.refused("--detach", "--brokers", 5)
    dev.ok("--detach")
    assert kcat.consume(bootstrap, "t", "%s\n") == ["one"]


def as_from_a_terminal():
    """What a script starts in the background ignores Ctrl-C, and whatever that starts as well."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_stops_a_cluster_in_the_foreground(dev):
    process = subprocess.Popen(dev.command("--port", dev.port, "--brokers", 1), text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               preexec_fn=as_from_a_terminal)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "brokers ready" in line:
                break
        assert any(line.startswith("broker-1  | ") for line in lines)
        pid = dev.pid(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert is_gone(pid)
    finally:
        process.kill()


def test_a_stale_pid_file_harms_no_stranger(dev):
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        dev.ok("--port", dev.port, "--brokers", 1, "--detach")
        dev.ok("--stop")
        (dev.data / "broker-1.pid").write_text(f"{stranger.pid}\n")
        assert "no broker" in dev.ok("--stop")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_what_it_cannot_do_it_says_in_one_line(dev):
    with socket.create_server((HOST, dev.port + 1)):
        assert str(dev.port + 1) in dev.refused("--port", dev.port, "--detach")
    with socket.create_server((HOST, dev.port + CONTROL)):
        assert str(dev.port + CONTROL) in dev.refused("--port", dev.port, "--detach")
    assert "--brokers" in dev.refused("--brokers", 8)
    assert "key=value" in dev.refused("--set", "nothing")
    assert "no cluster" in dev.refused("--stop")
