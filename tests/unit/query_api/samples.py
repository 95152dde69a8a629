"""Events for the tests of the query API, valid unless a test makes them otherwise."""

from typing import Any
from uuid import uuid4

from schemas.clock import MICROS_PER_S, now_us
from schemas.events import (
    Alert,
    AlertAction,
    CharacterAlternative,
    DeadLetter,
    Detection,
    Images,
    Location,
    Plate,
    Proof,
    Receipt,
    Resolved,
    RuleRef,
    Sighting,
    Vehicle,
    Visit,
)
from schemas.identity import fold, normalise

HOUR_US = 3600 * MICROS_PER_S


def fresh(kind: str) -> str:
    """A name that no other test uses: connected tests share one database."""
    return f"{kind}-{uuid4().hex[:10]}"


def ago(seconds: float) -> int:
    """A time before now, in microseconds."""
    return now_us() - round(seconds * MICROS_PER_S)


def plate(text: str, confidence: float = 0.9, region: str | None = "nl") -> Plate:
    """A plate whose characters are all but sure."""
    normalised = normalise(text)
    characters = tuple((CharacterAlternative(char, 0.97),) for char in normalised)
    return Plate(text, normalised, confidence, region, characters)


def sighting(text: str = "AB-123-C", **changes: Any) -> Sighting:
    """A sighting of a plate; without other wish ten minutes ago, resolved to what was read."""
    read = changes.pop("plate", plate(text))
    captured_at = changes.pop("captured_at", ago(600))
    resolved = Resolved(text=read.normalized_text, confidence=read.confidence)
    values: dict[str, Any] = {
        "event_id": str(uuid4()),
        "captured_at": captured_at,
        "camera_id": "gate-1",
        "site_id": "depot",
        "track_id": "7",
        "plate": read,
        "vehicle": Vehicle("car", "Volvo", "V60", "white", 0.8),
        "images": Images("s3://alpr-plate-images/gate-1/plate.jpg"),
        "location": Location(52.1, 5.2),
        "direction": "in",
        "first_seen_at": captured_at,
        "last_seen_at": captured_at + MICROS_PER_S,
        "reads": 5,
        "latency_ms": 120.5,
        "extras": {"lane": "2"},
        "revision": 1,
        "match_key": fold(read.normalized_text),
        "resolved": resolved,
    }
    return Sighting(**{**values, **changes})


def vehicle(**changes: Any) -> Detection:
    """A vehicle without a readable plate."""
    captured_at = changes.pop("captured_at", ago(600))
    values: dict[str, Any] = {
        "event_id": str(uuid4()),
        "captured_at": captured_at,
        "camera_id": "gate-1",
        "vehicle": Vehicle("truck"),
        "first_seen_at": captured_at,
        "last_seen_at": captured_at,
    }
    return Detection(**{**values, **changes})


def alert(**changes: Any) -> Alert:
    """An alert for a watchlisted plate."""
    fired_at = changes.pop("fired_at", ago(300))
    values: dict[str, Any] = {
        "alert_id": str(uuid4()),
        "rule": RuleRef("watchlist", "Watchlisted plate", "abc123"),
        "severity": "high",
        "fired_at": fired_at,
        "key": "AB123C",
        "message": "AB-123-C at gate-1",
        "captured_at": fired_at,
        "camera_id": "gate-1",
        "site_id": "depot",
        "plate_text": "AB-123-C",
        "proof": Proof(event_ids=("e1", "e2"), likelihood=0.91, matched_plate="AB123C"),
        "images": Images("s3://alpr-plate-images/gate-1/plate.jpg"),
        "context": {"camera_id": "gate-1"},
    }
    return Alert(**{**values, **changes})


def action(alert_id: str, kind: str = "acknowledge", **changes: Any) -> AlertAction:
    """What somebody did with an alert."""
    values: dict[str, Any] = {
        "action_id": str(uuid4()),
        "alert_id": alert_id,
        "action": kind,
        "actor": "m.visser",
        "acted_at": ago(60),
    }
    return AlertAction(**{**values, **changes})


def receipt(alert_id: str, **changes: Any) -> Receipt:
    """A mail that was delivered."""
    values: dict[str, Any] = {
        "notification_id": str(uuid4()),
        "alert_id": alert_id,
        "rule_id": "watchlist",
        "channel": "email",
        "recipient": "desk@example.org",
        "outcome": "delivered",
        "attempts": 1,
        "captured_at": ago(300),
        "settled_at": ago(299),
    }
    return Receipt(**{**values, **changes})


def visit(**changes: Any) -> Visit:
    """A vehicle that came an hour ago and is inside."""
    started_at = changes.pop("started_at", ago(3600))
    values: dict[str, Any] = {
        "visit_id": str(uuid4()),
        "revision": 1,
        "site_id": "depot",
        "outcome": "open",
        "started_at": started_at,
        "plate_text": "AB123C",
        "plate_region": "nl",
        "entered_at": started_at,
        "entry_event_id": "e1",
        "entry_camera_id": "gate-1",
        "updated_at": started_at,
        "occupancy": 1,
    }
    return Visit(**{**values, **changes})


def dead_letter(**changes: Any) -> DeadLetter:
    """A record that was refused a minute ago."""
    values: dict[str, Any] = {
        "dead_letter_id": str(uuid4()),
        "topic": "alpr.plates.detected",
        "partition": 0,
        "offset": 1,
        "recorded_at": ago(61),
        "key": b"gate-1",
        "value": b"\xff",
        "agent": "route",
        "error_type": "SCHEMA_VALIDATION",
        "message": "not Avro",
        "failed_at": ago(60),
    }
    return DeadLetter(**{**values, **changes})
