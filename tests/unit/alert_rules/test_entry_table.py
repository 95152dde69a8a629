"""Packed watchlist entries: nothing of them gets lost, and near a read are exactly those that a full look finds."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_rules.entry_table import EntryTable, id_of, list_prefix
from alert_rules.plate_patterns import PlatePattern
from alert_rules.plate_reads import PlateReads
from alert_rules.watchlists import Watchlists
from schemas.events import WatchlistEntry
from schemas.identity import fold
from tests.unit.alert_rules.builders import entry, sighting

QUICK = settings(max_examples=60, deadline=None)
NAMES = st.text("ab:\x00ä\ud800", max_size=3)
ENTRIES = st.builds(
    WatchlistEntry,
    list_id=NAMES,
    entry_id=NAMES,
    plate=st.sampled_from(["AB0", "A8O", "AB?", "*8O", "X1", "ab-1"]),
    kind=st.sampled_from(["deny", "permit"]),
    region=st.none() | st.just("de"),
    reason=st.none() | st.text(max_size=5),
    priority=st.sampled_from(["medium", "high"]),
    valid_until=st.none() | st.integers(-(2**40), 2**40),
    sites=st.lists(NAMES, max_size=2).map(tuple),
)


@QUICK
@given(st.lists(st.tuples(ENTRIES, st.booleans()), max_size=30))
def test_a_table_holds_what_a_dict_holds(steps: list[tuple[WatchlistEntry, bool]]) -> None:
    """Entries come, are replaced and go; each comes out as it went in, sizes count, lists do not mix."""
    table = EntryTable()
    model: dict[bytes, WatchlistEntry] = {}
    for each, stays in steps:
        key = id_of(each.list_id, each.entry_id)
        model.pop(key, None)
        if stays:
            assert table.put(each) == key
            model[key] = each
        else:
            table.remove(key)
    assert {key: table.entry(key) for key in table.ids()} == model
    assert len(table) == len(model)
    for list_id in {each.list_id for each, _ in steps}:
        of_list = [key for key, each in model.items() if each.list_id == list_id]
        assert [key for key in table.ids() if key.startswith(list_prefix(list_id))] == [
            key for key in table.ids() if key in of_list
        ]
        assert table.sizes.get(list_id, 0) == len(of_list)
    for exact in (False, True):
        reads = PlateReads.of(sighting(plate=DOUBT))
        found = sorted((key, plate) for key, _, plate in table.near(reads, exact))
        assert found == sorted(_plainly(model, reads, exact))


DOUBT = {"text": "A8O", "confidence": 0.6, "characters": [[["A", 0.6], ["X", 0.4]], [["8", 1.0]], [["O", 1.0]]]}


def _plainly(model: dict[bytes, WatchlistEntry], reads: PlateReads, exact: bool) -> list[tuple[bytes, str]]:
    found = []
    for key, each in model.items():
        pattern = PlatePattern.parse(each.plate)
        if pattern.is_wildcard:
            found += [(key, filled) for text in reads.texts if (filled := pattern.fill(text)) is not None]
        elif fold(pattern.text) in reads.folds or (not exact and fold(pattern.text) in reads.near_folds):
            found.append((key, pattern.text))
    return found


def test_many_patterns_are_found_while_they_come_and_go() -> None:
    """Patterns that are new, old, replaced or gone since the automaton was made are told apart."""
    table = EntryTable(entry(f"A{number:03}*", entry_id=str(number)) for number in range(300))

    def found(text: str) -> list[str]:
        return [table.entry(key).plate for key, _, _ in table.near(PlateReads.of(sighting(plate_text=text)), False)]

    assert found("A1234") == ["A123*"]
    table.put(entry("A999*", entry_id="123"))
    table.remove(id_of("stolen", "124"))
    assert (found("A1234"), found("A1244"), found("A9994")) == ([], [], ["A999*"])
    for number in range(500, 600):
        table.put(entry(f"A{number}*", entry_id=str(number)))
    assert (found("A1234"), found("A1244"), found("A9994"), found("A5994")) == ([], [], ["A999*"], ["A599*"])


def hit(lists: Watchlists, **fields: Any) -> WatchlistEntry | None:
    """The best entry for a sighting on the list ``stolen``."""
    event = sighting(**fields)
    found = lists.best_hit(["stolen"], event, PlateReads.of(event), None, False)
    return found.entry if found is not None else None


def test_entries_of_files_are_taken_as_a_whole_and_hidden_by_others() -> None:
    """Files bring all their entries at once; an entry of the topic hides the one with its ids, and leaves it behind."""
    lists = Watchlists([entry("AB1", reason="topic")])
    lists.install(EntryTable([entry("AB1", reason="file"), entry("CD2", entry_id="2")]))
    assert (len(lists), lists.sizes) == (2, {"stolen": 2})
    assert [each.reason for each in lists] == ["topic", None]
    first = hit(lists, plate_text="AB1")
    assert first is not None
    assert first.reason == "topic"
    lists.remove("stolen", "1")
    second = hit(lists, plate_text="AB1")
    assert second is not None
    assert second.reason == "file"
    lists.install(EntryTable([entry("EF3")]))
    assert (hit(lists, plate_text="AB1"), hit(lists, plate_text="CD2")) == (None, None)
    assert (len(lists), lists.sizes) == (1, {"stolen": 1})


@pytest.mark.parametrize("plate", ["AB1", "A?1"])
def test_what_was_put_can_be_withdrawn(plate: str) -> None:
    """By what `put` returned; twice does no harm."""
    lists = Watchlists()
    key = lists.put(entry(plate))
    assert hit(lists, plate_text="AB1") is not None
    lists.withdraw(key)
    lists.withdraw(key)
    assert (len(lists), lists.sizes, hit(lists, plate_text="AB1")) == (0, {}, None)
