"""Calls of the load generator."""

import json
import subprocess

from driver import paths


class LoadError(Exception):
    pass


def command(cluster, verb, *arguments, topic="bench"):
    if not paths.GENERATOR.exists():
        raise LoadError(f"{paths.GENERATOR} is not built: ninja -C build/release garam-bench")
    return [str(paths.GENERATOR), "--bootstrap", cluster.bootstrap, "--topic", topic, "--json",
            verb, *(str(argument) for argument in arguments)]


def run(cluster, verb, *arguments, topic="bench"):
    done = subprocess.run(command(cluster, verb, *arguments, topic=topic), capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise LoadError(f"{verb} against {cluster.name}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def create(cluster, topic, partitions, mode):
    configs = []
    for key, value in cluster.modes[mode].items():
        configs += ["--config", f"{key}={value}"]
    run(cluster, "create", "--partitions", partitions, "--replication-factor",
        min(3, cluster.brokers), *configs, topic=topic)


def delete(cluster, topic):
    run(cluster, "delete", topic=topic)


def partitions(cluster, topic):
    """{partition: {"leader", "epoch", "replicas", "isr"}} as the first broker that answers says."""
    state = run(cluster, "describe", topic=topic)
    return {p["partition"]: p for t in state["topics"] for p in t["partitions"]}
