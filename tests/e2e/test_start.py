"""A broker that cannot start says why in one line and ends with an error; the others do not care."""
import shutil

import pytest

from cluster import PATIENCE


def refusal(broker, **overrides):
    """Starts it; returns the line that it ends with."""
    before = len(broker.log_text())
    broker.start(**overrides)
    code = broker.process.wait(20 * PATIENCE)
    said = broker.log_text()[before:].strip().splitlines()
    assert code not in (0, None) and code > 0, f"exit code {code}: {said}"
    assert said, "it says something"
    return said[-1]


def test_a_port_in_use_is_named(make_cluster):
    first = make_cluster(1).start()
    second = make_cluster(1)
    line = refusal(second[1], listeners=f"PLAINTEXT://127.0.0.1:{first[1].port}")
    assert str(first[1].port) in line


def test_a_data_folder_that_cannot_be_made_is_named(make_cluster, tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    assert str(file) in refusal(make_cluster(1)[1], **{"log.dirs": file / "data"})


def test_a_data_folder_in_use_is_named(make_cluster):
    first = make_cluster(1).start()
    second = make_cluster(1)
    assert str(first[1].data) in refusal(second[1], **{"log.dirs": first[1].data})


def test_the_data_folder_of_another_node_is_refused(make_cluster):
    cluster = make_cluster(1).start()
    assert cluster[1].terminate() == 0
    voters = cluster[1].settings["controller.quorum.voters"].replace("1@", "7@")
    line = refusal(cluster[1], **{"node.id": 7, "controller.quorum.voters": voters})
    assert str(cluster[1].data) in line and "7" in line


def test_the_data_folder_of_another_cluster_is_refused(make_cluster):
    one, other = make_cluster(3).start(), make_cluster(3).start()
    one.create_topic("kept", 1)
    for cluster in (one, other):
        assert cluster[1].terminate() == 0
    shutil.rmtree(one[1].data)
    shutil.copytree(other[1].data, one[1].data)
    assert "cluster" in refusal(one[1])
    one.wait_ready(nodes=[2, 3])


@pytest.mark.parametrize("key, value, named", [
    ("log.dir.s", "x", "log.dirs"),
    ("num.partitions", "many", "num.partitions"),
    ("listeners", "PLAINTEXT//nowhere", "listeners"),
])
def test_a_wrong_setting_is_named(make_cluster, key, value, named):
    line = refusal(make_cluster(1)[1], **{key: value})
    assert key in line and named in line


def test_three_brokers_stop_cleanly(three):
    for broker in three.brokers.values():
        assert broker.terminate() == 0
