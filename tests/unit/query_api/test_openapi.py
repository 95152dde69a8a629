"""The OpenAPI document."""

import pytest
from fastapi.testclient import TestClient


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
