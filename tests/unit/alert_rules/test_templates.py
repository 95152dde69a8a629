"""Messages: places are filled, unknown ones refused, and nothing but the sighting can be reached."""

import pytest

from alert_rules.templates import MAX_MESSAGE_CHARS, Template, TemplateError
from tests.unit.alert_rules.builders import sighting

EVENT = sighting(plate_text="AB 1", plate_confidence=0.987, reads=3, latitude=48.1, longitude=11.5, extras={"n": "x"})
VALUES = {"rule.name": "R", "likelihood": 0.123456, "suppressed": 2, "matched_plate": None}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{plate_text}", "AB 1"),
        ("{plate.normalized_text}", "AB1"),
        ("{{ plate_text }}!", "AB 1!"),
        ("{plate.confidence:.2%}", "98.70%"),
        ("{plate_confidence:.1f}", "1.0"),
        ("{reads:03d}", "003"),
        ("{captured_at}", "2026-01-05T00:00:00.000000Z"),
        ("{captured_at:.10}", "2026-01-05"),
        ("{timestamp}", "2026-01-05T00:00:00.000000Z"),
        ("{vehicle_color}", "unknown"),
        ("{rule.name}/{Rule.Name}", "R/R"),
        ("{likelihood}", "0.1235"),
        ("{likelihood:.0%}", "12%"),
        ("{matched_plate}", "unknown"),
        ("{suppressed}", "2"),
        ("{extras.n}", "x"),
        ("{extras.n:.2f}", "x"),
        ("{extras.none}", "unknown"),
        ("{{}} {{ }}", "{} { }"),
        ("{{ 7*7 }}", "{ 7*7 }"),
        ("a 💥 {is_final}", "a 💥 true"),
        ("{plate_text:>8}|", "    AB 1|"),
    ],
)  # fmt: skip
def test_places_are_filled(source: str, message: str) -> None:
    """Fields by both names, formats, missing values, braces."""
    assert Template.parse(source).render(EVENT, VALUES) == message.strip()


@pytest.mark.parametrize(
    "source",
    ["{}", "{", "}", "{plate_text", "{plate_txt}", "{plate_text.__class__}", "{camera_id.upper()}", "{plate_text!r}",
     "{reads:{reads}}", "{reads:1000000d}", "{plate_text:.2f}", "{is_final:d}"],
)  # fmt: skip
def test_other_places_are_refused(source: str) -> None:
    """Unknown fields, lone braces, attribute access, conversions and huge widths."""
    with pytest.raises(TemplateError):
        Template.parse(source)


def test_a_value_is_never_a_template() -> None:
    """Braces in a sighting's text stay text."""
    event = sighting(plate_text="{camera_id}", camera_id="{{ plate_text }}")
    assert Template.parse("{plate_text} {camera_id}").render(event, {}) == "{camera_id} {{ plate_text }}"


def test_messages_are_bounded() -> None:
    """A long extra does not make a longer message."""
    event = sighting(extras={"n": "y" * 4000})
    assert len(Template.parse("{extras.n}" * 100).render(event, {})) == MAX_MESSAGE_CHARS
