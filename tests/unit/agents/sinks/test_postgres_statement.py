"""Tables as data: statements, rows and migrations fit each other."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from agents.sinks import sql_tables
from agents.sinks.migrations import migrations
from agents.sinks.postgres import upsert
from agents.sinks.sql_tables import SqlTable
from schemas.errors import SinkRejected
from schemas.events import Absence, AlertAction, DeadLetter, Metric, Receipt, Visit
from tests.unit.agents.sinks.sightings import NOON, alert, sighting, vehicle

METRIC = Metric(name="fps", value=25, measured_at=NOON)
ACTION = AlertAction(action_id="x", alert_id="a", action="silence", actor="me", acted_at=NOON, until=NOON)
RECEIPT = Receipt(
    notification_id="n", alert_id="a", rule_id="r", channel="email", recipient="x@y", outcome="failed", attempts=2,
    captured_at=NOON, settled_at=NOON,
)  # fmt: skip
LETTER = DeadLetter(
    dead_letter_id="d", topic="t", partition=1, offset=2**40, recorded_at=NOON, key=None, value=b"\0\1", agent="route",
    error_type="UNKNOWN", message="a\0b", failed_at=NOON,
)  # fmt: skip
VISIT = Visit(
    visit_id="v", revision=2, site_id="north", outcome="completed", started_at=NOON, plate_text="AB1234",
    entered_at=NOON, exited_at=NOON + 60_000_000, match="exact", match_score=1, dwell_s=60, updated_at=NOON,
    absences=(Absence(NOON, NOON + 1, "e1", "e2"),), capacity=4,
)  # fmt: skip
TABLES: list[tuple[SqlTable[Any], Any]] = [
    (sql_tables.plate_events(), sighting()),
    (sql_tables.vehicle_events(), vehicle()),
    (sql_tables.camera_metrics(), METRIC),
    (sql_tables.alerts(), alert()),
    (sql_tables.alert_actions(), ACTION),
    (sql_tables.notifications(), RECEIPT),
    (sql_tables.visits(), VISIT),
    (sql_tables.dead_letters(), LETTER),
]
IDS = [table.name for table, _ in TABLES]
each_table = pytest.mark.parametrize(("table", "event"), TABLES, ids=IDS)


def columns_in_sql(table: str) -> set[str]:
    """Columns of CREATE TABLE, and those that were added later, in the migrations."""
    text = "\n".join(item.text for item in migrations())
    body = re.search(rf"CREATE TABLE {table} \((.*?)\n\);", text, re.DOTALL)
    assert body is not None
    names = re.findall(r'^    "?([a-z_]+)"? +(?:text|timestamptz|integer|bigint|double|boolean|jsonb)', body[1], re.M)
    return {*names, *re.findall(rf"ALTER TABLE {table} ADD COLUMN ([a-z_]+) ", text)}


@each_table
def test_columns_are_those_of_the_migrations(table: SqlTable[object], event: object) -> None:
    """Every column that the database has is written, but for the time of writing; and no other."""
    assert columns_in_sql(table.name) - {"ingested_at"} == {column.name for column in table.columns}


@each_table
def test_rows_have_the_types_of_their_columns(table: SqlTable[object], event: object) -> None:
    """Arrays of one type are what the statement takes: whole numbers in float columns become floats."""
    python = {"text": str, "int8": int, "float8": float, "bool": bool, "jsonb": str, "text[]": str}
    for column, value in zip(table.columns, table.row(event), strict=True):
        if value is None:
            continue
        if column.type == "timestamptz":
            assert value.tzinfo is not None
        else:
            assert type(value) is python[column.type], column.name
        if column.type in ("jsonb", "text[]"):
            json.loads(value)


@each_table
def test_statement_has_one_array_a_column(table: SqlTable[object], event: object) -> None:
    """The statement takes as many arrays as the row has values, whatever the number of rows."""
    text = upsert(table).as_string(None)
    assert text.count("%s::") + text.count("%b::") == len(table.columns)
    assert ("DO NOTHING" in text) == (table.version is None)
    assert all(f'"{name}"' in text for name in table.key)


def test_observed_and_concluded_stand_side_by_side() -> None:
    """What was read is not overwritten by what was resolved."""
    names = [column.name for column in sql_tables.plate_events().columns]
    row = dict(zip(names, sql_tables.plate_events().row(sighting(text="AB-1O23")), strict=True))
    assert (row["plate_text"], row["plate_normalized_text"], row["resolved_text"]) == ("AB-1O23", "AB1O23", "AB1O23")
    assert row["match_key"] == "A81023"


def test_unreadable_plate_and_bare_event() -> None:
    """What is not known is NULL, never an invented value."""
    bare = replace(sighting(), plate=None, vehicle=None, node=None, location=None, resolved=None, site_id=None)
    names = [column.name for column in sql_tables.plate_events().columns]
    row = dict(zip(names, sql_tables.plate_events().row(bare), strict=True))
    empty = ("plate_text", "plate_confidence", "vehicle_type", "node", "characters", "latitude", "resolved_text")
    assert [row[name] for name in empty] == [None] * len(empty)


def test_final_message_of_a_vehicle_outranks_the_early_one() -> None:
    """Vehicles have no revision: the edge's two messages are told apart by is_final."""
    assert sql_tables.stage(vehicle(is_final=False)) < sql_tables.stage(vehicle(is_final=True))


def test_dead_letters_are_always_storable() -> None:
    """A NUL in the message of a letter is replaced: a refused letter would write a letter."""
    names = [column.name for column in sql_tables.dead_letters().columns]
    row = dict(zip(names, sql_tables.dead_letters().row(LETTER), strict=True))
    assert row["message"] == "a\ufffdb"
    assert row["size_bytes"] == 2


def test_time_outside_of_the_calendar_is_refused_by_name() -> None:
    """The refusal names the column."""
    with pytest.raises(SinkRejected, match="until"):
        sql_tables.alert_actions().row(replace(ACTION, until=2**62))


def test_migrations_are_ordered_and_complete_for_both_servers() -> None:
    """Numbers ascend; each numbered step exists for a server with the extension, and for one without where needed."""
    names = [item.name for item in migrations()]
    assert names == sorted(names)
    assert {item.flavour for item in migrations()} == {None, "timescaledb", "postgresql"}
    views = [item.flavour for item in migrations() if "plate_events_hourly" in item.text]
    assert sorted(filter(None, views)) == ["postgresql"] * 2 + ["timescaledb"] * 2
