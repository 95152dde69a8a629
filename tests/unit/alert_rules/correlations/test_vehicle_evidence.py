"""Clones by many passes, convoys by many occasions: what one chance or one misread must not raise."""

import pytest

from schemas.events import Sighting
from tests.unit.alert_rules.builders import sighting
from tests.unit.alert_rules.correlations.streams import alerts, observed

TIMES = "[{from: north, to: south, at_least: 30m}, {from: south, to: north, at_least: 30m}]"


def drive(*stops: tuple[float, str], confidence: float = 0.95, **fields: object) -> list[Sighting]:
    """A plate at cameras, by minutes."""
    return [
        sighting(f"e{minutes:g}", at_s=60 * minutes, camera_id=camera, plate_text="XY12", plate_confidence=confidence,
                 **fields)
        for minutes, camera in stops
    ]  # fmt: skip


def clone(probability: float, misread: float) -> str:
    """A rule that knows how long the way takes."""
    return (
        f"{{type: impossible_travel, probability: {probability}, misread: {misread}, clock_skew: 10s, "
        f"travel_times: {TIMES}}}"
    )


NORTH = [(0, "north"), (2, "north"), (9, "north")]
AWAY = [(0, "north"), (2, "north"), (5, "south"), (9, "north")]
BOTH = [(0, "north"), (2, "north"), (5, "south"), (6, "south"), (9, "north"), (11, "south")]


@pytest.mark.parametrize(("stops", "fires"), [(NORTH, False), (AWAY, False), (BOTH, True)])
def test_one_pass_elsewhere_is_a_misread_and_several_are_a_clone(stops: list[tuple[float, str]], fires: bool) -> None:
    """What asks for more than one misread asks for passes that contradict each other again and again."""
    found = alerts(clone(0.98, 0.05), drive(*stops), timespan="1h")
    assert bool(found) is fires
    for alert in found:
        assert set(alert.proof.event_ids) >= {"e0", "e5"} and float(observed(alert, "probability")) >= 0.98


def test_the_commonness_of_near_plates_is_subtracted() -> None:
    """Where every tenth read is another plate's misread, the same passes prove less."""
    stops = drive(*AWAY)
    sure, doubtful = (alerts(clone(0.1, misread), stops, timespan="1h")[-1] for misread in (0.0, 0.3))
    assert float(observed(sure, "probability")) > float(observed(doubtful, "probability"))
    assert alerts(clone(0.85, 0.0), stops, timespan="1h") and not alerts(clone(0.85, 0.3), stops, timespan="1h")


def test_passes_outside_of_the_time_span_do_not_count() -> None:
    """The same contradictions, each longer ago than the rule looks."""
    far = [(minutes * 20, camera) for minutes, camera in BOTH]
    assert alerts(clone(0.98, 0.05), drive(*far), timespan="10m") == []


def meetings(*stops: tuple[float, str]) -> list[Sighting]:
    """Two plates that pass cameras one after the other, by minutes."""
    return [
        sighting(f"{plate}{minutes:g}", at_s=60 * minutes + late_s, camera_id=camera, plate_text=plate)
        for minutes, camera in stops
        for plate, late_s in (("XX1", 0), ("YY2", 5))
    ]


@pytest.mark.parametrize(
    ("stops", "fires"),
    [
        ([(0, "a"), (5, "b"), (10, "c"), (15, "d")], False),
        ([(0, "a"), (5, "b"), (120, "c")], True),
        ([(0, "a"), (5, "b"), (120, "a")], False),
        ([(0, "a"), (5, "b"), (120, "a"), (125, "c")], True),
        ([(0, "a"), (5, "b"), (34, "c")], False),
    ],
)
def test_a_convoy_on_two_occasions(stops: list[tuple[float, str]], fires: bool) -> None:
    """Three cameras, and a pause of half an hour between two meetings; a camera that comes again is no new one."""
    kind = "{type: convoy, condition: {gte: 3}, occasions: 2, apart: 30m}"
    found = alerts(kind, meetings(*stops), timespan="4h")
    assert bool(found) is fires
    for alert in found:
        assert "3 cameras on 2 occasions" in next(c.expected for c in alert.proof.conditions if c.operator != "count")
