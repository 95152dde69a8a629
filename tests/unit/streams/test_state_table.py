"""Typed tables and their serialisation."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.serde import INTEGER, RAW, TEXT, from_ordered_int, ordered_int, pair, record
from tables.state import Changes, StateTable
from tests.unit.streams.doubles import TP0, make_app, make_run, records


@dataclass(frozen=True, slots=True)
class Reading:
    """A nested part."""

    text: str
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Pass:
    """A state as agents keep it."""

    plate: str
    last_offset: int
    readings: tuple[Reading, ...] = ()
    labels: dict[str, str] | None = None
    best: Reading | None = None


@dataclass(frozen=True, slots=True)
class OlderPass:
    """The same, by an older release."""

    plate: str
    last_offset: int


@pytest.fixture
def passes(tmp_path: Path) -> Iterator[StateTable[str, Pass]]:
    """A table of passes."""
    app = make_app(tmp_path)
    app._create_directories()
    table = StateTable(app, "passes", TEXT, record(Pass), partitions=1, help="open passes")
    yield table
    table.table.store._dbs.clear()


def stage(changes: Changes) -> None:
    """What finishing a run does with changes."""
    for table, values in changes.items():
        table.store.stage(TP0.partition, values)


def test_what_a_run_changed_is_read_by_the_next(passes: StateTable[str, Pass]) -> None:
    """States come back as they were put; unknown keys have none; deleted ones have none again."""
    run = make_run(records(0, 1))
    state = Pass("AB12", 7, (Reading("AB12", 0.5),), {"a": "b"}, Reading("AB12"))
    changes = Changes()
    changes.put(passes, "ÄB12", state)
    changes.put(passes, "gone", state)
    changes.delete(passes, "gone")
    stage(changes)
    assert passes.get_many(run, ["ÄB12", "gone", "never"]) == {"ÄB12": state, "gone": None, "never": None}


def test_many_changes_at_once(passes: StateTable[str, Pass]) -> None:
    """A mapping with None for deletions is what get_many gives and put_many takes."""
    run = make_run(records(0, 1))
    changes = Changes()
    changes.put_many(passes, {"a": Pass("A", 1), "b": None})
    stage(changes)
    assert passes.get_many(run, ["a", "b"]) == {"a": Pass("A", 1), "b": None}
    assert len(changes) == 1


def test_timers_are_scanned_by_time(tmp_path: Path) -> None:
    """Keys that begin with a time come in the order of time, up to now."""
    app = make_app(tmp_path)
    app._create_directories()
    timers = StateTable(app, "timers", RAW, TEXT, partitions=1, help="due times")
    changes = Changes()
    for due in (30, -5, 10, 20):
        changes.put(timers, ordered_int(due) + b"|plate", f"at {due}")
    stage(changes)
    due_now = list(timers.scan(make_run(records(0, 1)), stop=ordered_int(21)))
    assert [(from_ordered_int(key), text) for key, text in due_now] == [(-5, "at -5"), (10, "at 10"), (20, "at 20")]
    timers.table.store._dbs.clear()


def test_states_survive_releases() -> None:
    """Old bytes get the new fields' defaults; new bytes are read by an older release."""
    old, new = record(OlderPass), record(Pass)
    assert new.decode(old.encode(OlderPass("A", 1))) == Pass("A", 1)
    assert old.decode(new.encode(Pass("A", 1, (Reading("A"),)))) == OlderPass("A", 1)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_bytes_of_nobody_are_refused(data: bytes) -> None:
    """A state that no release wrote raises, it does not become a default."""
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        record(Pass).decode(data)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_ordered_integers_sort_as_numbers(one: int, other: int) -> None:
    """The order of the bytes is the order of the numbers, and they come back."""
    assert (ordered_int(one) < ordered_int(other)) == (one < other)
    assert from_ordered_int(ordered_int(one)) == one


@given(
    st.text(alphabet=st.characters(exclude_characters="\x1f", exclude_categories=["Cs"])), st.text(alphabet="ab\x1f")
)
def test_pairs_come_apart_as_they_were_joined(first: str, second: str) -> None:
    """The separator keeps the two texts of a key apart."""
    serde = pair(TEXT, TEXT)
    assert serde.decode(serde.encode((first, second))) == (first, second)


def test_a_pair_with_the_separator_in_front_is_refused() -> None:
    """Two different pairs never make the same key."""
    with pytest.raises(ValueError, match="separator"):
        pair(TEXT, TEXT).encode(("a\x1fb", "c"))


def test_simple_serdes() -> None:
    """Numbers, texts and bytes."""
    assert INTEGER.decode(INTEGER.encode(-3)) == -3
    assert TEXT.decode(TEXT.encode("Ö")) == "Ö"
    assert RAW.decode(RAW.encode(b"\x00")) == b"\x00"
