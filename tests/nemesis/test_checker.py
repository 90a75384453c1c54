"""Each kind of violation in a history made up for it, and histories that are right."""
import checker
from checker import check
from history import ACKED, REFUSED, UNKNOWN, End, Final, Log, Read, Write, load

P = "synced-0"


def write(values, start, end, offset=-1, outcome=ACKED, client="w1"):
    return Write(client, P, 1, start, end, values, outcome, offset)


def read(offset, high, start, records=(), epoch=1, client="r1", error=0):
    return Read(client, P, 1, epoch, start, start + 0.1, offset, error, high, list(records))


def end(offset, start, epoch=1, error=0):
    return End("r2", P, 1, epoch, start, start + 0.1, error, offset)


def final(*values, epochs=None, broker=1):
    epochs = epochs or [1] * len(values)
    records = [(o, e, v) for o, (e, v) in enumerate(zip(epochs, values))]
    return Final(broker, P, len(values), records)


def kinds(*events, strict=False):
    return sorted(check(events, strict).kinds())


def test_a_right_history_has_no_violation():
    verdict = check([
        write(["a"], 0, 1, 0), write(["b"], 2, 3, outcome=UNKNOWN), write(["b"], 4, 5, 2),
        write(["c"], 6, 7, outcome=UNKNOWN), write(["d"], 8, 9, outcome=REFUSED),
        read(0, 1, 3.5, [(0, 1, "a")]), read(0, 3, 10, [(0, 1, "a"), (1, 1, "b"), (2, 2, "b")], 2),
        end(3, 11, epoch=2), final("a", "b", "b", epochs=[1, 1, 2]),
        final("a", "b", "b", epochs=[1, 1, 2], broker=2)])
    assert verdict.violations == []
    assert verdict.counts["records acknowledged and found"] == 2
    assert verdict.counts["duplicates after unknown outcomes"] == 1


def test_an_acknowledged_record_that_is_gone_is_lost():
    assert kinds(write(["a"], 0, 1, 0), write(["b"], 2, 3, 1), final("a")) == [checker.LOST]


def test_a_lost_record_whose_place_was_taken_is_lost_and_a_conflict():
    assert kinds(write(["a"], 0, 1, 0), write(["b"], 2, 3, outcome=UNKNOWN), final("b")) == sorted(
        [checker.LOST, checker.CONFLICT])


def test_a_record_elsewhere_than_acknowledged_has_moved():
    found = kinds(write(["a"], 0, 1, 1), write(["b"], 2, 3, outcome=UNKNOWN), final("a", "b"))
    assert found == sorted([checker.MOVED, checker.CONFLICT])


def test_a_later_record_at_a_lower_offset_is_reordered():
    assert kinds(write(["a"], 0, 1, 1), write(["b"], 2, 3, 0), final("b", "a")) == [
        checker.REORDERED]


def test_overlapping_calls_and_other_clients_have_no_order():
    assert kinds(write(["a"], 0, 3, 1), write(["b"], 2, 4, 0), final("b", "a")) == []
    assert kinds(write(["a"], 0, 1, 1), write(["b"], 2, 3, 0, client="w2"), final("b", "a")) == []


def test_two_reads_of_different_records_at_one_offset_conflict():
    assert kinds(read(0, 1, 0, [(0, 1, "a")]), read(0, 1, 2, [(0, 1, "b")])) == [checker.CONFLICT]


def test_one_value_under_two_epochs_conflicts():
    assert kinds(read(0, 1, 0, [(0, 1, "a")]), read(0, 1, 2, [(0, 2, "a")], epoch=2)) == [
        checker.CONFLICT]


def test_a_value_that_the_log_does_not_have_was_never_committed():
    found = kinds(write(["a"], 0, 1, outcome=UNKNOWN), read(0, 1, 2, [(0, 1, "a")]), final())
    assert found == [checker.UNCOMMITTED]


def test_a_record_above_the_high_watermark_must_not_be_served():
    assert kinds(write(["a"], 0, 1, 0), read(0, 0, 0, [(0, 1, "a")]), final("a")) == [
        checker.ABOVE_HIGH]


def test_a_second_copy_needs_a_call_of_unknown_outcome():
    assert kinds(write(["a"], 0, 1, 0), final("a", "a")) == [checker.DUPLICATE]


def test_a_refused_record_must_not_be_stored():
    assert kinds(write(["a"], 0, 1, outcome=REFUSED), final("a")) == [checker.STORED_REFUSED]


def test_a_record_that_nobody_sent_is_a_phantom():
    assert kinds(final("a")) == [checker.PHANTOM]


