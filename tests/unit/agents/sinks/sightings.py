"""Events for tests of the sinks."""

from typing import Any
from uuid import uuid4

from schemas.clock import parse_time
from schemas.events import (
    Alert,
    CharacterAlternative,
    Detection,
    Images,
    Location,
    Node,
    Plate,
    Proof,
    Resolved,
    RuleRef,
    Sighting,
    Vehicle,
)
from schemas.identity import fold, normalise

NOON = parse_time("2026-11-24T12:00:00.123456Z")


def new_id() -> str:
    """An event id that no other test has."""
    return str(uuid4())


def sighting(event_id: str = "event-1", revision: int = 1, text: str = "AB-1O23", **fields: Any) -> Sighting:
    """A sighting with everything in it."""
    plate = Plate(
        text,
        normalise(text),
        0.93,
        "de",
        tuple((CharacterAlternative(char, 0.9), CharacterAlternative("X", 0.1)) for char in normalise(text)),
    )
    values: dict[str, Any] = {
        "event_id": event_id,
        "captured_at": NOON,
        "camera_id": "gate-1",
        "site_id": "harbour",
        "track_id": "7",
        "plate": plate,
        "vehicle": Vehicle("van", "Ford", "Transit", "white", 0.8),
        "images": Images("s3://alpr-plate-images/x/plate.jpg"),
        "location": Location(52.1, 4.3),
        "direction": "in",
        "first_seen_at": NOON - 500_000,
        "last_seen_at": NOON + 500_000,
        "reads": 4,
        "latency_ms": 412.5,
        "node": Node("edge-1", "host-1", {"plates": "1.0"}),
        "extras": {"lane": "two"},
        "revision": revision,
        "match_key": fold(normalise(text)),
        "resolved": Resolved(text=normalise(text), confidence=0.97),
        "detections": 2,
        "watermark": NOON,
        "visit_id": "visit-1",
    }
    return Sighting(**{**values, **fields})


def vehicle(event_id: str = "event-1", **fields: Any) -> Detection:
    """A vehicle without a plate."""
    values: dict[str, Any] = {
        "event_id": event_id,
        "captured_at": NOON,
        "camera_id": "gate-1",
        "vehicle": Vehicle("truck"),
        "first_seen_at": NOON,
        "last_seen_at": NOON,
    }
    return Detection(**{**values, **fields})


def alert(alert_id: str = "alert-1", **fields: Any) -> Alert:
    """An alert with everything in it."""
    values: dict[str, Any] = {
        "alert_id": alert_id,
        "rule": RuleRef("stolen", "Stolen cars", "abc"),
        "severity": "high",
        "fired_at": NOON,
        "key": "AB1023",
        "message": "Stolen car at the gate",
        "captured_at": NOON,
        "camera_id": "gate-1",
        "plate_text": "AB-1O23",
        "proof": Proof(event_ids=("e1", "e2"), likelihood=0.9, matched_plate="AB1O23", suppressed=3),
        "context": {"vehicle_make": "Ford"},
    }
    return Alert(**{**values, **fields})
