"""`alpr topics` and `alpr schemas` on real servers."""

import json
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented, not declared
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from cli.kafka_clients import admin
from schemas.contracts import contract
from schemas.endpoints import endpoints
from schemas.topics import BESIDE, CATALOGUE, DETECTED, METRICS, ROUTED
from tests.connected.cli.commands import alpr, forget_endpoints


@pytest.fixture(autouse=True)
def fresh_endpoints(stack: Any) -> None:
    """Settings are read once a process; here they are the stack's."""
    forget_endpoints()


def test_apply_makes_the_catalogue_true_and_is_idempotent() -> None:
    """After it every topic is there with its settings; a second time there is nothing to do."""
    assert alpr("topics", "apply").exit_code == 0
    steps = json.loads(alpr("topics", "apply", "--json").output)
    assert {step["action"] for step in steps} == {"keep"}
    listed = {row["name"]: row for row in json.loads(alpr("topics", "list", "--json").output)}
    for topic in CATALOGUE:
        assert listed[topic.name]["exists"]
        assert listed[topic.name]["config"] == topic.config


def test_changed_setting_is_put_right() -> None:
    """What somebody changed by hand is seen and mended."""
    alpr("topics", "apply")
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, METRICS.name, incremental_configs=[entry])
    client = admin()
    client.incremental_alter_configs([resource])[resource].result(10)
    dry = alpr("topics", "apply", "--dry-run")
    assert f"{METRICS.name}: settings to change (retention.ms 1000 -> {METRICS.retention_ms})" in dry.output
    assert f"{METRICS.name}: settings changed" in alpr("topics", "apply").output
    assert "settings" not in alpr("topics", "apply").output


def test_partitions_that_a_table_hangs_on_are_not_changed() -> None:
    """The message says why and what to do; nothing was changed."""
    alpr("topics", "apply")
    refused = alpr("topics", "apply", "--partitions", f"{ROUTED.name}=4")
    assert refused.exit_code == 1
    assert "Tables are partitioned by this topic" in refused.output
    described = json.loads(alpr("topics", "describe", ROUTED.name, "--json").output)
    assert described["partitions"] == ROUTED.partitions
    assert described["leaderless"] == []


def test_describe_of_a_topic_that_is_not_there() -> None:
    """Exit code 1 and a hint."""
    answer = alpr("topics", "describe", "nope")
    assert answer.exit_code == 1
    assert "alpr topics list" in answer.output


def test_schemas_are_registered_and_checked() -> None:
    """After registering, every contract is current, and the check passes."""
    ids = json.loads(alpr("schemas", "register", "--json").output)
    assert set(ids) == {topic.subject for topic in (*CATALOGUE, *BESIDE) if topic.event is not None}
    assert json.loads(alpr("schemas", "register", "--json").output) == ids
    assert alpr("schemas", "check").exit_code == 0
    listed = json.loads(alpr("schemas", "list", "--json").output)
    assert {row["state"] for row in listed} == {"current"}
    shown = json.loads(alpr("schemas", "show", "detection", "--registered").output)
    assert DETECTED.event is not None
    assert shown == contract(DETECTED.event)
    assert json.loads(alpr("schemas", "show", str(ids[DETECTED.subject])).output) == shown


@pytest.mark.parametrize(
    "arguments", [("topics", "list"), ("topics", "apply"), ("dlq", "list"), ("dlq", "stats"), ("cameras", "list")]
)
def test_kafka_that_is_away_is_said_in_words(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    """Address and next step, no stack trace."""
    monkeypatch.setenv("ALPR_KAFKA_BOOTSTRAP", "127.0.0.1:9")
    endpoints.cache_clear()
    monkeypatch.setattr("cli.topic_admin.TIMEOUT_S", 1.0)
    monkeypatch.setattr("cli.topic_reading.TIMEOUT_S", 1.0)
    answer = alpr(*arguments)
    assert answer.exit_code == 1
    assert "Kafka at 127.0.0.1:9" in answer.output
    assert "alpr stack up" in answer.output
    endpoints.cache_clear()


def test_registry_that_is_away_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the registry."""
    monkeypatch.setenv("ALPR_REGISTRY_URL", "http://127.0.0.1:9/x")
    forget_endpoints()
    answer = alpr("schemas", "check")
    assert answer.exit_code == 1
    assert "127.0.0.1:9" in answer.output
    forget_endpoints()
