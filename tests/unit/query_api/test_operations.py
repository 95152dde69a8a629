"""Health, statistics, cameras, metrics, the start page, access and headers."""

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient

from query_api.settings import ApiSettings, is_loopback
from schemas.errors import ConfigError
from tests.unit.query_api import samples
from tests.unit.query_api.conftest import MakeClient
from tests.unit.query_api.fakes import MemoryPorts


def test_health(client: TestClient, world: MemoryPorts) -> None:
    """All up is ok; something away is degraded and 200; the database away is down and 503."""
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert set(answer.json()["dependencies"]) == {"database", "search", "images", "kafka"}
    world.publisher.away = True
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["dependencies"]["kafka"]["status"] == "down"
    world.store.away = True
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert answer.headers["retry-after"]


def test_health_does_not_wait_for_a_hanging_server(
    make_client: MakeClient, world: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dependency that never answers counts as down after the timeout."""
    monkeypatch.setattr(world.index, "ping", lambda: asyncio.sleep(60))
    health = make_client(health_timeout_s=0.05).get("/health").json()
    assert health["dependencies"]["search"] == {
        "status": "down",
        "latency_ms": health["dependencies"]["search"]["latency_ms"],
        "detail": "no answer within 0.05 s",
    }


def test_ports_are_opened_and_closed(make_client: MakeClient, world: MemoryPorts) -> None:
    """The app opens its ports when it starts and closes them when it stops."""
    client = make_client()
    assert world.store.opened
    client.__exit__()
    assert not world.store.opened
    client.__enter__()


def test_statistics_and_cameras(client: TestClient, world: MemoryPorts) -> None:
    """Counts agree with what is stored."""
    asyncio.run(
        world.store.seed(
            samples.sighting("AB123C"),
            samples.sighting("AB123C", captured_at=samples.ago(48 * 3600)),
            samples.vehicle(),
            samples.alert(severity="low"),
            samples.dead_letter(),
        )
    )
    stats = client.get("/stats").json()
    assert stats["totals"] == {"events": 2, "vehicles": 1, "alerts": 1, "dead_letters": 1}
    assert stats["last_24h"] == {"events": 1, "vehicles": 1, "alerts": 1, "dead_letters": 1, "plates": 1}
    assert stats["alerts_by_severity"] == {"low": 1}
    assert stats["dead_letters_by_error"] == {"SCHEMA_VALIDATION": 1}
    assert [(item["camera_id"], item["events"], item["vehicles"]) for item in stats["cameras"]] == [("gate-1", 1, 1)]
    [camera] = client.get("/cameras").json()["items"]
    assert (camera["events"], camera["location"]) == (2, {"lat": 52.1, "lon": 5.2})
    assert client.get("/cameras", params={"days": 0}).status_code == 422


def test_statistics_are_kept_for_a_moment(make_client: MakeClient, world: MemoryPorts) -> None:
    """Within the setting's time the same answer is given; what fails is not kept."""
    client = make_client(stats_cache_s=60)
    world.store.away = True
    assert client.get("/stats").status_code == 503
    world.store.away = False
    first = client.get("/stats").json()
    asyncio.run(world.store.seed(samples.sighting()))
    assert client.get("/stats").json() == first


def test_metrics_count_by_route(client: TestClient) -> None:
    """Requests are counted under the route's template, never under what a client wrote."""
    client.get("/events/some-plate-AB123C")
    client.get("/no/such/path-AB123C")
    text = client.get("/metrics").text
    assert 'alpr_api_requests_total{method="GET",route="/events/{event_id}",status="404"}' in text
    assert 'route="unmatched"' in text
    assert "AB123C" not in text


def test_start_page_and_docs_need_no_other_host(client: TestClient) -> None:
    """The start page links the docs, and the docs load from this server alone."""
    assert 'href="docs"' in client.get("/").text
    docs = client.get("/docs").text
    assert "cdn" not in docs
    assert client.get("/assets/swagger-ui-bundle.js").status_code == 200


@pytest.mark.parametrize("path", ["/events/recent", "/health", "/no/such", "/events/search?limit=0"])
def test_security_headers(client: TestClient, path: str) -> None:
    """Every answer forbids sniffing, framing and caching, and names its request."""
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert len(headers["x-request-id"]) == 36


def test_request_id_of_the_caller(client: TestClient) -> None:
    """A sane request id is kept, another one replaced."""
    assert client.get("/health", headers={"X-Request-ID": "abc-12345"}).headers["x-request-id"] == "abc-12345"
    assert client.get("/health", headers={"X-Request-ID": "a b\tc<script>"}).headers["x-request-id"] != "a b\tc<script>"


def test_key(make_client: MakeClient) -> None:
    """With a key set, only its owners read; health and docs stay open; Prometheus can send it as bearer token."""
    client = make_client(key="correct-horse")
    assert client.get("/health").status_code == 200
    assert client.get("/docs").status_code == 200
    for path in ("/events/recent", "/alerts", "/stats", "/cameras", "/metrics", "/search/fulltext?q=x"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:alpr:problem:unauthorized"), path
        assert client.get(path, headers={"X-API-Key": "wrong-horse"}).status_code == 401
        assert client.get(path, headers={"X-API-Key": "correct-horse"}).status_code == 200
        assert client.get(path, headers={"Authorization": "Bearer correct-horse"}).status_code == 200
    assert client.post("/events", json={}).status_code == 401


def test_foreign_host_names(make_client: MakeClient) -> None:
    """Without a key only loopback names are served, so that no web page reads through DNS rebinding."""
    client = make_client()
    for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"):
        assert client.get("/health", headers={"host": host}).status_code == 200, host
    for host in ("evil.example", "localhost.evil.example", "[::2]:8000", ""):
        answer = client.get("/health", headers={"host": host})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:alpr:problem:unknown-host"), host
    assert make_client(key="correct-horse").get("/health", headers={"host": "alpr.example"}).status_code == 200
    chosen = make_client(allowed_hosts="alpr.example, localhost")
    assert chosen.get("/health", headers={"host": "ALPR.example"}).status_code == 200


def test_cors(make_client: MakeClient) -> None:
    """Other origins read only where the setting names them."""
    origin = {"Origin": "https://desk.example"}
    assert "access-control-allow-origin" not in make_client().get("/health", headers=origin).headers
    client = make_client(cors_origins="https://desk.example,https://other.example")
    assert client.get("/health", headers=origin).headers["access-control-allow-origin"] == "https://desk.example"
    assert (
        "access-control-allow-origin" not in client.get("/health", headers={"Origin": "https://evil.example"}).headers
    )


@pytest.mark.parametrize(
    ("host", "settings", "allowed"),
    [
        ("127.0.0.1", {}, True),
        ("localhost", {}, True),
        ("::1", {}, True),
        ("127.8.9.1", {}, True),
        ("0.0.0.0", {}, False),
        ("::", {}, False),
        ("192.168.1.5", {}, False),
        ("alpr.example", {}, False),
        ("0.0.0.0", {"key": "correct-horse"}, True),
        ("0.0.0.0", {"insecure": True}, True),
    ],
)
def test_listening_beyond_loopback(
    host: str, settings: dict[str, Any], allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that others reach needs a key, or the word that it is meant."""
    monkeypatch.delenv("ALPR_API_KEY", raising=False)
    if allowed:
        assert ApiSettings(host=host, **settings).checked().host == host
    else:
        assert not is_loopback(host)
        with pytest.raises(ConfigError, match="ALPR_API_KEY"):
            ApiSettings(host=host, **settings).checked()


def test_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are comma-separated, the key is a secret, and each setting says what it is."""
    monkeypatch.setenv("ALPR_API_CORS_ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("ALPR_API_KEY", "correct-horse")
    monkeypatch.setenv("ALPR_OPENSEARCH_USERNAME", "reader")
    settings = ApiSettings()
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert "correct-horse" not in repr(settings)
    assert settings.search_username == "reader"
    assert all(field.description for field in ApiSettings.model_fields.values())


def test_unexpected_error(client: TestClient, world: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of the server is a 500 problem that tells nothing of its inside."""

    async def broken(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(world.store, "events", broken)
    answer = client.get("/events/recent")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/events/recent", 405)])
def test_unknown_routes(client: TestClient, method: str, path: str, status: int) -> None:
    """Unknown paths and methods are problems as well."""
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
