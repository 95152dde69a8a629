"""One sample of every event, and the golden files made of them.

``python -m tests.unit.schemas.golden_samples 2`` writes ``golden/v2`` when contracts have changed; versions that are
there are never written again: they stand for records that lie on topics.
"""

import json
import sys
from pathlib import Path
from typing import Any

from schemas import events
from schemas.codec import HEADER_BYTES, EventCodec
from schemas.contracts import contract
from schemas.records import to_json_record
from schemas.registry import MemoryRegistry
from schemas.topics import Topic

GOLDEN = Path(__file__).parent / "golden"
AT = 1_764_000_000_123_456

_PLATE = events.Plate(
    "B-ÄÖ 123",
    "BAO123",
    0.875,
    region="de",
    characters=tuple(
        (events.CharacterAlternative(char, 0.75), events.CharacterAlternative(other, 0.125))
        for char, other in zip("BAO123", "84Q1Z8", strict=True)
    ),
)
_DETECTION: dict[str, Any] = {
    "event_id": "0d2f6c0e-5f0c-5d6e-9d0b-0f1f6d1d6a01",
    "captured_at": AT,
    "camera_id": "gate-1",
    "site_id": "north",
    "track_id": "17",
    "plate": _PLATE,
    "vehicle": events.Vehicle("car", "vw", "golf", "red", 0.5),
    "images": events.Images("s3://alpr-plate-images/p.jpg", None, "https://example.org/f.jpg"),
    "location": events.Location(52.5, -13.25),
    "direction": "in",
    "first_seen_at": AT - 500_000,
    "last_seen_at": AT + 1_500_000,
    "reads": 12,
    "latency_ms": 180.5,
    "node": events.Node("edge-1", "host", {"detector": "v1"}),
    "is_final": False,
    "extras": {"lane": "2", "note": "🚗"},
}

SAMPLES: dict[str, Any] = {
    "Detection": events.Detection(**_DETECTION),
    "Sighting": events.Sighting(
        **_DETECTION,
        revision=2,
        match_key="8A0123",
        resolved=events.Resolved(text="BAO123", confidence=0.75, previous_text="BA0123"),
        detections=3,
        watermark=AT - 10_000_000,
        visit_id="visit-1",
        merged_into="0d2f6c0e-5f0c-5d6e-9d0b-0f1f6d1d6a00",
    ),
    "Clock": events.Clock(at=AT),
    "Tick": events.Tick(
        partition=3, at=AT, watermark=AT - 60_000_000, rest=AT - 10_000_000, cameras={"gate-1": AT - 60_000_000},
        is_full=True,
    ),
    "Metric": events.Metric(
        name="fps", value=24.5, measured_at=AT, unit="1/s", camera_id="gate-1", tags={"agent": "edge-1"}
    ),
    "Alert": events.Alert(
        alert_id="a-1",
        rule=events.RuleRef("stolen", "Stolen cars", "9f2c"),
        severity="high",
        fired_at=AT,
        key="BAO123",
        message="Stolen car at gate-1",
        captured_at=AT - 1,
        camera_id="gate-1",
        site_id="north",
        plate_text="B-ÄÖ 123",
        proof=events.Proof(
            event_ids=("e-1", "e-2"),
            conditions=(events.ConditionProof("plate_confidence", ">=", "0.8", "0.875"),),
            likelihood=0.5,
            matched_plate="BA?123",
            suppressed=4,
        ),
        images=events.Images("s3://alpr-plate-images/p.jpg"),
        actions=(events.Action("email", {"to": "guard@example.org"}),),
        freshness_s=900.0,
        context={"camera_id": "gate-1"},
    ),
    "AlertAction": events.AlertAction(
        action_id="x-1", alert_id="a-1", action="silence", actor="kim", acted_at=AT, label="false_positive", note="n",
        until=AT + 1, starts_at=AT - 1, silence_id="x-0",
        matcher=events.AlertMatcher(rules=("stolen*",), severities=("low", "info"), sites=("north",), plates=("B?O*",)),
    ),
    "Receipt": events.Receipt(
        notification_id="n-1", alert_id="a-1", rule_id="stolen", channel="email", recipient="guard@example.org",
        outcome="delivered", attempts=2, detail="250 ok", captured_at=AT, settled_at=AT + 9,
    ),
    "DeadLetter": events.DeadLetter(
        dead_letter_id="d-1", topic="alpr.plates.detected", partition=3, offset=77, recorded_at=AT, key=b"gate-1",
        value=b"\x00\xff{", headers=(events.Header("traceparent", b"00-1"), events.Header("empty", None)),
        agent="route", error_type="SCHEMA_VALIDATION", message="wrong", stack="Traceback", retry_count=1,
        failed_at=AT + 5,
    ),
    "Visit": events.Visit(
        visit_id="v-1", revision=3, site_id="north", outcome="completed", started_at=AT - 60_000_000,
        plate_text="BAO123", plate_region="de", entered_at=AT - 60_000_000, entry_event_id="e-1",
        entry_camera_id="gate-1", exited_at=AT, exit_event_id="e-4", exit_camera_id="gate-2", exit_plate_text="BA0123",
        ended_at=AT, match="confusable", match_score=0.0625, dwell_s=60.0, absent_s=5.5,
        absences=(events.Absence(AT - 30_000_000, AT - 24_500_000, "e-2", "e-3"),), occupancy=7, capacity=40,
        updated_at=AT + 1,
    ),
    "Camera": events.Camera(
        camera_id="gate-1", site_id="north", name="Gate", location=events.Location(1.5, 2.5), zone="yard",
        direction="in", role="entry", time_zone="Europe/Berlin", lateness_s=10.0, max_rate_per_s=5.0,
        country="de",
    ),
    "DeadLetterAction": events.DeadLetterAction(
        dead_letter_id="d-1", action="replayed", actor="kim", acted_at=AT + 9, topic="alpr.plates.detected",
        partition=3, offset=77, agent="route", error_type="SCHEMA_VALIDATION", retry_count=1, reason="schema mended",
    ),
    "WatchlistEntry": events.WatchlistEntry(
        list_id="police", entry_id="1", plate="BA?123", kind="deny", region="de", vehicle_make="vw",
        vehicle_color="red", reason="stolen", priority="high", valid_from=AT, valid_until=AT + 1, sites=("north",),
        days="mon-fri", hours="08:00-18:00", time_zone="Europe/Berlin", quota="2/day", likelihood=0.9,
    ),
}  # fmt: skip


def class_of(event: Any) -> type:
    """Class of an event."""
    return type(event)


def topic_of(event: Any) -> Topic:
    """A topic that carries events of this class."""
    return Topic("golden", type(event), key="-", doc="-")


def write(version: int) -> None:
    """Write the golden files of a version.

    Raises:
        FileExistsError: they are there already.
    """
    folder = GOLDEN / f"v{version}"
    folder.mkdir(parents=True)
    for name, event in SAMPLES.items():
        value = EventCodec(MemoryRegistry()).encode(topic_of(event), event)
        (folder / f"{name}.bin").write_bytes(value[HEADER_BYTES:])
        for suffix, body in (("avsc", contract(class_of(event))), ("json", to_json_record(event))):
            text = json.dumps(body, indent=1, ensure_ascii=False) + "\n"
            (folder / f"{name}.{suffix}").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(int(sys.argv[1]))
