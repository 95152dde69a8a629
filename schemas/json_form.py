"""Detections as JSON: for producers without a registry, the HTTP ingest and the edge agent's spool.

Both shapes are taken: nested as in the Avro contract, and flat with the alias names (``plate_text``, ...). Times may be
ISO 8601 or Unix times in s, ms, us or ns. Unknown fields are kept as text in ``extras``; wrong types are refused with
the path of the field.
"""

import json
import math
from typing import Any

from schemas.aliases import FLAT_NAMES
from schemas.clock import parse_time
from schemas.errors import SchemaError
from schemas.events import CharacterAlternative, Detection, Images, Location, Node, Plate, Vehicle
from schemas.identity import MAX_PLATE_CHARS, normalise
from schemas.records import to_json_record

_NESTED = {"plate", "vehicle", "images", "location", "node", "extras"}
_PLAIN = {path[0] for path in FLAT_NAMES.values() if len(path) == 1} | _NESTED
MAX_EXTRA_CHARS = 4096


def looks_like_json(value: bytes) -> bool:
    """By the first byte that is no white space: an object opens with a brace."""
    return value[:64].lstrip(b" \t\r\n\xef\xbb\xbf")[:1] == b"{"


def detection_to_json(detection: Detection) -> bytes:
    """The nested form, UTF-8."""
    return json.dumps(to_json_record(detection), ensure_ascii=False, separators=(",", ":")).encode()


def detection_from_json(value: bytes | str | dict[str, Any], default_event_id: str | None = None) -> Detection:
    """Read a detection from JSON.

    Args:
        value: JSON text or an object that is parsed already.
        default_event_id: for producers that give none (`schemas.keys.foreign_detection_id`).

    Raises:
        SchemaError: no JSON object, a required field (camera_id, captured_at) is missing, or a field is of the wrong
            kind; the message names the field.
    """
    body = value if isinstance(value, dict) else _parse(value)
    nested = _nest(body)
    event_id = _text(nested, "event_id") or default_event_id
    if event_id is None:
        raise SchemaError("event_id is missing")
    captured_at = _time(nested, "captured_at")
    if captured_at is None:
        raise SchemaError("captured_at is missing: when was it seen?")
    camera_id = _text(nested, "camera_id")
    if not camera_id:
        raise SchemaError("camera_id is missing: which camera saw it?")
    first, last = _time(nested, "first_seen_at"), _time(nested, "last_seen_at")
    return Detection(
        event_id=event_id,
        captured_at=captured_at,
        camera_id=camera_id,
        site_id=_text(nested, "site_id"),
        track_id=_text(nested, "track_id"),
        plate=_plate(_object(nested, "plate")),
        vehicle=_vehicle(_object(nested, "vehicle")),
        images=_images(_object(nested, "images")),
        location=_location(_object(nested, "location")),
        direction=_text(nested, "direction"),
        first_seen_at=captured_at if first is None else first,
        last_seen_at=captured_at if last is None else last,
        reads=_count(nested, "reads", 1),
        latency_ms=_number(nested, "latency_ms"),
        node=_node(_object(nested, "node")),
        is_final=_flag(nested, "is_final", True),
        extras=_extras(nested),
    )


def _parse(value: bytes | str) -> dict[str, Any]:
    try:
        body = json.loads(value)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise SchemaError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise SchemaError(f"JSON must be an object, not {type(body).__name__}")
    return body


def _nest(body: dict[str, Any]) -> dict[str, Any]:
    """Move flat aliases to their nested place; a nested value that is there already wins."""
    nested: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for name, value in body.items():
        path = FLAT_NAMES.get(name)
        if name in _PLAIN:
            nested[name] = dict(value) if name in _NESTED and isinstance(value, dict) else value
        elif path is None:
            extras[name] = value
    for name, value in body.items():
        path = FLAT_NAMES.get(name, ())
        if len(path) == 2 and value is not None:
            parent = nested.setdefault(path[0], {})
            if parent is None:
                parent = nested[path[0]] = {}
            if isinstance(parent, dict):
                parent.setdefault(path[1], value)
    if extras:
        given = nested.get("extras") or {}
        nested["extras"] = {**extras, **given} if isinstance(given, dict) else given
    return nested


