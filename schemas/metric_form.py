"""Measurements as JSON: cameras and agents without a registry send ``{"name": ..., "value": ...}`` on the raw topic."""

import json
import math
from typing import Any

from schemas.clock import Micros, parse_time
from schemas.errors import SchemaError
from schemas.events import Metric

MAX_NAME_CHARS = 128
MAX_TAGS = 32
MAX_TAG_CHARS = 256
_TIMES = ("measured_at", "@timestamp", "timestamp", "time", "captured_at")
_KNOWN = {"name", "value", "unit", "camera_id", "tags", *_TIMES}


def is_metric(body: dict[str, Any]) -> bool:
    """Whether a JSON object is a measurement: it has a name and a value, and nothing that makes it a detection."""
    return "name" in body and "value" in body and not any(name.startswith("plate") for name in body)


def metric_from_json(body: dict[str, Any], recorded_at: Micros) -> Metric:
    """Read a measurement.

    Args:
        body: the object; fields that the contract does not know become tags.
        recorded_at: time of its record, for producers that give none. It is also the broker's word on the time, so
            the same record gives the same metric however often it is read.

    Raises:
        SchemaError: the name is no text, the value no finite number, or the time no time; the message names the field.
    """
    name = body["name"]
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise SchemaError(f"name must be text of at most {MAX_NAME_CHARS} printable characters, not {name!r:.60}")
    return Metric(
        name=name.strip(),
        value=_value(body["value"]),
        measured_at=_measured_at(body, recorded_at),
        unit=_text(body, "unit"),
        camera_id=_text(body, "camera_id"),
        tags=_tags(body),
    )


def _value(value: Any) -> float:
    if isinstance(value, bool):  # health as true and false
        return float(value)
    if not isinstance(value, int | float):
        raise SchemaError(f"value must be a number, not {value!r:.60}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SchemaError(f"value must be a finite number, not {value!r:.60}")
    return number


def _measured_at(body: dict[str, Any], recorded_at: Micros) -> Micros:
    for field in _TIMES:
        value = body.get(field)
        if value is None:
            continue
        if not isinstance(value, str | int | float):
            raise SchemaError(f"{field} must be a time (ISO 8601 or Unix), not {value!r:.60}")
        try:
            return parse_time(value)
        except (ValueError, OverflowError) as error:
            raise SchemaError(f"{field}: {value!r:.60} is no time ({error})") from error
    return recorded_at


def _text(body: dict[str, Any], field: str) -> str | None:
    value = body.get(field)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # camera numbers
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_NAME_CHARS or not value.isprintable():
        raise SchemaError(f"{field} must be text of at most {MAX_NAME_CHARS} printable characters, not {value!r:.60}")
    return value.strip() or None


def _tags(body: dict[str, Any]) -> dict[str, str]:
    given = body.get("tags") or {}
    if not isinstance(given, dict):
        raise SchemaError(f"tags must be an object, not {given!r:.60}")
    unknown = {name: value for name, value in body.items() if name not in _KNOWN}
    tags = {}
    for name, value in list({**unknown, **given}.items())[:MAX_TAGS]:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        tags[_clean(name)] = _clean(text)
    return tags


def _clean(text: str) -> str:
    """Cut to size and made valid UTF-8: JSON may hold half a surrogate pair, Avro may not."""
    return text[:MAX_TAG_CHARS].encode("utf-8", "replace").decode()
