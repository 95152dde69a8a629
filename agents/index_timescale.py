"""Agents of the timescale role: everything that is looked at later goes into TimescaleDB, a topic a table."""

from functools import cache
from typing import Any

from agents.sinks import sql_tables
from agents.sinks.delivery import Delivery
from agents.sinks.measured import MeasuredSink
from agents.sinks.postgres import PostgresSink
from agents.sinks.sql_tables import SqlTable
from schemas.topics import (
    ALERT_ACTIONS,
    ALERTS,
    BY_NAME,
    DLQ,
    METRICS,
    NOTIFICATIONS,
    SIGHTINGS,
    VEHICLES,
    VISITS,
)
from schemas.wiring import codec
from streams.roles import role_app

app = role_app("timescale")
TABLES: dict[str, SqlTable[Any]] = {
    SIGHTINGS.name: sql_tables.plate_events(),
    VEHICLES.name: sql_tables.vehicle_events(),
    VISITS.name: sql_tables.visits(),
    METRICS.name: sql_tables.camera_metrics(),
    ALERTS.name: sql_tables.alerts(),
    ALERT_ACTIONS.name: sql_tables.alert_actions(),
    NOTIFICATIONS.name: sql_tables.notifications(),
    DLQ.name: sql_tables.dead_letters(),
}


@app.agent(app.runs(SIGHTINGS.name))
async def index_timescale(runs: Any) -> None:
    """Keep sightings in TimescaleDB, each at its highest revision."""
    async for run in runs:
        await delivery(SIGHTINGS.name).handle(run)


@app.agent(app.runs(VEHICLES.name))
async def index_timescale_vehicles(runs: Any) -> None:
    """Keep vehicles without a plate in TimescaleDB."""
    async for run in runs:
        await delivery(VEHICLES.name).handle(run)


@app.agent(app.runs(VISITS.name))
async def index_timescale_visits(runs: Any) -> None:
    """Keep visits in TimescaleDB, each at its highest revision."""
    async for run in runs:
        await delivery(VISITS.name).handle(run)


@app.agent(app.runs(METRICS.name))
async def index_timescale_metrics(runs: Any) -> None:
    """Keep the health of cameras and edge agents in TimescaleDB."""
    async for run in runs:
        await delivery(METRICS.name).handle(run)


@app.agent(app.runs(ALERTS.name))
async def index_timescale_alerts(runs: Any) -> None:
    """Keep alerts with their proof in TimescaleDB."""
    async for run in runs:
        await delivery(ALERTS.name).handle(run)


@app.agent(app.runs(ALERT_ACTIONS.name))
async def index_timescale_actions(runs: Any) -> None:
    """Keep what people did with alerts in TimescaleDB."""
    async for run in runs:
        await delivery(ALERT_ACTIONS.name).handle(run)


@app.agent(app.runs(NOTIFICATIONS.name))
async def index_timescale_receipts(runs: Any) -> None:
    """Keep the latest receipt of each notification in TimescaleDB."""
    async for run in runs:
        await delivery(NOTIFICATIONS.name).handle(run)


@app.agent(app.runs(DLQ.name))
async def index_timescale_dead_letters(runs: Any) -> None:
    """Keep the account of dead letters, without their bytes, in TimescaleDB."""
    async for run in runs:
        await delivery(DLQ.name).handle(run)


@cache
def delivery(topic: str) -> Delivery[Any]:
    """The process's way from a topic to its table, made at first use."""
    return Delivery("index_timescale", BY_NAME[topic], MeasuredSink(PostgresSink(TABLES[topic])), codec())
