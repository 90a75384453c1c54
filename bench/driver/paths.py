"""Where things are, and what they are called."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
GENERATOR = BUILD / "bench" / "garam-bench"
GARAMD = BUILD / "broker" / "app" / "garamd"
KAFKA_JARS = ROOT / "build" / "kafka"
KAFKA_POM = ROOT / "bench" / "kafka" / "pom.xml"
KAFKA_VERSION = "4.3.1"
RESULTS = ROOT / "build" / "bench"
DATA = RESULTS / "data"
