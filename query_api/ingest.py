"""From a request body to detections: one JSON object or a list of them, refused as a whole where one is wrong."""

import json
import re
from typing import Any
from uuid import uuid5

from query_api.errors import ApiError, ContentTooLarge, FieldProblem, Invalid
from query_api.text import is_storable
from schemas.errors import SchemaError
from schemas.events import Detection
from schemas.json_form import detection_from_json
from schemas.keys import NAMESPACE

MAX_ID_CHARS = 200
MAX_PROBLEMS = 20
"""More wrong fields than these are not listed: a producer that gets them all wrong needs one example."""
_FIELD = re.compile(r"[a-z_]+(?:\.[a-z_]+)*(?:\[\])?")
_NAMES = ("event_id", "camera_id", "site_id", "track_id")


def read_detections(body: bytes, max_batch: int) -> list[Detection]:
    """The detections of a body.

    A detection without an event_id gets one that is made of its content, so that a client that repeats a request
    after a lost answer adds nothing.

    Raises:
        ApiError: 400 where it is not JSON, 413 where there are more than `max_batch`.
        Invalid: 422 with the path of each wrong field.
    """
    parsed = _parse(body)
    items = parsed if isinstance(parsed, list) else [parsed]
    if not items:
        raise Invalid("the list is empty", (FieldProblem("body", "at least one detection"),))
    if len(items) > max_batch:
        raise ContentTooLarge(f"{len(items)} detections; one request takes at most {max_batch}")
    detections: list[Detection] = []
    problems: list[FieldProblem] = []
    for position, item in enumerate(items):
        try:
            detections.append(_detection(item))
        except RecursionError:
            raise Invalid("the body is nested too deeply", (FieldProblem("body", "nested too deeply"),)) from None
        except SchemaError as error:
            where = f"[{position}]" if isinstance(parsed, list) else ""
            problems.append(FieldProblem(_joined(where, field_of(str(error))), str(error)))
            if len(problems) == MAX_PROBLEMS:
                break
    if problems:
        raise Invalid(f"nothing was taken in: {problems[0].message}", tuple(problems))
    return detections


def field_of(message: str) -> str:
    """The field's path, with which the messages of `schemas.json_form` begin; ``""`` where it is the whole object."""
    found = _FIELD.match(message)
    if found is None or found[0] in ("not", "a", "an"):
        return ""
    return found[0]


def _detection(item: Any) -> Detection:
    if not isinstance(item, dict):
        raise SchemaError(f"JSON must be an object, not {type(item).__name__}")
    unstorable = _unstorable(item)
    if unstorable is not None:
        raise SchemaError(f"{unstorable} holds a NUL character or half a surrogate pair")
    detection = detection_from_json(item, default_event_id=_content_id(item))
    for name in _NAMES:
        value = getattr(detection, name)
        if value is not None and not 0 < len(value) <= MAX_ID_CHARS:
            raise SchemaError(f"{name} has {len(value)} characters; it may have 1 to {MAX_ID_CHARS}")
    return detection


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:  # bad JSON, bad UTF-8, numbers of thousands of digits
        raise ApiError(f"the body is not JSON: {error}") from error


def _content_id(item: dict[str, Any]) -> str:
    text = json.dumps(item, sort_keys=True, separators=(",", ":"))
    return str(uuid5(NAMESPACE, "http-detection|" + text))


def _unstorable(value: Any, path: str = "") -> str | None:
    """Path of the first text, or name, that no store takes; the depth is bounded by the JSON parser."""
    if isinstance(value, str):
        return None if is_storable(value) else path
    if isinstance(value, dict):
        if not all(is_storable(name) for name in value):
            return path or "a field name"
        pairs = [(f"{path}.{name}" if path else name, item) for name, item in value.items()]
    elif isinstance(value, list):
        pairs = [(f"{path}[]" if not path.endswith("[]") else path, item) for item in value]
    else:
        return None
    return next((found for where, item in pairs if (found := _unstorable(item, where)) is not None), None)


def _joined(where: str, field: str) -> str:
    if not where:
        return field or "body"
    return f"{where}.{field}" if field else where
