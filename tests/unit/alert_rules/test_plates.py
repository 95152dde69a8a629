"""Plates match by text, by confusables, by the reader's own alternatives and by pattern; a different plate does not."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_rules.plate_patterns import PlateHit, PlateIndex, PlatePattern
from alert_rules.plate_reads import PlateReads
from schemas.confusion import CONFUSABLE_CLASSES
from schemas.identity import fold
from tests.unit.alert_rules.builders import sighting

QUICK = settings(max_examples=50, deadline=None)
PLATES = st.text("ABDOQ0123578SZGL6I", min_size=4, max_size=8)


def hits(listed: list[str], threshold: float | None = None, exact: bool = False, **fields: Any) -> list[PlateHit]:
    """Hits of a sighting in a list."""
    index: PlateIndex[None] = PlateIndex()
    for plate in listed:
        index.add(PlatePattern.parse(plate), None)
    reads = PlateReads.of(sighting(**fields))
    return [hit for hit, _ in index.hits(reads, threshold, exact)]


def certain(text: str, **doubts: dict[str, float]) -> list[list[list[Any]]]:
    """Alternatives of a read that is sure but for some positions: p0={"A": 0.6, "4": 0.4}."""
    positions = []
    for position, char in enumerate(text):
        chars = doubts.get(f"p{position}", {char: 1.0})
        positions.append([[char, probability] for char, probability in chars.items()])
    return positions


def test_a_misread_by_a_confusable_is_a_hit_with_its_likelihood() -> None:
    """AB0123 is listed, ABO123 was read: a hit, and the proof says how likely and in which character."""
    [hit] = hits(["AB0123"], plate_text="ABO123", plate_confidence=0.99)
    assert not hit.exact
    assert 0.01 < hit.likelihood < 0.1
    assert hit.differing == "O for 0 at 3"


def test_two_confusables_are_a_hit_too() -> None:
    """A reader that takes every 0 for an O does so twice."""
    [hit] = hits(["AB00123"], plate_text="ABOO123", plate_confidence=0.99)
    assert 0.0005 < hit.likelihood < 0.01


@pytest.mark.parametrize("other", ["AB0124", "AB1123", "XB0123", "AB012", "AB01234", "BA0123", "AB0128"])
def test_a_sure_read_of_another_plate_is_no_hit(other: str) -> None:
    """One character that OCR does not take for the other makes another plate."""
    assert hits(["AB0123"], plate_text=other, plate_confidence=0.99) == []


def test_the_same_text_is_a_hit_whatever_the_threshold() -> None:
    """An exact match has likelihood 1 and is marked exact."""
    [hit] = hits(["AB-0123"], threshold=1.0, plate_text="ab 0123", plate_confidence=0.3)
    assert hit.exact
    assert hit.likelihood == pytest.approx(1.0)
    assert hit.differing == ""


def test_a_threshold_keeps_the_unlikely_out() -> None:
    """likelihood: 0.5 wants more than a confusable; a reader that hesitated gives more."""
    assert hits(["AB0123"], threshold=0.5, plate_text="ABO123") == []
    doubt = certain("ABO123", p2={"O": 0.5, "0": 0.5})
    [hit] = hits(["AB0123"], threshold=0.5, plate_text="ABO123", plate={"text": "ABO123", "characters": doubt})
    assert hit.likelihood > 0.9


def test_the_reader_s_alternatives_lead_to_plates_that_do_not_look_alike() -> None:
    """A read that hesitates between 7 and T finds the plate with T; a sure 7 does not."""
    hesitant = certain("AB7123", p2={"7": 0.6, "T": 0.4})
    [hit] = hits(["ABT123"], plate={"text": "AB7123", "confidence": 0.6, "characters": hesitant})
    assert hit.likelihood > 0.5
    assert hits(["ABT123"], plate={"text": "AB7123", "confidence": 0.9, "characters": certain("AB7123")}) == []


def test_the_resolved_text_is_looked_up_too() -> None:
    """What the pass resolved to is a hit although the last read says otherwise."""
    [hit] = hits(["XY777"], plate_text="AB123", resolved_text="XY777", resolved_confidence=0.8)
    assert hit.exact


@pytest.mark.parametrize(
    ("pattern", "text", "exact"),
    [
        ("AB?1*", "ABC123", True),
        ("AB?1*", "ABC1", True),
        ("AB?1*", "AB1", None),
        ("AB?1*", "A8C123", False),
        ("*123", "XX123", True),
        ("*123", "123", True),
        ("*123", "XX1234", None),
        ("?B*", "AB99", True),
        ("0?0", "OXO", False),
        ("A*B*C", "AXXBYYC", True),
    ],
)
def test_patterns(pattern: str, text: str, exact: bool | None) -> None:
    """? is one character, * any run; confusables count, with their likelihood. None: no hit."""
    found = hits([pattern], plate_text=text)
    assert [hit.exact for hit in found] == ([] if exact is None else [exact])
    assert all(hit.listed == pattern for hit in found)
    if exact is False:
        assert all(hit.likelihood < 0.2 for hit in found)


def test_many_stars_do_not_hang() -> None:
    """A pattern of many runs is matched in linear time."""
    assert hits(["*A" * 8 + "B"], plate_text="A" * 16) == []


@pytest.mark.parametrize("written", ["", "*", "?*", "--", "🚗", "A" * 17])
def test_what_is_no_plate_is_refused(written: str) -> None:
    """A pattern without a letter or digit would match everything; a text longer than a plate nothing."""
    with pytest.raises(ValueError, match=r"no letter|more than"):
        PlatePattern.parse(written)


@QUICK
@given(PLATES)
def test_a_plate_hits_itself(plate: str) -> None:
    """Every plate is an exact hit of its own text."""
    [hit] = hits([plate], plate_text=plate)
    assert hit.exact
    assert hit.plate == plate


@QUICK
@given(PLATES, st.data())
def test_a_confusable_swap_is_found_and_never_exact(plate: str, data: st.DataObject) -> None:
    """Any single confusable swap of a listed plate is a hit with less than certainty."""
    places = [i for i, char in enumerate(plate) if any(char in group for group in CONFUSABLE_CLASSES)]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    group = next(group for group in CONFUSABLE_CLASSES if plate[place] in group)
    other = data.draw(st.sampled_from([char for char in group if char != plate[place]]))
    read = plate[:place] + other + plate[place + 1 :]
    [hit] = hits([plate], plate_text=read)
    assert not hit.exact
    assert 0 < hit.likelihood < 1


@QUICK
@given(PLATES, PLATES)
def test_sure_reads_of_plates_that_do_not_look_alike_never_match(listed: str, read: str) -> None:
    """Without alternatives a hit means equal folds."""
    if fold(listed) != fold(read):
        assert hits([listed], plate_text=read, plate_confidence=1.0) == []


@QUICK
@given(st.lists(PLATES, max_size=20), PLATES)
def test_the_index_finds_what_a_scan_finds(listed: list[str], read: str) -> None:
    """Looking up gives the same plates as asking each one alone."""
    together = sorted(hit.listed for hit in hits(listed, plate_text=read))
    alone = sorted(hit.listed for plate in listed for hit in hits([plate], plate_text=read))
    assert together == alone
