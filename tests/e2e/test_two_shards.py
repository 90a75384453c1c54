"""Other modules' tests once more, with two event loops in each broker.

A connection then lives on one loop and half of the partitions on the other, so that requests, waiting
fetches, streams and elections cross between them. By default a small machine has one loop.
"""
import pathlib

import pytest

# Run here with this module's `broker_settings`.
from test_bad_input import (  # noqa: F401
    test_a_fetch_waits_for_a_record_and_no_longer,
    test_pipelined_requests_are_answered_in_order,
    topic,
)
from test_clients import (  # noqa: F401
    test_a_topic_made_again_under_its_name_is_empty,
    test_kafka_python_creates_and_deletes_topics,
    test_kafka_python_writes_and_reads,
    test_librdkafka_creates_and_deletes_topics,
    test_librdkafka_finds_offsets_by_time,
    test_librdkafka_writes_and_reads,
)
from test_failover import (  # noqa: F401
    test_a_cluster_stopped_and_started_has_what_it_had,
    test_all_brokers_killed_at_once_come_back_with_everything,
    test_no_acknowledged_record_is_lost_when_leaders_go,
)
from test_kcat_round_trip import (  # noqa: F401
    test_a_file_comes_back_line_by_line,
    test_a_topic_is_made_by_its_first_use,
    test_each_kind_of_acknowledgement_works,
)


@pytest.fixture(scope="module")
def broker_settings():
    return {"garam.shards": 2}


def test_each_broker_has_two_event_loops(healthy):
    for broker in healthy.brokers.values():
        threads = pathlib.Path(f"/proc/{broker.process.pid}/task").glob("*/comm")
        names = [thread.read_text().strip() for thread in threads]
        loops = sorted(name for name in names if name.startswith("garam-shard-"))
        assert loops == ["garam-shard-0", "garam-shard-1"]
