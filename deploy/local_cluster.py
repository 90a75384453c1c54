#!/usr/bin/env python3
"""Runs a Garam cluster on this machine; the `cluster` command of ./dev, which builds first.

Broker i listens for clients on port+i-1 and for the other brokers on port+10000+i-1. Of broker N
DIR holds broker-N/ (its data), broker-N.properties, broker-N.log and, while it runs, broker-N.pid.
The environment variable GARAMD names the broker's program. Standard library only.
"""
import argparse
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import cluster_probe

HOST = "127.0.0.1"
CONTROL_PORTS_FROM = 10000  # A broker's control port lies this far above its client port.
BROKERS_MAX = 7
READY_SECONDS = 30
STOP_SECONDS = 30
COLOURS = (36, 33, 32, 35, 34, 31, 37)
ROOT = pathlib.Path(__file__).resolve().parent.parent


class ClusterError(Exception):
    """What the user is told, in one line."""


def say(text):
    print(text, flush=True)


class Broker:
    """One broker's files and process. Knows nothing of the others."""

    def __init__(self, data, number):
        self.number = number
        self.folder = data / f"broker-{number}"
        self.config = data / f"broker-{number}.properties"
        self.log = data / f"broker-{number}.log"
        self.pid_file = data / f"broker-{number}.pid"
        self.process = None

    def running(self):
        """A pidfd of the running broker, or None. A pid that went to a stranger is not ours."""
        try:
            pid = int(self.pid_file.read_text())
            handle = os.pidfd_open(pid)
        except (OSError, ValueError):
            return None
        # Read after the pidfd is open: from here on the pid cannot change hands unnoticed.
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            words = []
        if os.fsencode(self.config) in words and not select.select([handle], [], [], 0)[0]:
            return handle
        os.close(handle)
        return None

    def is_running(self):
        handle = self.running()
        if handle is not None:
            os.close(handle)
        return handle is not None

    def start(self, garamd, output):
        """Starts the process, its output to a file or a pipe, and writes the pid file."""
        command = [garamd, "--config", str(self.config)]
        try:
            # A session of its own: Ctrl-C reaches the one who watches, who then stops all.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True)
        except OSError as error:
            raise ClusterError(f"{garamd} does not start: {error.strerror}") from error
        self.pid_file.write_text(f"{self.process.pid}\n")

    def start_detached(self, garamd):
        with open(self.log, "ab") as log:
            self.start(garamd, log)

    def properties(self):
        lines = self.config.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")

    def client_port(self):
        return int(self.properties()["listeners"].rsplit(":", 1)[1])

    def last_lines(self, count=5):
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-count:]
        except OSError:
            lines = []
        return "".join(f"\n  {line}" for line in lines)


# --- what a folder holds ------------------------------------------------------------------------


def brokers_of(data):
    """The brokers that DIR has configurations of, by number."""
    numbers = []
    for path in data.glob("broker-*.properties"):
        match = re.fullmatch(r"broker-(\d+)\.properties", path.name)
        if match:
            numbers.append(int(match.group(1)))
    return [Broker(data, number) for number in sorted(numbers)]


def settle_shape(options, existing):
    """(brokers, port) of the cluster: DIR's own where it has one, and no other may be asked for."""
    if not existing:
        return options.brokers or 3, options.port or 9092
    port = existing[0].client_port()
    if options.brokers not in (None, len(existing)):
        raise ClusterError(f"{options.data} holds a cluster of {len(existing)} brokers: start it "
                           f"with --brokers {len(existing)}, or name another --data")
    if options.port not in (None, port):
        raise ClusterError(f"{options.data} holds a cluster on port {port}: start it with --port "
                           f"{port}, or name another --data")
    return len(existing), port


def check_shape(count, port):
    if not 1 <= count <= BROKERS_MAX:
        raise ClusterError(f"--brokers takes 1 to {BROKERS_MAX}, not {count}")
    highest = 65535 - CONTROL_PORTS_FROM - count + 1
    if not 1 <= port <= highest:
        raise ClusterError(f"--port takes 1 to {highest} for {count} brokers, not {port}: the "
                           f"brokers talk to each other on port+{CONTROL_PORTS_FROM} and up")


def check_port(port, what):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ClusterError(f"port {port} ({what}) can't be used: {error.strerror}; name "
                               f"another with --port") from error


