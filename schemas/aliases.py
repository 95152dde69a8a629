"""The flat names under which rules, queries and the database know the fields of a detection or sighting."""

from typing import Any

from schemas.events import Detection, Sighting

FLAT_NAMES: dict[str, tuple[str, ...]] = {
    "event_id": ("event_id",),
    "captured_at": ("captured_at",),
    "camera_id": ("camera_id",),
    "site_id": ("site_id",),
    "track_id": ("track_id",),
    "plate_text": ("plate", "text"),
    "plate_normalized_text": ("plate", "normalized_text"),
    "plate_confidence": ("plate", "confidence"),
    "plate_region": ("plate", "region"),
    "vehicle_type": ("vehicle", "type"),
    "vehicle_make": ("vehicle", "make"),
    "vehicle_model": ("vehicle", "model"),
    "vehicle_color": ("vehicle", "color"),
    "vehicle_confidence": ("vehicle", "confidence"),
    "plate_image_url": ("images", "plate_url"),
    "vehicle_image_url": ("images", "vehicle_url"),
    "frame_url": ("images", "frame_url"),
    "latitude": ("location", "lat"),
    "longitude": ("location", "lon"),
    "direction": ("direction",),
    "first_seen_at": ("first_seen_at",),
    "last_seen_at": ("last_seen_at",),
    "reads": ("reads",),
    "latency_ms": ("latency_ms",),
    "is_final": ("is_final",),
}
"""Flat name to path in `Detection`."""

SIGHTING_NAMES: dict[str, tuple[str, ...]] = {
    **FLAT_NAMES,
    "revision": ("revision",),
    "match_key": ("match_key",),
    "resolved_text": ("resolved", "text"),
    "resolved_confidence": ("resolved", "confidence"),
    "previous_text": ("resolved", "previous_text"),
    "detections": ("detections",),
    "watermark": ("watermark",),
    "visit_id": ("visit_id",),
    "merged_into": ("merged_into",),
}
"""Flat name to path in `Sighting`."""


def value_at(event: Detection | Sighting, path: tuple[str, ...]) -> Any:
    """The value at a path of attributes; None where the way ends early."""
    value: Any = event
    for name in path:
        if value is None:
            return None
        value = getattr(value, name)
    return value


def flatten(event: Detection | Sighting) -> dict[str, Any]:
    """All flat fields of an event, None where unknown; times in microseconds."""
    names = SIGHTING_NAMES if isinstance(event, Sighting) else FLAT_NAMES
    return {name: value_at(event, path) for name, path in names.items()}
