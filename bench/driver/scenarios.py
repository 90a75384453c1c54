"""The scenarios of bench/run, each against one running cluster.

Every measurement gives a flat {metric: number}; names end in their unit. What brokers used is
counted over exactly the measured call: warm-up is a call of its own.
"""

import dataclasses
import time

from driver import load, procfs


@dataclasses.dataclass(frozen=True)
class Profile:
    """How long everything takes."""

    rounds: int
    idle_s: float
    warm_s: dict  # By cluster name.
    rtt_s: float
    slow_rtt_s: float  # At a fixed rate.
    produce_s: float
    settle_s: float  # Of each scenario, not counted.
    long_forms: bool  # 1 KiB round trips too.


QUICK = Profile(rounds=1, idle_s=8, warm_s={"kafka": 25, "garam": 5}, rtt_s=6, slow_rtt_s=5,
                produce_s=6, settle_s=2, long_forms=False)
FULL = Profile(rounds=5, idle_s=30, warm_s={"kafka": 90, "garam": 15}, rtt_s=30, slow_rtt_s=30,
               produce_s=20, settle_s=5, long_forms=True)

PARTITIONS = 12
PRODUCE = ("--record-bytes", 1024, "--batch-bytes", 128 << 10, "--in-flight", 5, "--producers", 2)
REQUESTS_PER_S = 100


