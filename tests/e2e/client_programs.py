"""The programs of clients/, built once for a checkout: clients that are not of Python.

Each function returns the beginning of a command line.
"""
import functools
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

import kafka_jars

SOURCES = pathlib.Path(__file__).parent / "clients"
BUILT = kafka_jars.ROOT / "build" / "e2e-clients"
# What kafka-clients needs beside itself.
LIBRARIES = ("jackson-annotations", "jackson-core", "jackson-databind", "log4j-api", "log4j-core",
             "log4j-slf4j-impl", "lz4-java", "slf4j-api", "snappy-java", "zstd-jni")
# The kafka-clients of each UI; the last one that has AlterConfigs compiles for both.
OF_UI = {"kafbat": "3.9.1", "akhq": "3.6.2"}
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy"


def run(command, folder, settings=None):
    assert shutil.which(command[0]), f"{command[0]} is missing: ./dev test installs it"
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                           env={**os.environ, **(settings or {})})
    assert ended.returncode == 0, f"{' '.join(command)}:\n{ended.stdout}{ended.stderr}"


def built(name, make):
    """The folder in which make(sources, folder) has built clients/NAME as it is now."""
    sources, folder = SOURCES / name, BUILT / name
    digest = hashlib.sha256()
    for path in sorted(sources.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    digest.update(json.dumps(OF_UI).encode() + kafka_jars.POM.read_bytes())
    marker = folder / "complete"
    if not (marker.exists() and marker.read_text() == digest.hexdigest()):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(sources, folder)
        marker.write_text(digest.hexdigest())
    return folder


def make_java(sources, folder):
    for version in OF_UI.values():
        run(["mvn", "-q", "-B", COPY, f"-Dartifact=org.apache.kafka:kafka-clients:{version}",
             f"-DoutputDirectory={folder}"], folder)
    shutil.copy(sources / "log4j2.properties", folder)
    own = [str(sources / name) for name in ("Commands.java", "Member.java")]
    run(["javac", "-d", str(folder), "-cp", f"{kafka_jars.JARS}/*", *own], folder)
    run(["javac", "-d", str(folder), "-cp", classes_of_ui(folder, "akhq"),
         str(sources / "Uis.java")], folder)


def classes_of_ui(folder, ui):
    others = [str(path) for name in LIBRARIES for path in kafka_jars.JARS.glob(f"{name}-[0-9]*.jar")]
    return ":".join([str(folder / f"kafka-clients-{OF_UI[ui]}.jar"), str(folder), *others])


def make_go(sources, folder):
    # No other toolchain than the machine's.
    run(["go", "build", "-o", str(folder / "clients"), "."], sources,
        {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"})


def make_js(sources, folder):
    for path in sources.iterdir():
        shutil.copy(path, folder)
    run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"], folder)


@functools.cache
def java_folder():
    kafka_jars.fetch()
    return built("java", make_java)


def java(program, heap="128m"):
    """On Kafka's own client of the version of its commands."""
    return ["java", f"-Xmx{heap}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp",
            f"{java_folder()}:{kafka_jars.JARS}/*", program]


def ui(name):
    """The calls of kafbat or akhq, on the client that it uses."""
    if name == "console":
        return go("console")
    return ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp",
            classes_of_ui(java_folder(), name), "Uis", name]


@functools.cache
def go_folder():
    return built("go", make_go)


def go(program):
    return [str(go_folder() / "clients"), program]


@functools.cache
def js_folder():
    return built("js", make_js)


def js(program):
    return ["node", str(js_folder() / f"{program}.js")]
