"""The OpenAPI document, and that the app does what it says (Schemathesis, after the document)."""

from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from query_api.app import create_app
from query_api.settings import ApiSettings
from tests.unit.query_api.fakes import MemoryPorts

_APP = create_app(ApiSettings(stats_cache_s=0, insecure=True, key=None), MemoryPorts().ports)
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", _APP)


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@SCHEMA.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_app_follows_its_document(case: Any) -> None:
    """No request that the document allows or forbids makes an error of the server or an undocumented answer."""
    case.validate_response(case.call(), checks=CHECKS)


def test_document(client: TestClient) -> None:
    """Every operation has a tag, a summary and problem documents for its errors."""
    document = client.get("/openapi.json").json()
    names = {item["name"] for item in document["tags"]}
    operations = [(path, operation) for path, item in document["paths"].items() for operation in item.values()]
    for path, operation in operations:
        assert set(operation["tags"]) <= names, path
        assert operation["summary"]
        if path not in ("/health", "/metrics"):
            assert "application/problem+json" in operation["responses"]["422"]["content"], path
    paths = {path for path, _ in operations}
    assert {"/events/recent", "/events/search", "/events/{event_id}", "/search/fulltext", "/alerts"} <= paths


def test_document_has_examples(client: TestClient) -> None:
    """The ingest body comes with examples that the app takes."""
    document = client.get("/openapi.json").json()
    examples = document["paths"]["/events"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    for name, example in examples.items():
        assert client.post("/events", json=example["value"]).status_code == 202, name


@pytest.mark.parametrize("name", ["plate", "cursor", "from", "to", "limit", "camera_id"])
def test_search_parameters_are_documented(client: TestClient, name: str) -> None:
    """Each parameter of the search says what it does."""
    parameters = client.get("/openapi.json").json()["paths"]["/events/search"]["get"]["parameters"]
    [found] = [item for item in parameters if item["name"] == name]
    assert found.get("description") or found["schema"].get("description")
