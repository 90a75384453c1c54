"""What a schedule must be, whatever its seed."""
import itertools

import schedule

ALL = list(schedule.KINDS)
PARTITIONS = ["a-0", "a-1", "b-0"]


def overlapping(planned):
    return [(one, other) for one, other in itertools.combinations(planned, 2)
            if one.start <= other.end and other.start <= one.end]


def test_a_seed_always_draws_the_same():
    assert schedule.draw(7, 120, ALL, PARTITIONS) == schedule.draw(7, 120, ALL, PARTITIONS)
    assert schedule.draw(7, 120, ALL, PARTITIONS) != schedule.draw(8, 120, ALL, PARTITIONS)


def test_faults_of_one_process_or_link_do_not_overlap():
    for seed in range(200):
        for one, other in overlapping(schedule.draw(seed, 120, ALL, PARTITIONS)):
            assert not set(one.nodes) & set(other.nodes)
            assert not set(one.links) & set(other.links)


def test_every_kind_comes_and_ends_in_time():
    drawn = [fault for seed in range(50) for fault in schedule.draw(seed, 120, ALL, PARTITIONS)]
    assert {fault.kind for fault in drawn} == set(ALL)
    assert all(0 < fault.start <= fault.end <= 120 for fault in drawn)


def test_a_crash_loop_kills_again_and_again():
    drawn = [fault for seed in range(20)
             for fault in schedule.draw(seed, 120, ["crash-loop"], PARTITIONS)]
    close = [after.start - before.end for before, after in zip(drawn, drawn[1:])
             if 0 < after.start - before.end < 0.8]
    assert len(close) > len(drawn) / 3


def test_what_the_machine_lacks_is_left_out_and_the_rest_stays():
    some = [kind for kind in ALL if kind != "cut"]
    assert schedule.draw(3, 120, some, PARTITIONS) == [
        fault for fault in schedule.draw(3, 120, ALL, PARTITIONS) if fault.kind != "cut"]


def test_nothing_else_happens_while_a_disk_is_lost():
    for seed in range(200):
        for one, other in overlapping(schedule.draw(seed, 120, ALL, PARTITIONS)):
            assert "lose-disk" not in (one.kind, other.kind)


def test_a_move_goes_to_three_brokers_or_is_called_off():
    moves = [fault for seed in range(20) for fault in schedule.draw(seed, 120, ["move"], PARTITIONS)]
    assert {len(set(fault.replicas)) for fault in moves} == {0, 3}
    assert {fault.partition for fault in moves} == set(PARTITIONS)
    assert {node for fault in moves for node in fault.replicas} == {1, 2, 3, 4}
