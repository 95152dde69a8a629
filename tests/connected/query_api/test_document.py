"""The API on the real servers does what its OpenAPI document says (property-based, by Schemathesis)."""

import logging
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.connected.query_api.conftest import Put
from tests.unit.query_api import samples

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def document(client: httpx.Client, put: Put) -> Any:
    """The document of the running API, with something of each kind stored: empty lists would prove little."""
    alert = samples.alert()
    put(samples.sighting(), samples.vehicle(), alert, samples.action(alert.alert_id), samples.dead_letter())
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return schemathesis.openapi.from_url(f"{str(client.base_url).rstrip('/')}/openapi.json")


def test_app_follows_its_document(document: Any) -> None:
    """No request, allowed or forbidden by the document, makes an error of the server or an undocumented answer."""
    tried = []
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def follows(case: Any) -> None:
            case.call_and_validate(checks=CHECKS)

        follows()
        tried.append(operation.label)
    assert {"GET /events/search", "GET /search/fulltext", "POST /events", "POST /alerts/{alert_id}/actions"} <= set(
        tried
    )
