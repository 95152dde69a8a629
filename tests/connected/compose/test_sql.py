"""Every SQL of the dashboards, answered by the database of the stack with rows that the sinks have written."""

import math
from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from agents.sinks import sql_tables
from agents.sinks.postgres import PostgresSink
from agents.sinks.sql_tables import SqlTable
from compose.local.tools import POSTGRES
from schemas.events import DeadLetter, Metric, Receipt, Visit
from tests.connected.compose.grafana_sql import expanded
from tests.connected.conftest import RunningStack
from tests.unit.agents.sinks.sightings import NOON, alert, new_id, sighting
from tests.unit.compose.queries import TIMESCALEDB, Query, panel_queries


async def _write(dsn: str, table: SqlTable[Any], event: Any) -> None:
    sink: PostgresSink[Any] = PostgresSink(table, dsn)
    try:
        assert await sink.write([event]) == []
    finally:
        await sink.close()


@pytest.fixture
async def filled(stack: RunningStack) -> str:
    """The database with a row of each kind that the dashboards show."""
    dsn = stack.timescale_dsn
    receipt = Receipt(
        notification_id=new_id(), alert_id="a", rule_id="r", channel="email", recipient="x@y", outcome="failed",
        attempts=5, detail="refused", captured_at=NOON, settled_at=NOON + 10,
    )  # fmt: skip
    letter = DeadLetter(
        dead_letter_id=new_id(), topic="t", partition=1, offset=2, recorded_at=NOON, key=None, value=b"x",
        agent="route", error_type="UNKNOWN", message="broken", failed_at=NOON,
    )  # fmt: skip
    visit = Visit(
        visit_id=new_id(), revision=1, site_id="north", outcome="completed", started_at=NOON, entered_at=NOON,
        exited_at=NOON + 60_000_000, dwell_s=60.0, updated_at=NOON,
    )  # fmt: skip
    occupancy = Metric(name="site_occupancy", value=1.0, measured_at=NOON, camera_id="g", tags={"site_id": "north"})
    await _write(dsn, sql_tables.plate_events(), sighting(new_id()))
    await _write(dsn, sql_tables.visits(), visit)
    await _write(dsn, sql_tables.camera_metrics(), occupancy)
    await _write(dsn, sql_tables.alerts(), alert(new_id()))
    await _write(dsn, sql_tables.notifications(), receipt)
    await _write(dsn, sql_tables.dead_letters(), letter)
    return dsn


async def _answer(dsn: str, query: Query, start: str, end: str) -> list[dict[str, Any]]:
    text = expanded(query.text, start, end)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        return await (await connection.execute(text.encode())).fetchall()


@pytest.mark.parametrize("query", panel_queries(TIMESCALEDB), ids=str)
async def test_panel_has_something_to_show(filled: str, query: Query) -> None:
    """With rows in the tables each panel gets rows, and curves get a time and a number."""
    rows = await _answer(filled, query, "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
    assert rows
    if query.shape == "time_series":
        for row in rows:
            assert isinstance(row["time"], datetime)
            assert math.isfinite(row["value"])
            assert isinstance(row.get("metric", ""), str)
            assert row.keys() <= {"time", "metric", "value"}


@pytest.mark.parametrize("query", [q for q in panel_queries(TIMESCALEDB) if "$__time" in q.text], ids=str)
async def test_panel_keeps_to_its_time_range(filled: str, query: Query) -> None:
    """A range without events gives nothing."""
    assert await _answer(filled, query, "2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z") == []


@pytest.mark.parametrize("query", panel_queries(TIMESCALEDB), ids=str)
def test_panel_of_events_follows_the_time_range(query: Query) -> None:
    """Only what the database says about itself (sizes, sessions) is without one."""
    about_itself = ("pg_stat_", "timescaledb_information")
    assert "$__timeFilter(" in query.text or any(name in query.text for name in about_itself)


def test_unknown_macro_is_refused() -> None:
    """A macro that these tests cannot expand does not slip through."""
    with pytest.raises(ValueError, match="unknown macro"):
        expanded("select $__unixEpochFilter(x)", "a", "b")


@pytest.mark.parametrize("query", [q for q in panel_queries(TIMESCALEDB) if "pg_stat_activity" in q.text], ids=str)
async def test_sessions_are_counted_on_a_server_that_has_many(stack: RunningStack, query: Query) -> None:
    """The stack's TimescaleDB has one backend and no list of sessions; PostgreSQL shows at least this one."""
    if POSTGRES.usable() is None:
        pytest.skip(f"needs {POSTGRES.name}: {POSTGRES.mend}")
    stack.start("postgres")
    rows = await _answer(stack.postgres_dsn, query, "", "")
    assert {row["state"]: row["sessions"] for row in rows}["active"] >= 1
