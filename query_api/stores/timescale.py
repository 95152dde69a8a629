"""The event store on TimescaleDB or plain PostgreSQL 15 and later."""

from datetime import datetime
from typing import Any, Self

from psycopg.sql import SQL

from query_api.settings import ApiSettings
from query_api.stores import alert_sql, event_sql, stats_sql, visit_sql
from query_api.stores.database import Database, Row
from query_api.values import (
    ActionRow,
    AlertFilter,
    AlertRow,
    CameraRow,
    EventFilter,
    EventRow,
    Position,
    ReceiptRow,
    SilenceRow,
    Stats,
    Totals,
)
from query_api.visit_values import OccupancyRow, VisitFilter, VisitRow


class TimescaleStore:
    """`query_api.ports.EventStore` on the tables that the TimescaleDB sink writes.

    Args:
        database: connections.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def connect(cls, dsn: str, settings: ApiSettings) -> Self:
        """A store on the server that the connection string names; it connects when opened."""
        return cls(
            Database(
                dsn,
                max_size=settings.database_connections,
                connect_timeout_s=settings.connect_timeout_s,
                statement_timeout_s=settings.statement_timeout_s,
                retry_after_s=settings.retry_after_s,
            )
        )

    async def open(self) -> None:
        """See `query_api.ports.Dependency.open`."""
        await self._database.open()

    async def close(self) -> None:
        """See `query_api.ports.Dependency.close`."""
        await self._database.close()

    async def ping(self) -> None:
        """See `query_api.ports.Dependency.ping`."""
        await self._database.rows(SQL("SELECT 1 AS answer"))

    async def events(self, wanted: EventFilter, after: Position | None, limit: int) -> list[EventRow]:
        """See `query_api.ports.EventStore.events`."""
        rows = await self._database.rows(*event_sql.events(wanted, after, limit))
        return [EventRow.of(row) for row in rows]

    async def event(self, event_id: str) -> EventRow | None:
        """See `query_api.ports.EventStore.event`."""
        values = {"event_id": event_id}
        rows = await self._database.rows(event_sql.EVENT_BY_ID, values)
        if not rows:
            rows = await self._database.rows(event_sql.VEHICLE_BY_ID, values)
        return EventRow.of(rows[0]) if rows else None

    async def alerts(self, wanted: AlertFilter, after: Position | None, limit: int) -> list[AlertRow]:
        """See `query_api.ports.EventStore.alerts`."""
        rows = await self._database.rows(*alert_sql.alerts(wanted, after, limit))
        return [_alert(row) for row in rows]

    async def alert(self, alert_id: str) -> AlertRow | None:
        """See `query_api.ports.EventStore.alert`."""
        rows = await self._database.rows(*alert_sql.alert(alert_id))
        return _alert(rows[0]) if rows else None

    async def silences(self, now: datetime) -> list[SilenceRow]:
        """See `query_api.ports.EventStore.silences`."""
        rows = await self._database.rows(alert_sql.SILENCES, {"now": now})
        return [SilenceRow(**row) for row in rows]

    async def visits(self, wanted: VisitFilter, after: Position | None, limit: int) -> list[VisitRow]:
        """See `query_api.ports.EventStore.visits`."""
        rows = await self._database.rows(*visit_sql.visits(wanted, after, limit))
        return [_visit(row) for row in rows]

    async def visit(self, visit_id: str) -> VisitRow | None:
        """See `query_api.ports.EventStore.visit`."""
        rows = await self._database.rows(visit_sql.VISIT_BY_ID, {"visit_id": visit_id})
        return _visit(rows[0]) if rows else None

    async def occupancy(self, site_id: str) -> OccupancyRow | None:
        """See `query_api.ports.EventStore.occupancy`."""
        rows = await self._database.rows(visit_sql.OCCUPANCY, {"site_id": site_id})
        return OccupancyRow(**rows[0]) if rows else None

    async def stats(self, since: datetime) -> Stats:
        """See `query_api.ports.EventStore.stats`."""
        [row] = await self._database.rows(stats_sql.STATS, {"since": since})
        return Stats(
            totals=Totals(
                events=row["events"],
                vehicles=row["vehicles"],
                alerts=row["alerts"],
                dead_letters=row["dead_letters"],
            ),
            recent=Totals(
                events=row["recent_events"],
                vehicles=row["recent_vehicles"],
                alerts=row["recent_alerts"],
                dead_letters=row["recent_dead_letters"],
                plates=row["recent_plates"],
            ),
            cameras=tuple(await self.cameras(since)),
            alerts_by_severity=row["alerts_by_severity"],
            dead_letters_by_error=row["dead_by_error"],
        )

    async def cameras(self, since: datetime) -> list[CameraRow]:
        """See `query_api.ports.EventStore.cameras`."""
        rows = await self._database.rows(stats_sql.CAMERAS, {"since": since})
        return [CameraRow(**row) for row in rows]


def _alert(row: Row) -> AlertRow:
    known = {**row, "event_ids": tuple(row["event_ids"] or ())}
    known["done"] = tuple(ActionRow(**_times(item, "acted_at", "until")) for item in row["done"])
    known["receipts"] = tuple(ReceiptRow(**_times(item, "settled_at")) for item in row["receipts"])
    return AlertRow(**known)


def _visit(row: Row) -> VisitRow:
    return VisitRow(**{**row, "absences": tuple(_times(item, "left_at", "returned_at") for item in row["absences"])})


def _times(item: dict[str, Any], *names: str) -> dict[str, Any]:
    """The item with its times as times: inside of jsonb they are ISO 8601 text."""
    return {**item, **{name: datetime.fromisoformat(item[name]) for name in names if item[name] is not None}}
