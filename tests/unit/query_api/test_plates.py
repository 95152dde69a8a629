"""What plate queries mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_api.errors import Invalid
from query_api.plates import PlateQuery
from schemas.identity import MAX_PLATE_CHARS, confusable, normalise

PLATES = st.text("ABCDOQI1LZ2S5B8G60", min_size=1, max_size=MAX_PLATE_CHARS)


@given(PLATES)
def test_a_plate_finds_itself(text: str) -> None:
    """A plate is found by itself, by a pattern of its length and by `*`, however it is looked for."""
    for query in (text, "?" * len(text), "*", text[:1] + "*", "*" + text[-1:]):
        assert PlateQuery.parse(query).matches(text)
        assert PlateQuery.parse(query, fuzzy=True).matches(text)


@given(PLATES, PLATES)
def test_fuzzy_is_confusable(looked_for: str, stored: str) -> None:
    """A tolerant query finds exactly what OCR confusables make of it."""
    assert PlateQuery.parse(looked_for, fuzzy=True).matches(stored) == confusable(looked_for, stored)


@given(st.text(max_size=64))
def test_like_patterns_hold_no_surprise(raw: str) -> None:
    """Whatever is typed, the LIKE pattern has no wildcard or escape but those that were typed."""
    try:
        query = PlateQuery.parse(raw)
    except Invalid:
        return
    assert "\\" not in query.like
    assert query.like.count("_") == raw.count("?")
    assert ("%" in query.like) == ("*" in raw)


@pytest.mark.parametrize(
    "raw", ["", "-", "🚗", "%", "_", "'", "A" * (MAX_PLATE_CHARS + 1), "?" * (MAX_PLATE_CHARS + 1)]
)
def test_nothing_to_look_for(raw: str) -> None:
    """Text without a letter, digit or wildcard, or longer than a plate, is refused."""
    with pytest.raises(Invalid):
        PlateQuery.parse(raw)


def test_separators_and_case_vanish() -> None:
    """A query is read as plates are normalised."""
    assert PlateQuery.parse("ab-12?*c d**").text == "AB12?*CD*"
    assert PlateQuery.parse("äb").text == normalise("ÄB")


def test_missing_text_never_matches() -> None:
    """An unreadable plate is found by no query."""
    assert not PlateQuery.parse("*").matches(None, "")