def check_ports(count, port):
    for i in range(count):
        check_port(port + i, f"clients of broker {i + 1}")
        check_port(port + CONTROL_PORTS_FROM + i, f"broker {i + 1} to the others")


def write_configurations(data, count, port, settings):
    voters = ",".join(f"{i + 1}@{HOST}:{port + CONTROL_PORTS_FROM + i}" for i in range(count))
    brokers = []
    for i in range(count):
        broker = Broker(data, i + 1)
        lines = {
            "node.id": str(i + 1),
            "listeners": f"PLAINTEXT://{HOST}:{port + i}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port + i}",
            "controller.quorum.voters": voters,
            "log.dirs": str(broker.folder),
        }
        lines.update(settings)
        broker.folder.mkdir(exist_ok=True)
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        broker.config.write_text("# Written by ./dev cluster at each start.\n" + text)
        brokers.append(broker)
    return brokers


def settings_of(words):
    settings = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ClusterError(f"--set takes key=value, not '{word}'")
        settings[key] = value
    return settings


# --- starting and stopping ----------------------------------------------------------------------


def not_ready(broker, wanted):
    """Why the broker does not yet serve a cluster with the wanted ids; "" when it does."""
    try:
        known, controller = cluster_probe.brokers(HOST, broker.client_port())
    except cluster_probe.ProbeError as error:
        return f"broker {broker.number} does not answer: {error}"
    missing = wanted - {node for node, _, _ in known}
    if missing:
        return f"broker {broker.number} does not know broker {min(missing)} yet"
    return "" if controller >= 0 else f"broker {broker.number} knows no controller yet"


def wait_ready(brokers, wanted):
    """Returns when each of the brokers shows all the wanted ids; ClusterError if one ends first."""
    deadline = time.monotonic() + READY_SECONDS
    waiting = list(brokers)
    while waiting:
        for broker in brokers:
            code = broker.process.poll()
            if code is not None:
                raise ClusterError(f"broker {broker.number} ended with code {code}; the end of "
                                   f"{broker.log}:{broker.last_lines()}")
        reason = not_ready(waiting[0], wanted)
        if not reason:
            waiting.pop(0)
        elif time.monotonic() > deadline:
            raise ClusterError(f"not ready after {READY_SECONDS} s: {reason}; see "
                               f"{waiting[0].log}:{waiting[0].last_lines()}")
        else:
            time.sleep(0.01)


def stop(brokers, patience=STOP_SECONDS):
    """Stops the running ones of the brokers, all at once. Returns (stopped, killed) numbers."""
    handles = {}
    for broker in brokers:
        handle = broker.running()
        if handle is not None:
            handles[handle] = broker
            signal.pidfd_send_signal(handle, signal.SIGTERM)
    stopped, killed = [], []
    deadline = time.monotonic() + patience
    while handles:
        ended = select.select(list(handles), [], [], max(0.0, deadline - time.monotonic()))[0]
        if not ended:
            for handle, broker in handles.items():
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                killed.append(broker.number)
            deadline = time.monotonic() + patience
        for handle in ended:
            broker = handles.pop(handle)
            os.close(handle)
            broker.pid_file.unlink(missing_ok=True)
            stopped.append(broker.number)
    return sorted(stopped), sorted(killed)


def bootstrap(brokers):
    return ",".join(f"{HOST}:{broker.client_port()}" for broker in brokers)


def refuse_if_running(data, brokers):
    running = [str(broker.number) for broker in brokers if broker.is_running()]
    if running:
        raise ClusterError(f"brokers of {data} run already ({', '.join(running)}): stop them with "
                           f"./dev cluster --stop --data {data}")


def garamd():
    program = os.environ.get("GARAMD")
    if not program:
        raise ClusterError("GARAMD names no program: run this by ./dev cluster")
    return program


def prepare(options):
    """The brokers of DIR, configured and ready to start."""
    data = options.data
    existing = brokers_of(data)
    refuse_if_running(data, existing)
    settings = settings_of(options.set)
    count, port = settle_shape(options, existing)
    check_shape(count, port)
    check_ports(count, port)
    try:
        data.mkdir(parents=True, exist_ok=True)
        return write_configurations(data, count, port, settings)
    except OSError as error:
        raise ClusterError(f"{error.filename or data} can't be written: {error.strerror}") from error


