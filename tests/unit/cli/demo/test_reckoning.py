"""The demo's checks: they hold for figures that add up and fail for each way in which they do not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cli.demo.census import Census, Recorded
from cli.demo.latency import frame_to_alert_ms, percentiles, sighting_to_delivery_ms
from cli.demo.reckoning import reckon
from cli.demo.source import random_plates
from schemas.events import Alert, Detection, Images, Plate, Proof, Receipt, Resolved, RuleRef, Sighting

NOW = 1_790_000_000_000_000


def detection(event_id: str, text: str = "AB12CDE") -> Detection:
    """A detection with an image."""
    return Detection(
        event_id=event_id,
        captured_at=NOW,
        camera_id="gate",
        plate=Plate(text, text, 0.9),
        images=Images(plate_url=f"s3://bucket/{event_id}/plate.jpg"),
        first_seen_at=NOW,
        last_seen_at=NOW,
        latency_ms=200.0,
    )


def sighting(event_id: str, text: str = "AB12CDE") -> Sighting:
    """Its sighting."""
    return Sighting(
        event_id=event_id,
        captured_at=NOW,
        camera_id="gate",
        plate=Plate(text, text, 0.9),
        first_seen_at=NOW,
        last_seen_at=NOW,
        revision=1,
        match_key=text,
        resolved=Resolved(text=text, confidence=0.9),
    )


def alert(alert_id: str, event_id: str) -> Alert:
    """An alert about a sighting."""
    return Alert(
        alert_id=alert_id,
        rule=RuleRef("r", "r", "1"),
        severity="high",
        fired_at=NOW,
        key="AB12CDE",
        message="",
        captured_at=NOW,
        proof=Proof(event_ids=(event_id,)),
    )


def receipt(number: str, alert_id: str, channel: str) -> Receipt:
    """A delivered notification."""
    return Receipt(
        notification_id=number,
        alert_id=alert_id,
        rule_id="r",
        channel=channel,
        recipient="x",
        outcome="delivered",
        attempts=1,
        captured_at=NOW,
        settled_at=NOW + 900_000,
    )


def sound_census() -> Census:
    """Two cars, one of them watchlisted, delivered by mail and webhook."""
    return Census(
        detections=[Recorded(detection("a"), NOW + 300_000), Recorded(detection("b", "ZZ99XYW"), NOW)],
        sightings=[Recorded(sighting("a"), NOW + 400_000), Recorded(sighting("b", "ZZ99XYW"), NOW)],
        alerts=[Recorded(alert("1", "a"), NOW + 500_000)],
        receipts=[Recorded(receipt("m", "1", "email"), NOW), Recorded(receipt("w", "1", "webhook"), NOW)],
        timescale_sightings=2,
        timescale_alerts=1,
        timescale_receipts=2,
        opensearch_sightings=2,
        s3_plate_images=2,
        s3_objects=4,
        mails=1,
        webhooks=1,
    )


def test_sound_figures_pass_every_check() -> None:
    """Figures that add up leave no check open."""
    assert [check.says for check in reckon(sound_census()) if not check.holds] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: replace_in(c, detections=[]),
        lambda c: replace_in(c, sightings=c.sightings[:1]),
        lambda c: replace_in(c, dead_letters=1),
        lambda c: replace_in(c, timescale_sightings=1),
        lambda c: replace_in(c, timescale_sightings=3),
        lambda c: replace_in(c, timescale_alerts=0),
        lambda c: replace_in(c, timescale_receipts=1),
        lambda c: replace_in(c, opensearch_sightings=1),
        lambda c: replace_in(c, s3_plate_images=1),
        lambda c: replace_in(c, mails=0),
        lambda c: replace_in(c, mails=2),
        lambda c: replace_in(c, webhooks=0),
        lambda c: replace_in(c, alerts=[], timescale_alerts=0),
        lambda c: replace_in(c, receipts=[Recorded(replace(c.receipts[0].event, outcome="failed"), NOW)]),
    ],
)
def test_each_disagreement_is_found(spoil: Callable[[Census], Census]) -> None:
    """One figure that does not agree fails at least one check."""
    assert any(not check.holds for check in reckon(spoil(sound_census())))


def replace_in(census: Census, **changes: Any) -> Census:
    """The census with some figures changed."""
    return replace(census, **changes)


def test_latencies_come_from_kafka_timestamps() -> None:
    """Frame to alert adds the edge's own latency to the distance of the records; delivery counts from the sighting."""
    census = sound_census()
    assert frame_to_alert_ms(census) == [400.0]
    assert sighting_to_delivery_ms(census) == [500.0, 500.0]


def test_percentiles_are_nearest_rank() -> None:
    """p50 and p99 are values that occurred; without values there are none."""
    found = percentiles(float(value) for value in range(1, 101))
    assert found is not None and (found.p50_ms, found.p99_ms, found.count) == (50.0, 99.0, 100)
    assert percentiles([]) is None


def test_random_plates_are_told_apart() -> None:
    """The plates of a clip differ in at least two characters, and a seed gives the same ones again."""
    plates = random_plates(20, seed=5)
    assert plates == random_plates(20, seed=5)
    assert len(set(plates)) == 20
