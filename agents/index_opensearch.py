"""Agents of the opensearch role: sightings and alerts become searchable."""

from functools import cache
from typing import Any

from agents.sinks.delivery import Delivery
from agents.sinks.documents import IndexSpec, alert_index, sighting_index
from agents.sinks.measured import MeasuredSink
from agents.sinks.opensearch import OpenSearchSink
from schemas.topics import ALERTS, BY_NAME, SIGHTINGS
from schemas.wiring import codec
from streams.roles import role_app

app = role_app("opensearch")
INDICES: dict[str, IndexSpec[Any]] = {SIGHTINGS.name: sighting_index(), ALERTS.name: alert_index()}


@app.agent(app.runs(SIGHTINGS.name))
async def index_opensearch(runs: Any) -> None:
    """Make sightings searchable in OpenSearch, each at its highest revision."""
    async for run in runs:
        await delivery(SIGHTINGS.name).handle(run)


@app.agent(app.runs(ALERTS.name))
async def index_opensearch_alerts(runs: Any) -> None:
    """Make alerts searchable in OpenSearch."""
    async for run in runs:
        await delivery(ALERTS.name).handle(run)


@cache
def delivery(topic: str) -> Delivery[Any]:
    """The process's way from a topic to its indices, made at first use."""
    return Delivery("index_opensearch", BY_NAME[topic], MeasuredSink(OpenSearchSink(INDICES[topic])), codec())
