"""That a broker lives by the clock that it was given: the time at the head of a log line shows it."""
import datetime
import subprocess

from brokers import program
from clocks import WallClock


def told_time(clock):
    """What a broker that refuses its configuration says the time was."""
    ended = subprocess.run([*clock.command(), program(), "--set", "node.id=none"],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert "node.id" in ended.stderr, ended
    told = datetime.datetime.fromisoformat(ended.stderr.split()[0])
    return told.replace(tzinfo=datetime.timezone.utc)


def test_a_step_is_seen_and_taken_back(tmp_path):
    clock = WallClock(tmp_path / "clock")
    for step_ms in (3_600_000, -3_600_000, 0):
        clock.set_step(step_ms)
        step = datetime.timedelta(milliseconds=step_ms)
        before = datetime.datetime.now(datetime.timezone.utc)
        told = told_time(clock)
        after = datetime.datetime.now(datetime.timezone.utc)
        assert before - datetime.timedelta(milliseconds=1) <= told - step <= after
