"""Runs kcat, Debian's command-line client on librdkafka."""
import subprocess

from cluster import PATIENCE


def run(*arguments, stdin=None, seconds=60):
    """Returns kcat's standard output; fails with its standard error."""
    result = subprocess.run(["kcat", *map(str, arguments)], input=stdin, capture_output=True,
                            timeout=seconds * PATIENCE, check=False)
    assert result.returncode == 0, f"kcat {arguments}: {result.stderr.decode()}"
    return result.stdout


def produce(bootstrap, topic, data, *options):
    """Writes each line of data as a record."""
    return run("-P", "-b", bootstrap, "-t", topic, *options, stdin=data)


def consume(bootstrap, topic, form="%p %o %s\n", count=None):
    """Reads the topic to its end, or until count records; returns the lines that form makes of them."""
    until = ["-e"] if count is None else ["-c", count]
    out = run("-C", *until, "-q", "-b", bootstrap, "-t", topic, "-o", "beginning", "-f", form)
    return out.decode().splitlines()