def _plate(body: dict[str, Any] | None) -> Plate | None:
    if not body:
        return None
    text = _text(body, "text", "plate.") or ""
    given = _text(body, "normalized_text", "plate.")
    normalized = normalise(given if given else text)
    if len(normalized) > MAX_PLATE_CHARS:
        raise SchemaError(f"plate.text has {len(normalized)} letters and digits; a plate has at most {MAX_PLATE_CHARS}")
    confidence = _number(body, "confidence", "plate.")
    characters = body.get("characters") or ()
    if not isinstance(characters, list | tuple):
        raise _wrong("plate.characters", "a list", characters)
    return Plate(
        text=text,
        normalized_text=normalized,
        confidence=_probability(0.0 if confidence is None else confidence, "plate.confidence"),
        region=_text(body, "region", "plate."),
        characters=tuple(_alternatives(position) for position in characters),
    )


def _alternatives(position: Any) -> tuple[CharacterAlternative, ...]:
    where = "plate.characters[]"
    if not isinstance(position, list | tuple):
        raise _wrong(where, "a list of {char, probability}", position)
    alternatives = []
    for item in position:
        if isinstance(item, dict):
            char, probability = item.get("char"), item.get("probability")
        elif isinstance(item, list | tuple) and len(item) == 2:
            char, probability = item
        else:
            raise _wrong(where, "{char, probability}", item)
        if not isinstance(char, str) or isinstance(probability, bool) or not isinstance(probability, int | float):
            raise _wrong(where, "{char: text, probability: number}", item)
        alternatives.append(CharacterAlternative(char, _probability(float(probability), where)))
    return tuple(alternatives)


def _vehicle(body: dict[str, Any] | None) -> Vehicle | None:
    if not body:
        return None
    kind, make, model, color = (_text(body, name, "vehicle.") for name in ("type", "make", "model", "color"))
    return Vehicle(kind, make, model, color, _number(body, "confidence", "vehicle."))


def _images(body: dict[str, Any] | None) -> Images:
    if not body:
        return Images()
    return Images(*(_text(body, name, "images.") for name in ("plate_url", "vehicle_url", "frame_url")))


def _location(body: dict[str, Any] | None) -> Location | None:
    if not body:
        return None
    lat, lon = _number(body, "lat", "location."), _number(body, "lon", "location.")
    if lat is None or lon is None:
        raise SchemaError("location needs lat and lon")
    return Location(lat, lon)


def _node(body: dict[str, Any] | None) -> Node | None:
    if not body:
        return None
    models = _object(body, "models", "node.") or {}
    return Node(
        _text(body, "agent_id", "node.") or "unknown",
        _text(body, "host", "node."),
        {str(name): str(version) for name, version in models.items()},
    )


def _extras(body: dict[str, Any]) -> dict[str, str]:
    extras = _object(body, "extras") or {}
    return {
        str(name): (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:MAX_EXTRA_CHARS]
        for name, value in extras.items()
    }


def _object(body: dict[str, Any], name: str, under: str = "") -> dict[str, Any] | None:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise _wrong(under + name, "an object", value)
    return value


def _text(body: dict[str, Any], name: str, under: str = "") -> str | None:
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # camera and track numbers
    if value is not None and not isinstance(value, str):
        raise _wrong(under + name, "text", value)
    if value is not None and _has_surrogate(value):
        raise SchemaError(f"{under}{name} holds half a surrogate pair: not valid Unicode")
    return value


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def _number(body: dict[str, Any], name: str, under: str = "") -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(under + name, "a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _wrong(under + name, "a finite number", value)
    return number


def _count(body: dict[str, Any], name: str, default: int) -> int:
    value = _number(body, name)
    if value is None:
        return default
    if not 0 <= value < 2**31:
        raise _wrong(name, "a count", value)
    return int(value)


def _flag(body: dict[str, Any], name: str, default: bool) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value)
    return value


def _time(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, str | int | float):
            return parse_time(value)
    except (ValueError, OverflowError) as error:
        raise SchemaError(f"{name}: {value!r:.60} is no time ({error})") from error
    raise _wrong(name, "a time (ISO 8601 or Unix)", value)


def _probability(value: float, where: str) -> float:
    if not 0.0 <= value <= 1.0:
        raise SchemaError(f"{where} is {value}; it must lie between 0 and 1")
    return value


def _wrong(where: str, expected: str, value: Any) -> SchemaError:
    return SchemaError(f"{where} must be {expected}, not {value!r:.60}")
