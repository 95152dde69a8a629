"""Sightings from JSON, for backtests, explanations and inline tests.

Detections are taken too, in the shapes of `schemas.json_form`: they become first revisions, as deduplication would
make of a lone read.
"""

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from schemas.clock import parse_time
from schemas.errors import SchemaError
from schemas.events import Detection, Resolved, Sighting
from schemas.identity import match_key, normalise
from schemas.json_form import detection_from_json

_OWN = ("revision", "match_key", "resolved", "detections", "watermark", "visit_id", "merged_into")
_FLAT = ("resolved_text", "resolved_confidence", "previous_text")


def sighting_from_json(value: bytes | str | dict[str, Any], default_event_id: str | None = None) -> Sighting:
    """A sighting or detection from JSON, nested or flat.

    Raises:
        SchemaError: not JSON, a required field is missing, or one is of the wrong kind; the message names it.
    """
    body = dict(value) if isinstance(value, dict) else _parse(value)
    own = {name: body.pop(name) for name in (*_OWN, *_FLAT) if name in body}
    detection = detection_from_json(body, default_event_id)
    return _sighting(detection, own)


def sightings_from_lines(lines: Iterator[str]) -> Iterator[tuple[int, Sighting | SchemaError]]:
    """Line number and sighting of each line that is not blank; an error in the place of a line that is none."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, sighting_from_json(line, f"line-{number}")
            except SchemaError as error:
                yield number, error


def _parse(value: bytes | str) -> dict[str, Any]:
    try:
        body = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise SchemaError(f"JSON must be an object, not {type(body).__name__}")
    return body


def _sighting(detection: Detection, own: dict[str, Any]) -> Sighting:
    known = {field.name: getattr(detection, field.name) for field in fields(Detection)}
    return Sighting(
        **known,
        revision=_count(own, "revision"),
        match_key=_text(own, "match_key") or match_key(detection.plate, detection.camera_id),
        resolved=_resolved(own, detection),
        detections=_count(own, "detections"),
        watermark=_time(own, "watermark"),
        visit_id=_text(own, "visit_id"),
        merged_into=_text(own, "merged_into"),
    )


def _resolved(own: dict[str, Any], detection: Detection) -> Resolved | None:
    body = own.get("resolved")
    if body is not None and not isinstance(body, dict):
        raise SchemaError("resolved must be an object")
    body = dict(body or {})
    for flat, name in (("resolved_text", "text"), ("resolved_confidence", "confidence"), ("previous_text",) * 2):
        if own.get(flat) is not None:
            body.setdefault(name, own[flat])
    text = _text(body, "text")
    plate = detection.plate
    if text is None:
        if plate is None or not plate.normalized_text:
            return None
        return Resolved(text=plate.normalized_text, confidence=plate.confidence)
    confidence = body.get("confidence", plate.confidence if plate is not None else 1.0)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        raise SchemaError("resolved.confidence must be a number between 0 and 1")
    return Resolved(text=normalise(text), confidence=float(confidence), previous_text=_text(body, "previous_text"))


def _count(body: dict[str, Any], name: str) -> int:
    value = body.get(name, 1)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
        raise SchemaError(f"{name} must be a count from 1 on")
    return value


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise SchemaError(f"{name} must be text")
    return value


def _time(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, str | int | float):
        try:
            return parse_time(value)
        except (ValueError, OverflowError):
            pass
    raise SchemaError(f"{name} must be a time")
