"""Whether the demo's figures add up: pure comparison of what the servers hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cli.demo.census import Census, Recorded
from schemas.events import Detection
from schemas.identity import likelihood

MAY_BE = 1e-6
"""Likelihood above which a detection may have been taken for a sighting's plate."""


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence about the figures, and whether it holds."""

    says: str
    holds: bool
    figures: str


def reckon(census: Census, expect_alerts: bool = True) -> list[Check]:
    """Every check on a finished demo run; all must hold.

    Args:
        census: what the servers hold.
        expect_alerts: the source is known to hold a plate that a rule asks for.
    """
    detections = _unique(census.detections)
    plates = {d.event_id for d in detections.values() if d.plate is not None and d.plate.normalized_text}
    sightings = _unique(census.sightings)
    alerts = {record.event.alert_id for record in census.alerts}
    latest = {record.event.notification_id: record.event for record in census.receipts}
    delivered = [receipt for receipt in latest.values() if receipt.outcome == "delivered"]
    by_mail = sum(receipt.channel == "email" for receipt in delivered)
    by_webhook = sum(receipt.channel == "webhook" for receipt in delivered)
    imaged = {d.event_id for d in detections.values() if d.images.plate_url}
    astray = [d for d in detections.values() if d.event_id in plates and not _is_sighted(d, sightings)]

    checks = [
        _check("the edge agent published detections", len(detections) > 0, len(detections)),
        _check("plates became sightings", 0 < len(sightings) <= max(1, len(plates)), len(plates), len(sightings)),
        _check("every detection with a plate is in a sighting", not astray, len(plates), len(plates) - len(astray)),
        _check("no dead letters", census.dead_letters == 0, census.dead_letters),
        _same("TimescaleDB has a row for each sighting", census.timescale_sightings, len(sightings)),
        _same("OpenSearch has a document for each sighting", census.opensearch_sightings, len(sightings)),
        _same("S3 has a plate image for each detection that names one", census.s3_plate_images, len(imaged)),
        _check("images were stored", census.s3_plate_images > 0, census.s3_plate_images),
        _same("TimescaleDB has a row for each alert", census.timescale_alerts, len(alerts)),
        _same("TimescaleDB has a row for each notification", census.timescale_receipts, len(latest)),
        _same("the mail sink has a mail for each delivered one", census.mails, by_mail),
        _same("the webhook receiver got each delivered one", census.webhooks, by_webhook),
        _same("every notification was delivered", len(delivered), len(latest)),
    ]
    if expect_alerts:
        checks += [
            _check("alerts fired", len(alerts) > 0, len(alerts)),
            _check("an alert was mailed", by_mail > 0, by_mail),
            _check("an alert reached the webhook", by_webhook > 0, by_webhook),
        ]
    return checks


def _is_sighted(detection: Detection, sightings: dict[str, Any]) -> bool:
    """Whether the detection opened a sighting, or may have joined one of its camera."""
    if detection.event_id in sightings:
        return True
    plate = detection.plate
    assert plate is not None
    return any(
        sighting.camera_id == detection.camera_id
        and sighting.resolved is not None
        and likelihood(plate, sighting.resolved.text) > MAY_BE
        for sighting in sightings.values()
    )


def _unique(records: Iterable[Recorded]) -> dict[str, Any]:
    """The last message of each event id."""
    return {record.event.event_id: record.event for record in records}


def _same(says: str, left: int, right: int) -> Check:
    return Check(says, left == right, f"{left} = {right}" if left == right else f"{left} ≠ {right}")


def _check(says: str, holds: bool, *figures: int) -> Check:
    return Check(says, holds, " → ".join(map(str, figures)))
