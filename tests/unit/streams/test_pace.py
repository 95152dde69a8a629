"""Cutting fetches into runs, and the pace of fetching."""

from hypothesis import given
from hypothesis import strategies as st

from streams.pace import FetchPace, cut
from tests.unit.streams.doubles import FakeRecord, records


@given(
    sizes=st.lists(st.integers(0, 60), max_size=40),
    max_records=st.integers(1, 10),
    max_bytes=st.integers(1, 100),
)
def test_cut_keeps_all_records_in_order_within_the_bounds(sizes: list[int], max_records: int, max_bytes: int) -> None:
    """The runs are the records, cut; none is empty, and only a single large record exceeds the bytes."""
    items = [FakeRecord(offset, value=b"x" * size, key=None) for offset, size in enumerate(sizes)]
    runs = list(cut(items, max_records, max_bytes))
    assert [record for run, _ in runs for record in run] == items
    for run, size_bytes in runs:
        assert 1 <= len(run) <= max_records
        assert size_bytes == sum(len(record.value or b"") for record in run)
        assert size_bytes <= max_bytes or len(run) == 1


def test_tombstones_and_missing_keys_have_no_size() -> None:
    """A record without value and key is a record all the same."""
    assert list(cut([FakeRecord(0, value=None, key=None)], 10, 10)) == [([FakeRecord(0, value=None, key=None)], 0)]


def test_nothing_gives_no_run() -> None:
    """An empty fetch is cut into nothing."""
    assert list(cut(records(0, 0), 10, 10)) == []


def test_small_fetches_are_delayed_more_and_more_up_to_the_bound() -> None:
    """The delay doubles while fetches stay small and never passes its bound."""
    pace = FetchPace(0.008, small=500)
    assert [pace.after(3) for _ in range(4)] == [0.002, 0.004, 0.008, 0.008]


def test_a_large_or_an_empty_fetch_ends_the_delay() -> None:
    """Under load and at rest nothing waits."""
    pace = FetchPace(0.008, small=500)
    pace.after(3)
    assert pace.after(500) == 0
    pace.after(3)
    assert pace.after(0) == 0
    assert pace.after(3) == FetchPace.FIRST_S


def test_a_bound_of_zero_turns_the_delay_off() -> None:
    """Latency first: no fetch waits."""
    assert FetchPace(0).after(3) == 0
