"""The way in: one detection or a list, all or none."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from schemas.clock import parse_time
from tests.unit.query_api.conftest import MakeClient
from tests.unit.query_api.fakes import MemoryPorts

GOOD: dict[str, Any] = {
    "camera_id": "gate-3",
    "captured_at": "2026-11-24T10:30:00.125Z",
    "plate": {"text": "ab-123-c", "confidence": 0.93},
}


def test_one_detection(client: TestClient, world: MemoryPorts) -> None:
    """A detection is published with its normalised plate, and 202 gives its id."""
    answer = client.post("/events", json=GOOD)
    assert answer.status_code == 202
    [detection] = world.publisher.detections
    assert answer.json() == {"accepted": 1, "event_ids": [detection.event_id]}
    assert detection.plate is not None
    assert (detection.plate.normalized_text, detection.captured_at) == ("AB123C", parse_time(GOOD["captured_at"]))


def test_a_list_with_flat_names(client: TestClient, world: MemoryPorts) -> None:
    """A list keeps its order; flat names and own ids are taken."""
    bodies = [
        {"event_id": f"e{i}", "camera_id": 7, "captured_at": 1795516200 + i, "plate_text": "X1"} for i in range(3)
    ]
    answer = client.post("/events", json=bodies)
    assert answer.json() == {"accepted": 3, "event_ids": ["e0", "e1", "e2"]}
    assert [item.camera_id for item in world.publisher.detections] == ["7", "7", "7"]


def test_same_body_same_id(client: TestClient) -> None:
    """A repeated request without ids gives the same ids, another detection another."""
    first, again = (client.post("/events", json=GOOD).json()["event_ids"] for _ in range(2))
    other = client.post("/events", json={**GOOD, "captured_at": "2026-11-24T10:30:00.126Z"}).json()["event_ids"]
    assert first == again != other


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"captured_at": 1795516200}, "camera_id"),
        ({"camera_id": "c"}, "captured_at"),
        ({**GOOD, "captured_at": "soon"}, "captured_at"),
        ({**GOOD, "captured_at": True}, "captured_at"),
        ({**GOOD, "plate": {"text": 1.5}}, "plate.text"),
        ({**GOOD, "plate": {"text": "A1", "confidence": 1.2}}, "plate.confidence"),
        ({**GOOD, "plate": {"text": "A" * 40}}, "plate.text"),
        ({**GOOD, "plate": {"text": "A1", "characters": [1]}}, "plate.characters[]"),
        ({**GOOD, "plate": "AB123C"}, "plate"),
        ({**GOOD, "location": {"lat": 1}}, "location"),
        ({**GOOD, "reads": -1}, "reads"),
        ({**GOOD, "is_final": "yes"}, "is_final"),
        ({**GOOD, "camera_id": "a\x00b"}, "camera_id"),
        ({**GOOD, "extras": {"note": "a\x00b"}}, "extras.note"),
        ({**GOOD, "vehicle": {"make": "\ud800"}}, "vehicle.make"),
        ({**GOOD, "event_id": "e" * 201}, "event_id"),
        ({**GOOD, "camera_id": ""}, "camera_id"),
        (5, "body"),
        ("text", "body"),
        (None, "body"),
        ([], "body"),
        ([GOOD, {**GOOD, "plate": {"text": "A1", "confidence": "high"}}], "[1].plate.confidence"),
        ([GOOD, []], "[1]"),
    ],
)
def test_wrong_detections(client: TestClient, world: MemoryPorts, body: Any, field: str) -> None:
    """A wrong field is a 422 problem with its path, and nothing of the request is published."""
    answer = client.post("/events", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert world.publisher.detections == []


def test_all_wrong_fields_at_once(client: TestClient) -> None:
    """Each wrong detection of a list is named, up to a bound."""
    answer = client.post("/events", json=[{"camera_id": "c"}, GOOD, {"captured_at": 1}])
    assert [item["field"] for item in answer.json()["errors"]] == ["[0].captured_at", "[2].camera_id"]
    assert len(client.post("/events", json=[{}] * 100).json()["errors"]) == 20


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nope", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"1" * 10_000 + b"}", b'{"a": 1} x']
)
def test_no_json(client: TestClient, body: bytes) -> None:
    """What is not JSON is a 400 problem."""
    answer = client.post("/events", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:alpr:problem:bad-request"


@pytest.mark.parametrize("depth", [100, 400, 900])
def test_deep_json(client: TestClient, depth: int) -> None:
    """Deep nesting is refused or kept as text, and never an error of the server."""
    body = json.dumps({**GOOD, "extras": {"deep": 1}}).replace("1}", "[" * depth + "]" * depth + "}")
    answer = client.post("/events", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (202, 400, 422)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_other_media_types(client: TestClient, world: MemoryPorts, content_type: str) -> None:
    """A body that a foreign web page could send without asking is refused."""
    answer = client.post("/events", content=json.dumps(GOOD), headers={"content-type": content_type})
    assert answer.status_code == 415
    assert world.publisher.detections == []


def test_too_many(make_client: MakeClient) -> None:
    """A list above the limit is a 413 problem."""
    answer = make_client(max_batch=2).post("/events", json=[GOOD] * 3)
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:alpr:problem:content-too-large"


def test_too_large(make_client: MakeClient, world: MemoryPorts) -> None:
    """A body above the limit is a 413 problem, also where it does not announce its length."""
    client = make_client(max_body_bytes=2000)
    body = json.dumps({**GOOD, "extras": {"note": "x" * 4000}}).encode()
    headers = {"content-type": "application/json"}
    for content in (body, iter([body[:1500], body[1500:]])):
        answer = client.post("/events", content=content, headers=headers)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
    assert world.publisher.detections == []


def test_kafka_away(client: TestClient, world: MemoryPorts) -> None:
    """With Kafka away ingest answers 503 with Retry-After."""
    world.publisher.away = True
    answer = client.post("/events", json=GOOD)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


def test_extra_fields_are_kept(client: TestClient, world: MemoryPorts) -> None:
    """What the contract does not know is kept as text in extras."""
    client.post("/events", json={**GOOD, "lane": 2, "speed": {"kmh": 50}})
    assert world.publisher.detections[0].extras == {"lane": "2", "speed": '{"kmh": 50}'}
