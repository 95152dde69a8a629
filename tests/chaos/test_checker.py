"""The checker itself: what a scenario must find, it finds."""

from tests.chaos.small_job import Bench
from tests.chaos.verdict import Verdict
from tests.connected.streams.reads import event_id_of, expected, make_reads


def faults_of_arrivals(found: list[bytes], *, repeats_allowed: bool = False) -> str:
    """What the verdict says when a, b and c are expected."""
    verdict = Verdict("made up")
    verdict.arrivals("events", {b"a", b"b", b"c"}, found, repeats_allowed=repeats_allowed)
    return "; ".join(verdict.faults)


def test_what_arrived_once_is_right() -> None:
    """No fault where there is none, in any order."""
    assert not faults_of_arrivals([b"c", b"a", b"b"])


def test_a_dropped_record_is_found() -> None:
    """One that is missing is named."""
    assert faults_of_arrivals([b"a", b"c"]) == "events: lost 1, such as b'b'"


def test_a_doubled_id_is_found() -> None:
    """One that came twice is named, unless repeats are allowed there."""
    assert faults_of_arrivals([b"a", b"b", b"c", b"b"]) == "events: doubled 1, such as b'b'"
    assert not faults_of_arrivals([b"a", b"b", b"c", b"b"], repeats_allowed=True)


def test_an_invented_record_is_found() -> None:
    """One that nobody expected is named, even where repeats are allowed."""
    assert faults_of_arrivals([b"a", b"b", b"c", b"d"], repeats_allowed=True) == "events: invented 1, such as b'd'"


def test_a_changed_table_is_found() -> None:
    """A changed value, a missing key and one too many are each named."""
    verdict = Verdict("made up")
    verdict.table("table", {1: "a", 2: "b"}, {1: "A", 3: "c"})
    assert verdict.faults == [
        "table: keys missing 1, such as 2",
        "table: keys invented 1, such as 3",
        "table: values wrong 1, such as 1: expected 'a', found 'A'",
    ]
    assert "BROKEN" in str(verdict)


def test_a_wrong_value_is_shown_where_it_differs() -> None:
    """Of long values the place that differs is shown, not the whole."""
    verdict = Verdict("made up")
    verdict.table("table", {1: b"a" * 1000 + b"b"}, {1: b"a" * 1000 + b"cd"})
    assert (
        f"at byte 1000 of 1001 expected {b'a' * 150 + b'b'!r}, found {b'a' * 150 + b'cd'!r} of 1002"
        in verdict.faults[0]
    )


def test_nothing_expected_is_a_fault() -> None:
    """A scenario that compares nothing with nothing has not held."""
    verdict = Verdict("made up")
    verdict.arrivals("events", [], [])
    verdict.table("table", {}, {})
    assert len(verdict.faults) == 2


def test_damage_on_real_topics_is_found(bench: Bench) -> None:
    """On a real run: right as it is; an event sent twice, a changed value and a read that is lost are each named."""
    reads = make_reads(2_000, keys=40)
    worker = bench.worker()
    bench.broker.produce_reads(bench.source, reads)
    bench.work_until(len(reads), worker)
    assert worker.stop() == 0
    assert bench.judge("undamaged", reads, worker).faults == []
    event = min(expected(reads)[0])
    bench.broker.produce(bench.events, [(b"key", event, 0)])
    bench.broker.produce(bench.changelog, [(reads[-1].key, b"1", 0)])
    unread = [*reads, reads[0].__class__(len(reads), b"key-0", reads[-1].time + 1_000)]
    faults = "; ".join(bench.judge("damaged", unread, worker).faults)
    for fault in (
        "reads committed: 2000 instead of 2001",
        f"events: lost 1, such as {event_id_of(unread[-1])!r}",
        f"events: doubled 1, such as {event!r}",
        "changelog: values wrong",
        "RocksDB: values wrong 1, such as (0, b'key-0')",
    ):
        assert fault in faults
