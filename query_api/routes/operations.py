"""For operators: the start page, health, metrics."""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from time import perf_counter
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from query_api import models
from query_api.context import Api
from query_api.ports import Dependency
from schemas.errors import AlprError

VERSION = version("alpr-platform")
open_router = APIRouter(tags=["operations"])
"""Without a key: it shows no plate."""
router = APIRouter(tags=["operations"])

_HOME = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>ALPR events</title>
<style>
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; color: #1b2733 }
@media (prefers-color-scheme: dark) { body { background: #12181f; color: #dde6ee } a { color: #7db8f0 } }
dt { font-weight: 600; margin-top: .8rem } dd { margin: 0 }
</style>
<h1>ALPR events</h1>
<p>Sightings, alerts and search over HTTP.</p>
<dl>
<dt><a href="docs">API documentation</a></dt><dd>every call, to try out</dd>
<dt><a href="health">Health</a></dt><dd>database, search, images, Kafka</dd>
<dt><a href="events/recent">Newest sightings</a></dt><dd>as JSON</dd>
<dt><a href="alerts">Alerts</a></dt><dd>as JSON</dd>
<dt><a href="stats">Statistics</a></dt><dd>totals, last 24 hours, cameras</dd>
<dt><a href="metrics">Metrics</a></dt><dd>for Prometheus</dd>
</dl>
</html>
"""


@open_router.get("/", include_in_schema=False)
async def home() -> HTMLResponse:
    """A page with links."""
    return HTMLResponse(_HOME)


@open_router.get(
    "/health",
    summary="Health",
    responses={503: {"description": "The database is away", "model": models.Health}},
)
async def health(api: Api, response: Response) -> models.Health:
    """Each server that the API needs, with the time that it took to answer.

    200 also when it is `degraded`: the rest works. 503 when the database is away.
    """
    dependencies = await _checked(api.ports.dependencies, api.settings.health_timeout_s)
    status: Literal["ok", "degraded", "down"] = "ok"
    if any(item.status == "down" for item in dependencies.values()):
        status = "degraded"
    if dependencies["database"].status == "down":
        status = "down"
        response.status_code = 503
        response.headers["Retry-After"] = str(api.settings.retry_after_s)
    return models.Health(status=status, version=VERSION, dependencies=dependencies)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Text format"}},
)
async def metrics() -> Response:
    """Metrics of this process in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _checked(dependencies: Mapping[str, Dependency], timeout_s: float) -> dict[str, models.DependencyHealth]:
    answers = await asyncio.gather(*(_check(item, timeout_s) for item in dependencies.values()))
    return dict(zip(dependencies, answers, strict=True))


async def _check(dependency: Dependency, timeout_s: float) -> models.DependencyHealth:
    started = perf_counter()
    status: Literal["up", "down"] = "up"
    detail = None
    try:
        async with asyncio.timeout(timeout_s):
            await dependency.ping()
    except TimeoutError:
        status, detail = "down", f"no answer within {timeout_s:g} s"
    except AlprError as error:
        status, detail = "down", str(error)
    return models.DependencyHealth(status=status, latency_ms=round((perf_counter() - started) * 1000, 2), detail=detail)
