"""Ingest: detections from any camera that speaks HTTP."""

from typing import Any

from fastapi import APIRouter, Request

from query_api import models
from query_api.context import Api
from query_api.errors import Invalid, UnsupportedMediaType
from query_api.ingest import MAX_ID_CHARS, read_detections
from schemas.errors import SchemaError

router = APIRouter(tags=["ingest"])

_TEXT = {"type": ["string", "null"]}
_NUMBER = {"type": ["number", "null"]}
_ID = {"type": ["string", "null"], "minLength": 1, "maxLength": MAX_ID_CHARS}
_TIME = {
    "type": ["string", "number"],
    "format": "date-time",
    "description": "ISO 8601, without a zone UTC; or a Unix time in s, ms, us or ns",
}
_EXAMPLE = {
    "camera_id": "gate-3",
    "captured_at": "2026-11-24T10:30:00.125Z",
    "site_id": "depot",
    "plate": {"text": "AB-123-C", "confidence": 0.93, "region": "nl"},
    "vehicle": {"type": "car", "make": "Volvo", "color": "white"},
    "images": {"plate_url": "s3://alpr-plate-images/gate-3/2026/11/24/0b7c/plate.jpg"},
    "direction": "in",
}
_DETECTION: dict[str, Any] = {
    "type": "object",
    "required": ["camera_id", "captured_at"],
    "description": "Nested, or flat with the names plate_text, plate_confidence, vehicle_make, ... "
    "What is not known here is kept in `extras`.",
    "properties": {
        "event_id": {
            **_ID,
            "description": "Yours, the same for an early and a final message; else made of the content",
        },
        "captured_at": {**_TIME, "description": "When the plate was seen. " + _TIME["description"]},  # type: ignore[operator]  # a str
        "camera_id": {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS},
        "site_id": _ID,
        "track_id": _ID,
        "plate": {
            "type": ["object", "null"],
            "properties": {
                "text": {**_TEXT, "maxLength": 16},
                "confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
                "region": _TEXT,
                "characters": {
                    "type": ["array", "null"],
                    "description": "For each position the alternatives that OCR saw",
                    "items": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["char", "probability"],
                            "properties": {
                                "char": {"type": "string"},
                                "probability": {"type": "number", "minimum": 0, "maximum": 1},
                            },
                        },
                    },
                },
            },
        },
        "vehicle": {
            "type": ["object", "null"],
            "properties": {"type": _TEXT, "make": _TEXT, "model": _TEXT, "color": _TEXT, "confidence": _NUMBER},
        },
        "images": {
            "type": ["object", "null"],
            "properties": {"plate_url": _TEXT, "vehicle_url": _TEXT, "frame_url": _TEXT},
        },
        "location": {
            "type": ["object", "null"],
            "required": ["lat", "lon"],
            "properties": {
                "lat": {"type": "number", "minimum": -90, "maximum": 90},
                "lon": {"type": "number", "minimum": -180, "maximum": 180},
            },
        },
        "direction": _TEXT,
        "reads": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**31 - 1},
        "latency_ms": _NUMBER,
        "is_final": {"type": ["boolean", "null"]},
        "extras": {"type": ["object", "null"]},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"oneOf": [_DETECTION, {"type": "array", "minItems": 1, "items": _DETECTION}]},
                "examples": {
                    "one": {"summary": "One detection", "value": _EXAMPLE},
                    "flat": {
                        "summary": "A list, flat names",
                        "value": [{"camera_id": "gate-3", "captured_at": 1795516200, "plate_text": "AB123C"}],
                    },
                },
            }
        },
    }
}


@router.post(
    "/events",
    status_code=202,
    summary="Ingest detections",
    openapi_extra=_BODY,
    responses={
        400: {"description": "The body is not JSON"},
        413: {"description": "The body, or the list, is too large"},
        415: {"description": "The body is not declared as application/json"},
        422: {"description": "A detection is wrong; `errors` has the path of each field. Nothing was taken in"},
    },
)
async def ingest(request: Request, api: Api) -> models.Accepted:
    """Take in one detection or a list of them; all or none are valid.

    They are on their way once this answers 202: Kafka has them, and duplicates of a pass are merged. After a 503
    send the same body again; what had arrived already is not counted twice.
    """
    if not _is_json(request.headers.get("content-type", "")):
        raise UnsupportedMediaType("send Content-Type: application/json")
    detections = read_detections(await request.body(), api.settings.max_batch)
    try:
        await api.ports.publisher.publish_detections(detections)
    except SchemaError as error:
        raise Invalid(str(error)) from error
    return models.Accepted(accepted=len(detections), event_ids=[detection.event_id for detection in detections])


def _is_json(content_type: str) -> bool:
    """A web page of another origin can send other types without asking; JSON it cannot (Fetch standard, CORS)."""
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or (essence.startswith("application/") and essence.endswith("+json"))
