"""Servers go away and come back: the API says so, goes on with the rest, and recovers by itself."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from query_api.settings import ApiSettings
from schemas.endpoints import Endpoints
from tests.connected.query_api.conftest import Put, served
from tests.unit.query_api import samples

RECOVERY_S = 30.0
DETECTION = {"camera_id": "outage", "captured_at": "2026-11-24T10:30:00Z"}


def quick(settings: ApiSettings) -> ApiSettings:
    """The settings, with little patience for what is away."""
    return settings.model_copy(update={"publish_timeout_s": 3.0, "connect_timeout_s": 1.0, "health_timeout_s": 2.0})


@pytest.fixture
def quick_client(settings: ApiSettings, servers: Endpoints, topics: None) -> Iterator[httpx.Client]:
    """A client of an API that gives up soon."""
    with served(quick(settings), servers) as url, httpx.Client(base_url=url, timeout=30) as opened:
        yield opened


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return condition()


def test_database_away(quick_client: httpx.Client, put: Put, stack: Any) -> None:
    """Without the database reads are 503 with Retry-After and ingest goes on; back, they work without a restart."""
    event = samples.sighting()
    put(event)
    assert quick_client.get(f"/events/{event.event_id}").status_code == 200
    stack.kill("timescaledb")
    try:
        for path in ("/events/recent", f"/events/{event.event_id}", "/alerts", "/stats", "/cameras"):
            answer = quick_client.get(path)
            assert answer.status_code == 503, path
            assert answer.json()["type"] == "urn:alpr:problem:unavailable"
            assert int(answer.headers["retry-after"]) > 0
        health = quick_client.get("/health")
        assert (health.status_code, health.json()["dependencies"]["database"]["status"]) == (503, "down")
        assert quick_client.post("/events", json=DETECTION).status_code == 202
    finally:
        stack.start("timescaledb")
    assert within(RECOVERY_S, lambda: quick_client.get("/events/recent").status_code == 200)
    assert quick_client.get("/health").status_code == 200


def test_kafka_away(quick_client: httpx.Client, put: Put, stack: Any) -> None:
    """Without Kafka ingest is 503 with Retry-After and reads go on; back, ingest works without a restart."""
    put(samples.sighting())
    assert quick_client.post("/events", json=DETECTION).status_code == 202
    stack.stop("kafka")
    try:
        answer = quick_client.post("/events", json=DETECTION)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        health = quick_client.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert quick_client.get("/events/recent").status_code == 200
    finally:
        stack.start("kafka")
    assert within(RECOVERY_S, lambda: quick_client.post("/events", json=DETECTION).status_code == 202)


def test_started_before_its_servers(settings: ApiSettings, stack: Any, put: Put) -> None:
    """The API starts with nothing there: it answers, and says what is missing."""
    nowhere = "http://127.0.0.1:9"
    servers = Endpoints(
        kafka_bootstrap="127.0.0.1:9",
        registry_url=nowhere,
        timescale_dsn="postgresql://alpr:alpr@127.0.0.1:9/alpr",
        opensearch_url=nowhere,
        s3_endpoint=nowhere,
    )
    with served(quick(settings), servers) as url, httpx.Client(base_url=url, timeout=30) as client:
        health = client.get("/health")
        assert health.status_code == 503
        assert {item["status"] for item in health.json()["dependencies"].values()} == {"down"}
        assert "alpr:alpr" not in health.text, "no credentials in what health says"
        for path in ("/events/recent", "/alerts", "/search/fulltext?q=x"):
            answer = client.get(path)
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True), path
        assert client.post("/events", json=DETECTION).status_code == 503
        assert client.get("/metrics").status_code == 200


def test_search_index_away(settings: ApiSettings, servers: Endpoints, put: Put) -> None:
    """Without OpenSearch full-text search is 503 and everything else goes on."""
    put(samples.sighting())
    without = servers.model_copy(update={"opensearch_url": "http://127.0.0.1:9"})
    with served(settings, without) as url, httpx.Client(base_url=url, timeout=30) as client:
        answer = client.get("/search/fulltext", params={"q": "volvo"})
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        assert client.get("/events/search", params={"plate": "AB123C"}).status_code == 200
        assert client.get("/health").json()["status"] == "degraded"
