"""The jars of Apache Kafka, from Maven Central."""
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
JARS = ROOT / "build" / "kafka-tools"
POM = pathlib.Path(__file__).parent / "kafka_tools" / "pom.xml"
FETCH = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies"


def fetch():
    """Once for a checkout; the marker comes last, so that half a folder does not count."""
    marker = JARS / "complete"
    if marker.exists() and marker.read_bytes() == POM.read_bytes():
        return
    assert shutil.which("mvn"), "mvn is missing: apt-get install maven"
    fetched = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(POM), FETCH, "-DincludeScope=runtime",
         f"-DoutputDirectory={JARS}"], capture_output=True, text=True)
    assert fetched.returncode == 0, f"Kafka's jars could not be fetched:\n{fetched.stdout}"
    marker.write_bytes(POM.read_bytes())
