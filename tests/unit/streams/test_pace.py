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


def test_small_fetches_that_follow_closely_are_held_back() -> None:
    """Small fetches in close order make the next ones wait at the broker."""
    pace = FetchPace(0.020, small=500)
    assert [pace.after(3, now_s) for now_s in (1.0, 1.01, 1.04)] == [False, True, True]


def test_a_lone_record_is_not_held_back() -> None:
    """Records that come now and then are fetched at once."""
    pace = FetchPace(0.020, small=500)
    assert not any(pace.after(1, now_s) for now_s in (1.0, 1.2, 1.4))


def test_a_backlog_or_silence_ends_the_patience() -> None:
    """After a large or an empty fetch the next one is not held back."""
    pace = FetchPace(0.020, small=500)
    for count in (500, 0):
        assert [pace.after(3, 1.0), pace.after(3, 1.01), pace.after(count, 1.02)][1:] == [True, False]


def test_patience_can_be_turned_off() -> None:
    """A wait of 0 never holds a fetch back."""
    pace = FetchPace(0)
    assert not any(pace.after(3, now_s) for now_s in (1.0, 1.001, 1.002))
