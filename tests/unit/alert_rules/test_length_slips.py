"""Plates of which the reader missed a character or read one too many."""

import pytest

from alert_rules.length_slips import slips, worth_a_look
from alert_rules.plate_reads import PlateReads
from alert_rules.watchlists import Watchlists
from schemas.events import WatchlistEntry
from schemas.identity import fold
from tests.unit.alert_rules.builders import sighting

LISTS = Watchlists([WatchlistEntry(list_id="wanted", entry_id=plate, plate=plate) for plate in ("ABX1234", "KLM99")])


def hit(text: str, threshold: float | None) -> str | None:
    """The listed plate that a text hits."""
    seen = sighting("e", plate_text=text, plate_confidence=0.95)
    found = LISTS.best_hit(("wanted",), seen, PlateReads.of(seen), threshold, exact=False)
    return None if found is None else found.entry.plate


@pytest.mark.parametrize(
    ("text", "threshold", "listed"),
    [
        ("AX1234", 0.005, "ABX1234"),
        ("ABX123", 0.005, "ABX1234"),
        ("A8X12345", 0.0005, "ABX1234"),
        ("IABX1234", 0.005, "ABX1234"),
        ("KLM999", 0.005, "KLM99"),
        ("AX123", 0.005, None),
        ("ABX123", None, None),
        ("ABX123", 0.02, None),
        ("ABX1235", 0.005, None),
    ],
)
def test_a_missed_or_added_character(text: str, threshold: float | None, listed: str | None) -> None:
    """A hit where the rule accepts such a likelihood; two missed ones, and another character, are none."""
    assert hit(text, threshold) == listed


def test_slips_are_all_plates_with_one_character_more_or_less() -> None:
    """What is made is exactly what a text may be of, in folded characters, and of lengths that are listed alone."""
    longer, shorter = set(slips("AX0", {4})), set(slips("AX0", {2}))
    assert shorter == {"A0", "AX", "X0"} and shorter | longer == set(slips("AX0", {2, 4}))
    assert {"YAX0", "AYX0", "AX00"} <= longer and all(fold(text) == text and len(text) == 4 for text in longer)
    assert not list(slips("AX0", {3})) and not list(slips("A", {0})) and not list(slips("A" * 16, {17}))


def test_a_list_that_has_lost_the_length_is_not_asked() -> None:
    """Entries that go take their length with them."""
    lists = Watchlists([WatchlistEntry(list_id="l", entry_id="1", plate="ABX1234")])
    seen = sighting("e", plate_text="ABX123", plate_confidence=0.95)
    assert lists.best_hit(("l",), seen, PlateReads.of(seen), 0.005, exact=False) is not None
    lists.remove("l", "1")
    lists.put(WatchlistEntry(list_id="l", entry_id="2", plate="ABX1"))
    assert lists.best_hit(("l",), seen, PlateReads.of(seen), 0.005, exact=False) is None


def test_defaults_do_not_look_for_other_lengths() -> None:
    """Without a threshold, or with one that no such plate reaches, nothing is made."""
    assert not worth_a_look(None) and not worth_a_look(0.02) and worth_a_look(0.01)
