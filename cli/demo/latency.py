"""How long things took, from the timestamps that Kafka gave the records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from cli.demo.census import Census
from schemas.clock import MICROS_PER_MS
from schemas.events import Alert


@dataclass(frozen=True, slots=True)
class Percentiles:
    """p50 and p99 of a latency, milliseconds, and of how many."""

    p50_ms: float
    p99_ms: float
    count: int


def percentiles(values_ms: Iterable[float]) -> Percentiles | None:
    """Nearest-rank percentiles; None where there are no values."""
    ordered = sorted(values_ms)
    if not ordered:
        return None
    return Percentiles(_rank(ordered, 0.50), _rank(ordered, 0.99), len(ordered))


def frame_to_alert_ms(census: Census) -> list[float]:
    """From the capture of the trigger's frame to the alert's record in Kafka.

    The edge states how long capture to publication took (`latency_ms`); the rest is the distance of two Kafka
    timestamps, so a clip that is read faster than it was filmed is measured right too.
    """
    first_published: dict[str, tuple[int, float]] = {}
    for record in census.detections:
        first_published.setdefault(record.event.event_id, (record.recorded_at_us, record.event.latency_ms or 0.0))
    found = []
    for record in census.alerts:
        trigger = first_published.get(_trigger_of(record.event))
        if trigger is not None:
            found.append((record.recorded_at_us - trigger[0]) / MICROS_PER_MS + trigger[1])
    return found


def sighting_to_delivery_ms(census: Census) -> list[float]:
    """From the sighting's record in Kafka to the delivery of a notification about it."""
    sighted: dict[str, int] = {}
    for record in census.sightings:
        sighted.setdefault(record.event.event_id, record.recorded_at_us)
    triggers = {record.event.alert_id: _trigger_of(record.event) for record in census.alerts}
    found = []
    for record in census.receipts:
        receipt = record.event
        at = sighted.get(triggers.get(receipt.alert_id, ""))
        if receipt.outcome == "delivered" and at is not None:
            found.append((receipt.settled_at - at) / MICROS_PER_MS)
    return found


def _trigger_of(alert: Alert) -> str:
    """The event that fired an alert; none where nothing was seen, and that was the reason."""
    return alert.proof.event_ids[-1] if alert.proof.event_ids else ""


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
