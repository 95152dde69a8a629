"""Rows of a run: what it has changed lies over the table, in one order."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from tables.run_rows import RunRows
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run

KEYS = st.binary(min_size=1, max_size=2)
ROWS = st.dictionaries(KEYS, st.binary(max_size=2), max_size=8)
CHANGES = st.lists(st.dictionaries(KEYS, st.none() | st.binary(max_size=2), max_size=5), max_size=3)


@given(ROWS, CHANGES, st.lists(KEYS, max_size=6), KEYS, KEYS)
def test_rows_are_those_of_a_table_with_the_changes_written(
    stored: dict[bytes, bytes],
    changes: list[Mapping[bytes, bytes | None]],
    asked: list[bytes],
    start: bytes,
    stop: bytes,
) -> None:
    """Whatever was read before or after a change, `get_many` and `scan` see all changes; the table none."""
    table, plain = FakeTable(dict(stored)), FakeTable(dict(stored))
    run = make_run([FakeRecord(b"")], Keeper())
    rows = RunRows(table.as_run_table(), run)
    for change in changes:
        rows.prefetch(asked[:3])
        rows.apply(change)
        plain.apply(change)
        assert rows.get_many(asked) == plain.get_many(run, asked)
        assert list(rows.scan(start, stop)) == list(plain.scan(run, start, stop))
    assert table.values == stored
    table.apply(rows.changes)
    assert table.values == plain.values
