"""SQL for visits. Wants the indexes of the migration that makes the table."""

from typing import Any

from psycopg.sql import SQL, Composed, Identifier

from query_api.stores.event_sql import Conditions
from query_api.values import Position
from query_api.visit_values import VISIT_NAMES, VisitFilter

_COLUMNS = SQL(", ").join(map(Identifier, VISIT_NAMES))


def visits(wanted: VisitFilter, after: Position | None, limit: int) -> tuple[Composed, dict[str, Any]]:
    """Visits that the filter wants, newest first."""
    conditions = Conditions()
    conditions.between("started_at", wanted)
    conditions.after("started_at", "visit_id", after)
    conditions.plate(wanted.plate, Identifier("plate_text"), Identifier("exit_plate_text"))
    conditions.one_of("site_id", wanted.site_ids)
    conditions.one_of("outcome", wanted.outcomes)
    if not wanted.outcomes:
        conditions.add(SQL("outcome <> 'withdrawn'"))
    query = SQL("SELECT {columns} FROM visits {where} ORDER BY started_at DESC, visit_id DESC LIMIT %(limit)s").format(
        columns=_COLUMNS, where=conditions.where
    )
    return query, {**conditions.values, "limit": limit}


VISIT_BY_ID = SQL("SELECT {} FROM visits WHERE visit_id = %(visit_id)s LIMIT 1").format(_COLUMNS)
OCCUPANCY = SQL(
    """WITH news AS (
        SELECT capacity, updated_at FROM visits WHERE site_id = %(site_id)s ORDER BY updated_at DESC LIMIT 1
    ), inside AS (
        SELECT count(*) AS occupancy, min(started_at) AS oldest_entry_at
        FROM visits WHERE site_id = %(site_id)s AND outcome = 'open'
    )
    SELECT %(site_id)s::text AS site_id, occupancy, capacity, oldest_entry_at, updated_at FROM news, inside"""
)
