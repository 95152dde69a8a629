"""Rows of a run over rows of a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.staged_rows import StagedRows
from tests.unit.agents.gates import Rows

keys = st.sampled_from([bytes([letter]) for letter in b"abcdefgh"])
steps = st.lists(st.tuples(keys, st.none() | st.sampled_from((b"1", b"2"))), max_size=30)


def rows_with(values: dict[bytes, bytes]) -> StagedRows:
    """A run on a table that holds these rows."""
    table = Rows()
    table.values = dict(values)
    return table.staged()


def shown(rows: StagedRows) -> dict[bytes, bytes]:
    """All rows as they are now."""
    return dict(rows.scan(b"", b"\xff"))


@given(st.dictionaries(keys, st.just(b"0")), steps, keys, keys)
def test_rows_are_those_of_a_dict(
    held: dict[bytes, bytes], done: list[tuple[bytes, bytes | None]], start: bytes, stop: bytes
) -> None:
    """Reads and ranges see the changes over the table, in key order."""
    rows, model = rows_with(held), dict(held)
    for key, value in done:
        rows.put(key, value)
        if value is None:
            model.pop(key, None)
        else:
            model[key] = value
    assert rows.scan(start, stop) == [(key, model[key]) for key in sorted(model) if start <= key < stop]
    assert {key: rows.get(key) for key in (start, stop)} == {key: model.get(key) for key in (start, stop)}


@given(st.dictionaries(keys, st.just(b"0")), st.lists(steps, max_size=5))
def test_steps_are_taken_back_in_the_opposite_order(
    held: dict[bytes, bytes], done: list[list[tuple[bytes, bytes | None]]]
) -> None:
    """Each journal leads back to where its step began."""
    rows = rows_with(held)
    before, journals = [], []
    for step in done:
        before.append(shown(rows))
        rows.begin()
        for key, value in step:
            rows.put(key, value)
        journals.append(rows.end())
    for journal, expected in zip(reversed(journals), reversed(before), strict=True):
        rows.undo(journal)
        assert shown(rows) == expected


def test_work_that_fails_leaves_nothing_and_stops_noting() -> None:
    """What was changed before stays; the exception goes on."""
    rows = rows_with({b"a": b"0", b"b": b"0"})
    rows.put(b"a", b"1")
    rows.begin()
    with pytest.raises(ValueError, match="broken"), rows.all_or_nothing():
        rows.put(b"a", b"2")
        rows.put(b"b", None)
        rows.put(b"c", b"3")
        raise ValueError("broken")
    assert shown(rows) == {b"a": b"1", b"b": b"0"}
    rows.put(b"a", b"4")
    assert rows.end() == {}