class Meter:
    """What the brokers and the machine used between two moments."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.usage = cluster.usage()
        self.machine = procfs.machine_time()
        self.began = time.monotonic()

    def stop(self, client_cpu_s=0.0):
        usage = self.cluster.usage()
        machine = procfs.machine_time()
        seconds = time.monotonic() - self.began
        cpu = usage.cpu_s - self.usage.cpu_s
        busy = machine.busy_s - self.machine.busy_s
        total = machine.total_s - self.machine.total_s
        return {
            "seconds": seconds,
            "broker_cpu_s": cpu,
            "client_cpu_s": client_cpu_s,
            "machine_cpu_s": busy,
            # Anything else that ran: softirq of our own traffic, and whoever shares the machine.
            "other_cpu_share": max(0.0, busy - cpu - client_cpu_s) / total if total else 0.0,
            "steal_share": (machine.steal_s - self.machine.steal_s) / total if total else 0.0,
            "voluntary_switches": usage.voluntary_switches - self.usage.voluntary_switches,
            "rss_mib": usage.rss_mib,
            "rss_peak_mib": usage.rss_peak_mib,
            "written_mib": usage.written_mib - self.usage.written_mib,
        }


def idle(cluster, profile):
    time.sleep(2)  # What starting left behind.
    meter = Meter(cluster)
    time.sleep(profile.idle_s)
    used = meter.stop()
    return {
        "rss_mib": used["rss_mib"],
        "pss_mib": cluster.usage().pss_mib,
        "cpu_percent": 100 * used["broker_cpu_s"] / used["seconds"],
        "other_cpu_share": used["other_cpu_share"],
    }


def warm_up(cluster, profile):
    """Half load until the time is up and three 5 s windows agree within 5 %, or twice the time."""
    load.create(cluster, "warm", PARTITIONS, "P")
    wanted = profile.warm_s[cluster.name]
    began = time.monotonic()
    windows = []
    while True:
        result = load.run(cluster, "produce", "--record-bytes", 1024, "--batch-bytes", 16 << 10,
                          "--in-flight", 1, "--warmup", 0, "--seconds", min(5, wanted), topic="warm")
        windows.append(result["megabytes_per_s"])
        spent = time.monotonic() - began
        last = windows[-3:]
        agree = len(last) == 3 and max(last) <= 1.05 * min(last)
        if spent >= wanted and (agree or spent >= 2 * wanted or not profile.long_forms):
            break
    load.delete(cluster, "warm")
    return {"seconds": time.monotonic() - began, "agreed": int(agree)}


def round_trip(cluster, profile, topic, record_bytes, rate):
    """S1: one record a request, one in flight; at a fixed rate, latency counts from the plan."""
    shape = ("--record-bytes", record_bytes, "--acks", "all")
    if rate:
        shape += ("--rate", rate, "--in-flight", 5, "--consume")
    load.run(cluster, "rtt", *shape, "--warmup", 0, "--seconds", profile.settle_s, topic=topic)
    meter = Meter(cluster)
    seconds = profile.slow_rtt_s if rate else profile.rtt_s
    result = load.run(cluster, "rtt", *shape, "--warmup", 0, "--seconds", seconds, topic=topic)
    used = meter.stop(result["client_cpu_s"])
    latency = result["latency_us"]
    requests = max(1, latency["count"])
    names = ("p50", "p90", "p99", "p999", "max")
    arrival = {f"e2e_{name}_us": result["end_to_end_us"][name] for name in names} if rate else {}
    return {f"{name}_us": latency[name] for name in names} | arrival | {
        "requests_per_s": result["requests_per_s"],
        "errors": result["errors"],
        "cpu_us_per_request": 1e6 * used["broker_cpu_s"] / requests,
        "switches_per_request": used["voluntary_switches"] / requests,
        "other_cpu_share": used["other_cpu_share"],
        "steal_share": used["steal_share"],
    }


def produce(cluster, profile, topic, acks, megabytes_per_s=None, together=1):
    """S2: batches to all partitions from two producers, of `together` partitions in a request."""
    shape = (*PRODUCE, "--partitions-per-request", together)
    if megabytes_per_s:
        records = (128 * 1024 - 61) // (1024 + 12)  # As RecordsPerBatch has it.
        shape += ("--rate", megabytes_per_s * 1e6 / (records * 1024))
    # A new partition's leader may not be ready yet, which without answers closes the connection.
    settling = "1" if acks == "0" else acks
    load.run(cluster, "produce", *shape, "--acks", settling, "--warmup", 0, "--seconds",
             profile.settle_s, topic=topic)
    meter = Meter(cluster)
    result = load.run(cluster, "produce", *shape, "--acks", acks, "--warmup", 0, "--seconds",
                      profile.produce_s, topic=topic)
    used = meter.stop(result["client_cpu_s"])
    gigabytes = max(1e-9, result["megabytes"] / 1000)
    latency = result["latency_us"]
    return {
        "mb_per_s": result["megabytes_per_s"],
        "cpu_s_per_gb": used["broker_cpu_s"] / gigabytes,
        "machine_cpu_s_per_gb": used["machine_cpu_s"] / gigabytes,
        "client_cpu_s_per_gb": result["client_cpu_s"] / gigabytes,
        "p50_us": latency["p50"],
        "p99_us": latency["p99"],
        "rss_mib": used["rss_mib"],
        "rss_peak_mib": used["rss_peak_mib"],
        "switches_per_mb": used["voluntary_switches"] / (1000 * gigabytes),
        "written_per_produced": used["written_mib"] * 1.048576 / (1000 * gigabytes),
        "errors": result["errors"],
        "other_cpu_share": used["other_cpu_share"],
        "steal_share": used["steal_share"],
    }


def fetch(cluster, profile, topic):
    meter = Meter(cluster)
    result = load.run(cluster, "fetch", "--seconds", profile.produce_s, "--again", topic=topic)
    used = meter.stop(result["client_cpu_s"])
    gigabytes = max(1e-9, result["megabytes"] / 1000)
    return {
        "mb_per_s": result["megabytes_per_s"],
        "cpu_s_per_gb": used["broker_cpu_s"] / gigabytes,
        "other_cpu_share": used["other_cpu_share"],
        "steal_share": used["steal_share"],
    }


def all_of(cluster, profile, note, half_rate_of):
    """Every scenario of one round. `half_rate_of(mode)` gives the MB/s that both sides are compared
    at, or None while it is not known; `note(name, result)` is told of each as it ends."""

    def measured(name, function, *arguments):
        # One scenario that a cluster fails must not hide the others.
        try:
            note(name, function(cluster, profile, *arguments))
        except load.LoadError as error:
            note(name, {"failed": str(error)})

    measured("idle", idle)
    measured("warm-up", warm_up)
    for mode in ("P", "F"):
        topic = f"rtt-{mode}"
        load.create(cluster, topic, 1, mode)
        measured(f"rtt 100 B {mode}", round_trip, topic, 100, 0)
        measured(f"rtt 100 B at {REQUESTS_PER_S}/s {mode}", round_trip, topic, 100, REQUESTS_PER_S)
        if profile.long_forms:
            measured(f"rtt 1 KiB {mode}", round_trip, topic, 1024, 0)
    for mode, levels in (("P", ("all", "1", "0")), ("F", ("all", "1"))):
        for acks in levels:
            topic = f"produce-{mode}-{acks}"
            load.create(cluster, topic, PARTITIONS, mode)
            measured(f"produce acks={acks} {mode}", produce, topic, acks)
            if acks == "all":
                measured(f"produce acks=all {mode}, 4 partitions a request", produce, topic, acks,
                         None, 4)
                rate = half_rate_of(mode)
                if rate:
                    measured(f"produce acks=all {mode} at half Kafka's rate", produce, topic, acks,
                             rate)
                if mode == "P":
                    measured("fetch", fetch, topic)
            load.delete(cluster, topic)
