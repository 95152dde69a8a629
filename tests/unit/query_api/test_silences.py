"""The routes of silences."""

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient

from agents.decisions.alert_matching import matches
from schemas.clock import parse_time, to_iso
from schemas.events import AlertMatcher
from tests.unit.query_api import samples
from tests.unit.query_api.fakes import MemoryPorts


def body(**changes: Any) -> dict[str, Any]:
    """A silence for an hour."""
    until = to_iso(samples.ago(-3600))
    made = {"matcher": {"cameras": ["gate-1"]}, "until": until, "author": "m.visser", "comment": "x"}
    return {key: value for key, value in {**made, **changes}.items() if value is not None}


def test_silence_is_made_listed_and_ended(client: TestClient, world: MemoryPorts) -> None:
    """What is posted is published under its id; listed while it lasts; its end goes to the same partition."""
    answer = client.post("/silences", json=body(starts_at=to_iso(samples.ago(-60))))
    assert answer.status_code == 202, answer.text
    [made] = world.publisher.actions
    assert answer.json() == {"silence_id": made.action_id}
    assert (made.action, made.matcher) == ("silence", AlertMatcher(cameras=("gate-1",)))
    asyncio.run(world.store.seed(made))
    [listed] = client.get("/silences").json()["items"]
    assert (listed["silence_id"], listed["state"], listed["author"]) == (made.action_id, "pending", "m.visser")
    assert listed["matcher"]["cameras"] == ["gate-1"]
    ended = client.delete(f"/silences/{made.action_id}", params={"actor": "kim"})
    assert ended.status_code == 202, ended.text
    last = world.publisher.actions[-1]
    assert (last.action, last.silence_id, last.alert_id, last.actor) == (
        "unsilence", made.action_id, made.alert_id, "kim",
    )  # fmt: skip
    asyncio.run(world.store.seed(last))
    assert client.get("/silences").json()["items"] == []
    assert client.delete(f"/silences/{made.action_id}", params={"actor": "kim"}).status_code == 404


def test_repeated_request_is_one_silence(client: TestClient, world: MemoryPorts) -> None:
    """The same idempotency key gives the same id."""
    for _ in range(2):
        assert client.post("/silences", json=body(), headers={"Idempotency-Key": "k"}).status_code == 202
    assert len({action.action_id for action in world.publisher.actions}) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"matcher": {}},
        {"matcher": {"cameras": []}},
        {"matcher": {"cameras": [""]}},
        {"matcher": {"camera": ["gate-1"]}},
        {"matcher": {"severities": ["terrible"]}},
        {"matcher": {"plates": ["a\x00b"]}},
        {"until": to_iso(samples.ago(10))},
        {"until": to_iso(samples.ago(-400 * 86_400))},
        {"starts_at": to_iso(samples.ago(-7200))},
        {"until": "later"},
        {"author": ""},
        {"author": None},
        {"comment": None},
    ],
)
def test_wrong_silences(client: TestClient, world: MemoryPorts, changes: dict[str, Any]) -> None:
    """One that names nothing, everything by mistake, no time or nobody is a 422 problem and is not published."""
    assert client.post("/silences", json=body(**changes)).status_code == 422
    assert world.publisher.actions == []


def test_end_needs_a_name(client: TestClient) -> None:
    """Who ends a silence says so; what is not there cannot be ended."""
    assert client.delete("/silences/none").status_code == 422
    assert client.delete("/silences/none", params={"actor": "kim"}).status_code == 404


def test_silence_of_an_alert_is_for_its_rule_and_group(client: TestClient, world: MemoryPorts) -> None:
    """What the rule raises for the same group is held back, whatever signs their names hold; others are not."""
    rule = samples.alert().rule
    alert = samples.alert(key="[AB]*")
    asyncio.run(world.store.seed(alert))
    until = to_iso(samples.ago(-3600))
    act = {"action": "silence", "actor": "kim", "until": until}
    assert client.post(f"/alerts/{alert.alert_id}/actions", json=act).status_code == 202
    [action] = world.publisher.actions
    assert action.until == parse_time(until)
    assert action.matcher is not None
    assert matches(action.matcher, samples.alert(key="[AB]*", rule=rule))
    assert not matches(action.matcher, samples.alert(key="ABCD", rule=rule))