def run_detached(options):
    brokers = prepare(options)
    began = time.monotonic()
    try:
        for broker in brokers:
            broker.start_detached(garamd())
        wait_ready(brokers, {broker.number for broker in brokers})
    except BaseException:
        stop(brokers, patience=5)
        raise
    took = time.monotonic() - began
    say(f"{len(brokers)} brokers ready in {took:.2f} s; data and logs in {options.data}")
    say(f"bootstrap servers: {bootstrap(brokers)}")
    return 0


def start_one(options):
    broker = Broker(options.data, options.start)
    if not broker.config.exists():
        raise ClusterError(f"{options.data} has no broker {options.start}")
    if broker.is_running():
        raise ClusterError(f"broker {options.start} runs already")
    began = time.monotonic()
    broker.start_detached(garamd())
    # Others may be down: only the broker itself must be a member again.
    wait_ready([broker], {broker.number})
    say(f"broker {broker.number} ready in {time.monotonic() - began:.2f} s on port "
        f"{broker.client_port()}")
    return 0


def stop_all(options):
    if not options.data.is_dir():
        raise ClusterError(f"there is no cluster in {options.data}")
    brokers = brokers_of(options.data)
    stopped, killed = stop(brokers)
    for broker in brokers:
        broker.pid_file.unlink(missing_ok=True)
    if killed:
        raise ClusterError(f"brokers {killed} did not stop within {STOP_SECONDS} s and were killed")
    say(f"stopped {len(stopped)} brokers" if stopped else f"no broker of {options.data} was running")
    return 0


# --- in the foreground --------------------------------------------------------------------------


def copy_log(broker, width):
    """Shows the broker's lines with its name before each, and keeps them in its log file."""
    name = f"broker-{broker.number}".ljust(width)
    if sys.stdout.isatty():
        name = f"\033[{COLOURS[broker.number - 1]}m{name}\033[0m"
    with open(broker.log, "ab") as log:
        for line in broker.process.stdout:
            log.write(line)
            log.flush()
            say(f"{name} | {line.decode(errors='replace').rstrip()}")


def watch(brokers):
    """Waits until every broker has ended; says so of each that ends by itself. Returns their codes."""
    codes = {}
    while len(codes) < len(brokers):
        for broker in brokers:
            code = broker.process.poll()
            if code is not None and broker.number not in codes:
                codes[broker.number] = code
                say(f"broker {broker.number} ended with code {code}; ./dev cluster --start "
                    f"{broker.number} --data {broker.folder.parent} starts it again")
        time.sleep(0.1)
    return codes


def run_foreground(options):
    brokers = prepare(options)
    threads = []
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        began = time.monotonic()
        for broker in brokers:
            broker.start(garamd(), subprocess.PIPE)
            threads.append(threading.Thread(target=copy_log, args=(broker, 9), daemon=True))
            threads[-1].start()
        wait_ready(brokers, {broker.number for broker in brokers})
        say(f"{len(brokers)} brokers ready in {time.monotonic() - began:.2f} s; bootstrap "
            f"servers: {bootstrap(brokers)}; Ctrl-C stops them")
        codes = watch(brokers)
        return 1 if any(codes.values()) else 0
    except KeyboardInterrupt:
        say("stopping")
        return 0
    finally:
        # A second Ctrl-C must not leave brokers behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stopped, killed = stop(brokers)
        for thread in threads:
            thread.join(2)
        if stopped:
            say(f"stopped {len(stopped)} brokers" + (f", killed {killed}" if killed else ""))


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev cluster", allow_abbrev=False,
                                     description="Runs a cluster of brokers on this machine.")
    parser.add_argument("--brokers", type=int, metavar="N", help="how many, 1 to 7 (default 3)")
    parser.add_argument("--port", type=int, help="the first broker's port (default 9092)")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / ".data", metavar="DIR",
                        help="where data, logs and pid files go (default .data)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="a line for every broker's server.properties")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--detach", action="store_true", help="return when all are ready")
    action.add_argument("--stop", action="store_true", help="stop the cluster of DIR")
    action.add_argument("--start", type=int, metavar="N", help="start broker N of DIR again")
    options = parser.parse_args(arguments)
    options.data = options.data.resolve()
    return options


def main(arguments):
    options = parse(arguments)
    try:
        if options.stop:
            return stop_all(options)
        if options.start is not None:
            return start_one(options)
        return run_detached(options) if options.detach else run_foreground(options)
    except ClusterError as error:
        print(f"dev: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
