"""What a schedule must be, whatever its seed."""
import itertools

import schedule

ALL = list(schedule.KINDS)


def overlapping(planned):
    return [(one, other) for one, other in itertools.combinations(planned, 2)
            if one.start <= other.end and other.start <= one.end]


def test_a_seed_always_draws_the_same():
    assert schedule.draw(7, 120, ALL) == schedule.draw(7, 120, ALL)
    assert schedule.draw(7, 120, ALL) != schedule.draw(8, 120, ALL)


def test_faults_of_one_process_or_link_do_not_overlap():
    for seed in range(200):
        for one, other in overlapping(schedule.draw(seed, 120, ALL)):
            assert not set(one.nodes) & set(other.nodes)
            assert not set(one.links) & set(other.links)


def test_every_kind_comes_and_ends_in_time():
    drawn = [fault for seed in range(50) for fault in schedule.draw(seed, 120, ALL)]
    assert {fault.kind for fault in drawn} == set(ALL)
    assert all(0 < fault.start <= fault.end <= 120 for fault in drawn)


def test_a_crash_loop_kills_again_and_again():
    drawn = [fault for seed in range(20) for fault in schedule.draw(seed, 120, ["crash-loop"])]
    close = [after.start - before.end for before, after in zip(drawn, drawn[1:])
             if 0 < after.start - before.end < 0.8]
    assert len(close) > len(drawn) / 3


def test_what_the_machine_lacks_is_left_out_and_the_rest_stays():
    some = [kind for kind in ALL if kind != "cut"]
    assert schedule.draw(3, 120, some) == [
        fault for fault in schedule.draw(3, 120, ALL) if fault.kind != "cut"]