def test_a_batch_is_stored_whole():
    assert kinds(write(["a", "b"], 0, 1, outcome=UNKNOWN), final("a")) == [checker.TORN]
    split = [write(["a", "b"], 0, 1, outcome=UNKNOWN), write(["c"], 0, 1, 1)]
    assert kinds(*split, final("a", "c", "b")) == [checker.TORN]


def test_offsets_are_dense_and_epochs_do_not_go_back():
    assert kinds(write(["a"], 0, 1, outcome=UNKNOWN), Final(1, P, 2, [(0, 1, "a")])) == [checker.GAP]
    sent = [write(["a"], 0, 1, 0), write(["b"], 2, 3, 1)]
    assert kinds(*sent, final("a", "b", epochs=[2, 1])) == [checker.EPOCH_BACK]


def test_brokers_that_differ_in_the_end_have_diverged():
    sent = [write(["a"], 0, 1, outcome=UNKNOWN), write(["b"], 0, 1, outcome=UNKNOWN)]
    assert kinds(*sent, final("a"), final("b", broker=2)) == sorted(
        [checker.DIVERGED, checker.CONFLICT])
    assert kinds(*sent, final("a", "b"), final("a", broker=2)) == [checker.DIVERGED]


def test_a_fetch_after_an_acknowledgement_sees_the_record():
    sent = write(["a"], 0, 1, 0)
    assert kinds(sent, read(0, 0, 2), final("a")) == [checker.STALE_END]
    assert kinds(sent, read(0, 0, 0.5), final("a")) == []


def test_a_high_watermark_does_not_go_back():
    sent = [write([v], 0, 1, outcome=UNKNOWN) for v in "abc"]
    log = final("a", "b", "c")
    assert kinds(*sent, read(0, 3, 0), read(0, 2, 1), log) == [checker.STALE_END]
    assert kinds(*sent, read(0, 3, 0), read(0, 2, 1, client="r2"), log) == [checker.STALE_END]
    # One that is no more than the offset asked for binds its own client alone.
    assert kinds(*sent, read(3, 3, 0), read(2, 2, 1, client="r2"), log) == []
    assert kinds(*sent, read(2, 3, 0), read(2, 2, 1), log) == [checker.STALE_END]


def test_a_new_leader_may_show_a_lower_bound_until_it_has_committed():
    sent = write(["a"], 0, 1, 0)
    log = final("a", "b", epochs=[1, 2])
    verdict = check([sent, write(["b"], 0, 5, 1), read(0, 0, 2, epoch=2), log])
    assert verdict.violations == [] and verdict.counts[checker.UNCONFIRMED] == 1
    assert verdict.behind_seconds > 0
    assert kinds(sent, write(["b"], 0, 5, 1), read(0, 0, 2, epoch=2), log, strict=True) == [
        checker.UNCONFIRMED]
    assert kinds(sent, write(["b"], 0, 5, 1), read(0, 0, 6, epoch=2), log) == [checker.STALE_END]


def test_a_deposed_leader_may_be_behind_but_is_counted():
    events = [write(["a"], 0, 1, 0), read(0, 0, 2, epoch=1), end(0, 2, epoch=1),
              final("a", epochs=[2])]
    verdict = check(events)
    assert verdict.violations == [] and verdict.counts[checker.DEPOSED] == 2
    assert kinds(*events, strict=True) == [checker.DEPOSED]


def test_list_offsets_of_a_new_leader_is_never_behind():
    assert kinds(write(["a"], 0, 1, 0), end(0, 2, epoch=2), final("a")) == [checker.STALE_END]
    assert kinds(write(["a"], 0, 1, 0), end(-1, 2, epoch=2, error=5), final("a")) == []
    shown = [write(["a"], 0, 9, 0), end(1, 1, epoch=1), end(0, 2, epoch=1)]
    assert kinds(*shown, final("a")) == [checker.STALE_END]


def test_out_of_range_below_what_was_known_is_a_violation():
    sent = write(["a"], 0, 1, 0)
    assert kinds(sent, read(1, -1, 2, epoch=2, error=1), final("a")) == [checker.RANGE]
    assert kinds(sent, read(2, -1, 2, epoch=2, error=1), final("a")) == []
    assert kinds(sent, read(1, -1, 2, epoch=0, error=1), final("a")) == []


def test_without_a_final_read_losses_are_not_judged():
    verdict = check([write(["a"], 0, 1, 0)])
    assert verdict.violations == []
    assert verdict.counts["partitions without a final read"] == 1


def test_a_history_survives_its_file(tmp_path):
    events = [write(["a"], 0, 1, 0), read(0, 1, 2, [[0, 1, "a"]]), end(1, 3)]
    log = Log(tmp_path / "history")
    for event in events:
        log.add(event)
    log.close()
    assert load(tmp_path / "history") == events
