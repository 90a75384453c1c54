"""What Linux says about processes and the machine."""

import dataclasses
import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Usage:
    """Of several processes together, since they began."""

    cpu_s: float = 0.0
    voluntary_switches: int = 0
    rss_mib: float = 0.0  # Of the largest process.
    rss_peak_mib: float = 0.0  # Of the largest process.
    pss_mib: float = 0.0  # Of the largest process.
    written_mib: float = 0.0


def _status(path):
    fields = {}
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        fields[key] = value.strip()
    return fields


def _pss_mib(process):
    try:
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def usage_of(pids):
    total = Usage()
    for pid in pids:
        process = pathlib.Path(f"/proc/{pid}")
        # After the name, which may hold anything, the fields are numbered from 3.
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        total.cpu_s += (int(fields[11]) + int(fields[12])) / TICKS
        status = _status(process / "status")
        total.rss_mib = max(total.rss_mib, int(status["VmRSS"].split()[0]) / 1024)
        total.rss_peak_mib = max(total.rss_peak_mib, int(status["VmHWM"].split()[0]) / 1024)
        total.pss_mib = max(total.pss_mib, _pss_mib(process))
        for task in (process / "task").iterdir():
            try:
                total.voluntary_switches += int(_status(task / "status")["voluntary_ctxt_switches"])
            except (OSError, KeyError):
                pass  # The thread has just ended.
        for line in (process / "io").read_text().splitlines():
            if line.startswith("write_bytes:"):
                total.written_mib += int(line.split()[1]) / 2**20
    return total


@dataclasses.dataclass
class MachineTime:
    """Seconds of all cores together, since boot."""

    busy_s: float
    steal_s: float
    total_s: float


def machine_time():
    numbers = [int(n) / TICKS for n in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = numbers[3] + numbers[4]
    return MachineTime(busy_s=sum(numbers) - idle, steal_s=numbers[7], total_s=sum(numbers))


def boot_id():
    return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def machine_line():
    cpu = "unknown CPU"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    memory = int(pathlib.Path("/proc/meminfo").read_text().splitlines()[0].split()[1]) / 2**20
    return f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB, Linux {os.uname().release}"
