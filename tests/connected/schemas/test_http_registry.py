"""The real schema registry passes the conformance tests, keeps breaking versions out, and may be away."""

import copy
import json
import struct
from typing import Any
from uuid import uuid4

import httpx
import pytest

from schemas.codec import EventCodec
from schemas.contracts import contract
from schemas.errors import RegistryUnavailable, SchemaError
from schemas.events import Detection
from schemas.registry import HttpRegistry
from tests.unit.schemas.registry_conformance import RegistryConformance


class TestHttpRegistry(RegistryConformance):
    """Through Confluent's API."""

    @pytest.fixture
    def registry(self, stack: Any) -> HttpRegistry:
        """The registry of the stack, with an empty cache."""
        return HttpRegistry(stack.registry_url)

    def test_breaking_version_is_refused(self, registry: HttpRegistry, subject: str) -> None:
        """A new field without a default cannot be read from old records; with one it can."""
        registry.register(subject, contract(Detection))
        registry.set_backward(subject)
        breaking = copy.deepcopy(contract(Detection))
        breaking["fields"].append({"name": "lane", "type": "int"})
        assert not registry.is_compatible(subject, breaking)
        with pytest.raises(SchemaError, match=subject):
            registry.register(subject, breaking)
        breaking["fields"][-1]["default"] = 0
        assert registry.is_compatible(subject, breaking)
        registry.register(subject, breaking)
        latest = registry.latest(subject)
        assert latest is not None
        assert (latest[0], latest[2]["fields"][-1]["name"]) == (2, "lane")

    def test_restart_of_a_process_makes_no_new_version(self, registry: HttpRegistry, stack: Any, subject: str) -> None:
        """Another client with an empty cache finds the version that is there."""
        registry.register(subject, contract(Detection))
        HttpRegistry(stack.registry_url).register(subject, contract(Detection))
        latest = registry.latest(subject)
        assert latest is not None
        assert latest[0] == 1
        assert subject in registry.subjects()

    def test_unknown_subject_has_no_latest_version(self, registry: HttpRegistry, subject: str) -> None:
        """None, not an error."""
        assert registry.latest(subject) is None

    @pytest.mark.parametrize(
        ("schema", "kind"),
        [
            ('"string"', "AVRO"),
            ('["null", "string"]', "AVRO"),
            ('syntax = "proto3"; message A { int32 a = 1; }', "PROTOBUF"),
        ],
    )
    def test_schema_of_something_else_is_a_schema_error(self, registry: HttpRegistry, schema: str, kind: str) -> None:
        """A registry holds what others put there: a bare type, a union, Protobuf."""
        body = {"schema": schema, "schemaType": kind}
        answer = httpx.post(f"{registry.url}/subjects/other-{uuid4().hex}/versions", json=body, timeout=10)
        value = struct.pack(">bI", 0, json.loads(answer.text)["id"]) + b"\x02a"
        for _ in range(2):
            with pytest.raises(SchemaError):
                EventCodec(registry).decode_as(Detection, value)


def test_registry_that_does_not_answer_is_unavailable() -> None:
    """Every call says so; the message names the address and the next step."""
    registry = HttpRegistry("http://127.0.0.1:9/apis", timeout_s=1)
    calls: list[Any] = [
        lambda: registry.register("a", contract(Detection)),
        lambda: registry.schema_by_id(1),
        lambda: registry.is_compatible("a", contract(Detection)),
        lambda: registry.set_backward("a"),
        lambda: registry.latest("a"),
        registry.subjects,
    ]
    for call in calls:
        with pytest.raises(RegistryUnavailable, match=r"127\.0\.0\.1:9.*alpr stack status"):
            call()
