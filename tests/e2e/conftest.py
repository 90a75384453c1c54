"""Fixtures of the end-to-end tests: clusters that show their logs when a test fails."""
import signal

import pytest

from cluster import Cluster

# Jobs in the background of a shell ignore it, and so would every client that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Adds the end of every broker's log to the report of a test that failed."""
    report = (yield).get_result()
    if not report.failed or report.when == "teardown":
        return
    for made in getattr(item, "clusters_made", []):
        for broker in made.brokers.values():
            lines = broker.log_text().splitlines()[-40:]
            state = "running" if broker.is_running() else "not running"
            report.sections.append((f"broker {broker.node} ({state})", "\n".join(lines)))


@pytest.fixture(scope="module")
def broker_settings():
    """What the brokers of a module's clusters of three are given; a module may have its own."""
    return {}


@pytest.fixture
def make_cluster(request, tmp_path):
    """make_cluster(count=3, settings={…}) makes a cluster, not yet started; all end with the test."""
    request.node.clusters_made = []

    def make(count=3, settings=None):
        number = len(request.node.clusters_made)
        made = Cluster(tmp_path / f"cluster-{number}", count, settings)
        request.node.clusters_made.append(made)
        return made

    yield make
    for made in request.node.clusters_made:
        made.close()


@pytest.fixture
def three(make_cluster, broker_settings):
    """Three brokers, ready."""
    return make_cluster(3, broker_settings).start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, broker_settings):
    """Three brokers for all tests of a module that leave them as they are."""
    made = Cluster(tmp_path_factory.mktemp("shared"), settings=broker_settings)
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture
def healthy(request, shared):
    """The shared cluster; the test fails if a broker ended, or serves no more."""
    request.node.clusters_made = [shared]
    yield shared
    assert len(shared.running()) == len(shared.brokers), "a broker ended"
    shared.wait_ready()
