"""The routes of alerts and of what people do about them."""

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient

from schemas.clock import parse_time, to_iso
from tests.unit.query_api import samples
from tests.unit.query_api.conftest import MakeClient
from tests.unit.query_api.fakes import MemoryPorts


def put(world: MemoryPorts, *events: Any) -> None:
    """Seed the store."""
    asyncio.run(world.store.seed(*events))


def test_states(client: TestClient, world: MemoryPorts) -> None:
    """An alert is open, acknowledged or resolved by what was done; labels and a running silence show."""
    untouched, acknowledged, resolved = (samples.alert(fired_at=samples.ago(i)) for i in (10, 20, 30))
    future = samples.ago(-3600)
    put(
        world,
        *(untouched, acknowledged, resolved),
        samples.action(acknowledged.alert_id),
        samples.action(acknowledged.alert_id, "silence", until=future),
        samples.action(resolved.alert_id, "resolve", acted_at=samples.ago(50)),
        samples.action(resolved.alert_id, "acknowledge", acted_at=samples.ago(40)),
        samples.action(resolved.alert_id, "label", label="false_positive"),
        samples.action(resolved.alert_id, "silence", until=samples.ago(10)),
    )
    items = client.get("/alerts").json()["items"]
    assert [item["state"] for item in items] == ["open", "acknowledged", "resolved"]
    assert parse_time(items[1]["silenced_until"]) == future
    assert (items[2]["silenced_until"], items[2]["labels"]) == (None, ["false_positive"])


def test_filters_and_pages(client: TestClient, world: MemoryPorts) -> None:
    """Filters combine, severities are alternatives, and pages go on where the last one ended."""
    alerts = [
        samples.alert(severity=severity, fired_at=samples.ago(i)) for i, severity in enumerate(("low", "high") * 3)
    ]
    put(world, *alerts)
    high = client.get("/alerts", params={"severity": "high", "limit": 2}).json()
    assert [item["alert_id"] for item in high["items"]] == [alerts[1].alert_id, alerts[3].alert_id]
    rest = client.get("/alerts", params={"severity": "high", "cursor": high["next_cursor"]}).json()
    assert [item["alert_id"] for item in rest["items"]] == [alerts[5].alert_id]
    both = client.get("/alerts", params={"severity": ["high", "low"], "acknowledged": False, "rule": "watchlist"})
    assert len(both.json()["items"]) == 6
    assert client.get("/alerts", params={"severity": "terrible"}).status_code == 422


def test_detail(client: TestClient, world: MemoryPorts) -> None:
    """A single alert has its proof, presigned images and receipts."""
    alert = samples.alert()
    put(world, alert, samples.receipt(alert.alert_id))
    shown = client.get(f"/alerts/{alert.alert_id}").json()
    assert shown["rule"] == {"id": "watchlist", "name": "Watchlisted plate", "version": "abc123"}
    assert shown["event_ids"] == ["e1", "e2"]
    assert shown["proof"]["matched_plate"] == "AB123C"
    assert shown["images"]["plate"]["expires_at"] is not None
    assert shown["receipts"][0]["outcome"] == "delivered"
    assert client.get("/alerts/none").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"action": "acknowledge", "actor": "m.visser"},
        {"action": "resolve", "actor": "m.visser", "note": "stolen plates, police has it"},
        {"action": "label", "actor": "m.visser", "label": "false_positive"},
        {"action": "silence", "actor": "m.visser", "until": to_iso(samples.ago(-86_400))},
    ],
    ids=lambda body: body["action"],
)
def test_actions(client: TestClient, world: MemoryPorts, body: dict[str, Any]) -> None:
    """Each kind of action is published for its alert."""
    alert = samples.alert()
    put(world, alert)
    answer = client.post(f"/alerts/{alert.alert_id}/actions", json=body)
    assert answer.status_code == 202, answer.text
    [action] = world.publisher.actions
    assert answer.json() == {"action_id": action.action_id}
    assert (action.alert_id, action.action, action.actor) == (alert.alert_id, body["action"], "m.visser")
    assert (action.label, action.note) == (body.get("label"), body.get("note"))
    assert action.until == (parse_time(body["until"]) if "until" in body else None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "acknowledge"}, "actor"),
        ({"action": "explode", "actor": "m"}, "action"),
        ({"action": "label", "actor": "m"}, "body"),
        ({"action": "silence", "actor": "m"}, "body"),
        ({"action": "acknowledge", "actor": "m", "label": "x"}, "body"),
        ({"action": "silence", "actor": "m", "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"action": "silence", "actor": "m", "until": "later"}, "until"),
        ({"action": "acknowledge", "actor": "a\x00b"}, "actor"),
        ({"action": "acknowledge", "actor": "m", "note": "n" * 5000}, "note"),
        ({"action": "acknowledge", "actor": "m", "notes": "typo"}, "notes"),
    ],
)
def test_wrong_actions(client: TestClient, world: MemoryPorts, body: dict[str, Any], field: str) -> None:
    """An incomplete or contradictory action is a 422 problem and is not published."""
    alert = samples.alert()
    put(world, alert)
    answer = client.post(f"/alerts/{alert.alert_id}/actions", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert world.publisher.actions == []


def test_action_on_nothing(client: TestClient, world: MemoryPorts) -> None:
    """An action on an alert that does not exist is a 404 problem."""
    body = {"action": "acknowledge", "actor": "m.visser"}
    assert client.post("/alerts/none/actions", json=body).status_code == 404
    assert world.publisher.actions == []


def test_idempotency_key(client: TestClient, world: MemoryPorts) -> None:
    """The same key for the same alert is the same action; without a key each is its own."""
    alert, other = samples.alert(), samples.alert()
    put(world, alert, other)
    body = {"action": "acknowledge", "actor": "m.visser"}

    def act(alert_id: str, headers: dict[str, str]) -> str:
        answer = client.post(f"/alerts/{alert_id}/actions", json=body, headers=headers)
        return str(answer.json()["action_id"])

    key = {"Idempotency-Key": "k1"}
    first = act(alert.alert_id, key)
    assert act(alert.alert_id, key) == first
    assert act(other.alert_id, key) != first
    assert act(alert.alert_id, {}) != act(alert.alert_id, {})


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_action_that_is_no_json(client: TestClient, world: MemoryPorts, body: bytes) -> None:
    """A body that is not JSON is a 400 problem, an empty one a missing body."""
    alert = samples.alert()
    put(world, alert)
    answer = client.post(
        f"/alerts/{alert.alert_id}/actions", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == (400 if body else 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_action_that_is_too_large(make_client: MakeClient, world: MemoryPorts) -> None:
    """A body above the limit is a 413 problem on every route, announced or not."""
    client = make_client(max_body_bytes=2000)
    for content in (b"x" * 4000, iter([b"x" * 2000, b"x" * 2000])):
        answer = client.post("/alerts/a/actions", content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:alpr:problem:content-too-large")
