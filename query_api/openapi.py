"""The OpenAPI description: tags, and errors as the problem documents that they are."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from query_api.models import Problem
from query_api.problems import MEDIA_TYPE

DESCRIPTION = """\
Licence plate sightings and alerts: ingest from any camera, search, statistics.

Times are ISO 8601 in UTC. Lists come in pages: pass `next_cursor` as `cursor` for the next one. Every error is a
problem document (RFC 9457); after a 503 with `Retry-After` the same request will work again.
"""
TAGS = [
    {"name": "events", "description": "Sightings: passes of a vehicle at a camera"},
    {"name": "search", "description": "Full text, over OpenSearch"},
    {"name": "alerts", "description": "What the rules fired, and what people did about it"},
    {"name": "visits", "description": "Vehicles at sites, from entry to exit, and how many are there now"},
    {"name": "ingest", "description": "Detections from any camera"},
    {"name": "overview", "description": "Statistics and cameras"},
    {"name": "operations", "description": "Health and metrics"},
]
COMMON: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request cannot be understood, such as a cursor that is none"},
    401: {"description": "An API key is set and was not sent"},
    422: {"description": "A parameter or field is wrong; `errors` names it"},
    503: {"description": "A server that this needs is away; try again after `Retry-After` seconds"},
}


def install(app: FastAPI) -> None:
    """Make the app describe its errors as problem documents."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    summary=app.summary,
                    description=app.description,
                    routes=app.routes,
                    tags=TAGS,
                )
            )
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # FastAPI documents this as the way to change it


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components |= problem.pop("$defs", {})
    components["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and path != "/health":
                    response["content"] = content
    return schema
