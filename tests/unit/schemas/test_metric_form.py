"""Measurements as JSON."""

from typing import Any

import pytest

from schemas.clock import parse_time
from schemas.errors import SchemaError
from schemas.events import Metric
from schemas.metric_form import MAX_TAGS, is_metric, metric_from_json

NOW = 1_764_000_000_000_000


def test_name_and_value_are_enough() -> None:
    """The record's own time stands for the one that is missing."""
    assert metric_from_json({"name": "fps", "value": 24.5}, NOW) == Metric(name="fps", value=24.5, measured_at=NOW)


def test_all_fields() -> None:
    """Known fields have their places, unknown ones become tags, given tags win."""
    body = {
        "name": "gpu_util", "value": 71, "unit": "%", "camera_id": 4, "timestamp": "2026-11-24T12:00:00Z", "lane": 2,
        "host": "edge-1", "tags": {"lane": "3"},
    }  # fmt: skip
    assert metric_from_json(body, NOW) == Metric(
        name="gpu_util", value=71.0, measured_at=parse_time("2026-11-24T12:00:00Z"), unit="%", camera_id="4",
        tags={"lane": "3", "host": "edge-1"},
    )  # fmt: skip


def test_health_as_true_and_false() -> None:
    """1 is up, 0 is down."""
    assert metric_from_json({"name": "service_health", "value": True}, NOW).value == 1.0


def test_tags_are_bounded() -> None:
    """A producer's dump of everything does not fill the database."""
    metric = metric_from_json({"name": "n", "value": 1, **{f"x{i}": "y" * 9999 for i in range(99)}}, NOW)
    assert len(metric.tags) == MAX_TAGS
    assert max(map(len, metric.tags.values())) == 256


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "fps", "value": 1}, True),
        ({"name": "fps"}, False),
        ({"value": 1}, False),
        ({"name": "gate", "value": 1, "plate": {"text": "AB1"}}, False),
        ({"name": "gate", "value": 1, "plate_text": "AB1"}, False),
    ],
)
def test_metric_is_told_from_a_detection(body: dict[str, Any], expected: bool) -> None:
    """A detection may carry a name and a value beside its plate."""
    assert is_metric(body) is expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "n" * 129}, "name"),
        ({"value": "1"}, "value"),
        ({"value": None}, "value"),
        ({"value": float("nan")}, "value"),
        ({"value": float("inf")}, "value"),
        ({"value": 10**400}, "value"),
        ({"camera_id": []}, "camera_id"),
        ({"unit": "\x00"}, "unit"),
        ({"unit": "\ud800"}, "unit"),
        ({"tags": [1]}, "tags"),
        ({"measured_at": "now"}, "measured_at"),
        ({"measured_at": {}}, "measured_at"),
    ],
)
def test_wrong_field_is_named(changes: dict[str, Any], message: str) -> None:
    """The message says which field is wrong."""
    with pytest.raises(SchemaError, match=message):
        metric_from_json({"name": "fps", "value": 1, **changes}, NOW)
