"""Detections as JSON: both shapes, all kinds of times, and a corpus of bad input."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clock import parse_time
from schemas.errors import SchemaError
from schemas.events import CharacterAlternative, Detection, Images, Location, Vehicle
from schemas.json_form import MAX_EXTRA_CHARS, detection_from_json, detection_to_json, looks_like_json
from tests.unit.schemas.golden_samples import SAMPLES

AT = "2026-11-24T12:00:00Z"
BASE: dict[str, Any] = {"event_id": "e", "camera_id": "gate", "captured_at": AT}


def read(**fields: Any) -> Detection:
    """A detection of `BASE` with fields changed; None takes one away."""
    body = {name: value for name, value in {**BASE, **fields}.items() if value is not None}
    return detection_from_json(json.dumps(body))


def test_round_trip() -> None:
    """What we write we read."""
    detection = SAMPLES["Detection"]
    assert detection_from_json(detection_to_json(detection)) == detection


def test_nested_and_flat_forms_are_one() -> None:
    """The names that rules and queries use are taken as well."""
    nested = read(
        plate={"text": "ab 1", "confidence": 0.5}, vehicle={"color": "red"}, images={"frame_url": "s3://f"},
        location={"lat": 1, "lon": 2},
    )  # fmt: skip
    flat = read(
        plate_text="ab 1", plate_confidence=0.5, vehicle_color="red", frame_url="s3://f", latitude=1, longitude=2
    )
    assert nested == flat
    assert flat.plate is not None
    assert flat.plate.normalized_text == "AB1"
    assert (flat.vehicle, flat.images, flat.location) == (
        Vehicle(color="red"), Images(frame_url="s3://f"), Location(1.0, 2.0),
    )  # fmt: skip


def test_nested_value_wins_over_the_flat_one() -> None:
    """A producer that sends both means the nested one."""
    detection = read(plate={"text": "NESTED"}, plate_text="FLAT", plate_region="de")
    assert detection.plate is not None
    assert (detection.plate.text, detection.plate.region) == ("NESTED", "de")


def test_defaults() -> None:
    """Three fields are enough."""
    detection = read()
    assert detection.plate is None
    assert detection.first_seen_at == detection.last_seen_at == detection.captured_at == parse_time(AT)
    assert (detection.reads, detection.is_final) == (1, True)


@pytest.mark.parametrize(
    "value", [1795608000, 1795608000.0, "1795608000", 1795608000000, 1795608000000000, 1795608000 * 10**9]
)
def test_unix_times_in_any_unit(value: Any) -> None:
    """Seconds, milliseconds, microseconds and nanoseconds are told by their size."""
    assert read(captured_at=value).captured_at == 1_795_608_000_000_000


def test_unknown_fields_are_kept_as_text() -> None:
    """Nothing that a producer says is lost, within bounds."""
    detection = read(lane=2, tags=["a"], note="x" * 10_000, extras={"lane": "given"})
    assert detection.extras == {"lane": "given", "tags": '["a"]', "note": "x" * MAX_EXTRA_CHARS}


def test_numbers_as_ids() -> None:
    """Camera and track numbers become text."""
    assert (read(camera_id=7).camera_id, read(track_id=12).track_id) == ("7", "12")


def test_alternatives_as_objects_or_pairs() -> None:
    """Both spellings of an alternative."""
    detection = read(plate={"text": "A", "characters": [[{"char": "A", "probability": 0.5}, ["4", 0.25]]]})
    assert detection.plate is not None
    assert detection.plate.characters == ((CharacterAlternative("A", 0.5), CharacterAlternative("4", 0.25)),)


def test_default_event_id() -> None:
    """A producer without ids gets the one that is offered."""
    body = {"camera_id": "gate", "captured_at": AT}
    assert detection_from_json(body, default_event_id="d").event_id == "d"
    with pytest.raises(SchemaError, match="event_id"):
        detection_from_json(body)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "1", '"x"', "{]", b"\xff{", b"\x00", "{'a': 1}", "[" * 100_000, '{"a":' * 100_000,
        '{"camera_id": "gate"}', '{"event_id": "e", "captured_at": 1}',
    ],
)  # fmt: skip
def test_no_detection(text: str | bytes) -> None:
    """Text that is no JSON object with a camera and a time is refused, however deep or cut."""
    with pytest.raises(SchemaError):
        detection_from_json(text)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"captured_at": "yesterday"}, "captured_at"),
        ({"captured_at": True}, "captured_at"),
        ({"captured_at": [1]}, "captured_at"),
        ({"captured_at": 1e300}, "captured_at"),
        ({"captured_at": "nan"}, "captured_at"),
        ({"captured_at": "2026-13-01"}, "captured_at"),
        ({"last_seen_at": {}}, "last_seen_at"),
        ({"camera_id": ""}, "camera_id"),
        ({"camera_id": ["gate"]}, "camera_id"),
        ({"camera_id": True}, "camera_id"),
        ({"camera_id": "\ud800"}, "camera_id"),
        ({"plate": "AB1"}, "plate"),
        ({"plate": {"text": 1.5}}, "plate.text"),
        ({"plate": {"text": "A" * 17}}, "plate.text"),
        ({"plate": {"text": "A", "confidence": "high"}}, "plate.confidence"),
        ({"plate": {"text": "A", "confidence": 95}}, "plate.confidence"),
        ({"plate": {"text": "A", "confidence": -0.1}}, "plate.confidence"),
        ({"plate": {"text": "A", "confidence": float("nan")}}, "plate.confidence"),
        ({"plate": {"text": "A", "confidence": float("inf")}}, "plate.confidence"),
        ({"plate": {"text": "A", "confidence": 10**400}}, "plate.confidence"),
        ({"plate": {"text": "A", "characters": "A"}}, "plate.characters"),
        ({"plate": {"text": "A", "characters": ["A"]}}, "plate.characters"),
        ({"plate": {"text": "A", "characters": [[{"char": "A"}]]}}, "plate.characters"),
        ({"plate": {"text": "A", "characters": [[["A", 2]]]}}, "plate.characters"),
        ({"vehicle": [1]}, "vehicle"),
        ({"vehicle": {"color": {}}}, "vehicle.color"),
        ({"images": "s3://x"}, "images"),
        ({"location": {"lat": 1}}, "location"),
        ({"location": {"lat": "1", "lon": "2"}}, "location.lat"),
        ({"reads": -1}, "reads"),
        ({"reads": 2**31}, "reads"),
        ({"reads": "3"}, "reads"),
        ({"is_final": "yes"}, "is_final"),
        ({"node": 1}, "node"),
        ({"extras": [1]}, "extras"),
        ({"latency_ms": True}, "latency_ms"),
    ],
)
def test_wrong_field_is_named(fields: dict[str, Any], where: str) -> None:
    """The message says which field is wrong."""
    with pytest.raises(SchemaError, match=where.replace(".", r"\.")):
        read(**fields)


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *BASE,
                        "plate",
                        "vehicle",
                        "images",
                        "extras",
                        "text",
                        "confidence",
                        "characters",
                        "reads",
                        "first_seen_at",
                        "plate_text",
                        "latitude",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_detection_or_a_schema_error(value: Any) -> None:
    """No other exception, whatever the producer sends."""
    body = {**BASE, **value} if isinstance(value, dict) else {**BASE, "plate": value}
    try:
        detection = detection_from_json(json.dumps(body))
    except SchemaError:
        return
    assert detection_from_json(detection_to_json(detection)) == detection


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"{", True),
        (b"  \n{", True),
        (b"\xef\xbb\xbf{}", True),
        (b"[", False),
        (b"\x00\x00", False),
        (b"", False),
        (b" " * 100 + b"{", False),
    ],
)
def test_first_byte_tells_json(value: bytes, expected: bool) -> None:
    """An object opens with a brace, after white space or a byte order mark."""
    assert looks_like_json(value) is expected


def test_byte_order_mark_is_read() -> None:
    """Windows producers put one in front."""
    assert detection_from_json(b"\xef\xbb\xbf" + json.dumps(BASE).encode()).camera_id == "gate"
