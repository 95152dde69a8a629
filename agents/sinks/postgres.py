"""Events into TimescaleDB or plain PostgreSQL, by upserts of whole batches."""

from collections.abc import Sequence
from typing import Any, Generic, LiteralString

from psycopg import sql

from agents.sinks.batching import Refused, bisect, write_newest
from agents.sinks.database import Database
from agents.sinks.migrations import migrate
from agents.sinks.port import Rejection
from agents.sinks.settings import TimescaleSettings
from agents.sinks.sql_tables import Event, SqlTable
from agents.sinks.storable import check_storable
from schemas.endpoints import endpoints
from schemas.errors import AlprError, SinkRejected

Row = tuple[Any, ...]
_PARAMETERS: dict[str, LiteralString] = {
    "text": "%b::text[]",
    "jsonb": "%b::text[]",
    "text[]": "%b::text[]",
    "timestamptz": "%s::timestamptz[]",
    "int8": "%s::int8[]",
    "float8": "%s::float8[]",
    "bool": "%s::bool[]",
}
"""Placeholder of a column's array. Text goes in binary form: psycopg would escape every quote of JSON otherwise."""


class PostgresSink(Generic[Event]):
    """Keeps one kind of event in one table.

    A batch is one statement, ``INSERT ... SELECT FROM unnest(arrays) ON CONFLICT DO UPDATE WHERE version is higher``:
    all or nothing, one round trip, one plan whatever the batch's size. Where it is refused, halves of it find the row
    that is to blame.

    Args:
        table: the kind of event.
        dsn: connection string; default: ``ALPR_TIMESCALE_DSN``.
        settings: default: from the environment.
    """

    def __init__(
        self, table: SqlTable[Event], dsn: str | None = None, settings: TimescaleSettings | None = None
    ) -> None:
        self.name = f"timescale.{table.name}"
        self._table = table
        self._settings = settings = settings or TimescaleSettings()
        self._statement = upsert(table)
        self._database = Database(
            dsn or endpoints().timescale_dsn.get_secret_value(),
            settings,
            prepare=lambda connection: migrate(connection, settings),
        )

    async def setup(self) -> None:
        """See `Sink.setup`: migrations and policies."""
        await self._database.ready()

    async def write(self, batch: Sequence[Event]) -> list[Rejection]:
        """See `Sink.write`."""
        refused: Refused = {}
        events: dict[int, Event] = {}
        rows: dict[int, Row] = {}
        for index, event in enumerate(batch):
            try:
                check_storable(event)
                rows[index] = self._table.row(event)
                events[index] = event
            except SinkRejected as error:
                refused[index] = error

        async def write_rows(chosen: dict[int, Event]) -> Refused:
            failed: Refused = {}
            indexes = list(chosen)
            for start in range(0, len(indexes), self._settings.batch_rows):
                part = indexes[start : start + self._settings.batch_rows]
                failed |= await bisect({index: rows[index] for index in part}, self._insert)
            return failed

        refused |= await write_newest(events, key=self._table.key_of, version=self._table.version_of, write=write_rows)
        return [Rejection(index, error) for index, error in sorted(refused.items())]

    async def healthy(self) -> bool:
        """See `Sink.healthy`."""
        try:
            await self._database.execute(sql.SQL("SELECT 1"))
        except AlprError:
            return False
        return True

    async def close(self) -> None:
        """See `Sink.close`."""
        await self._database.close()

    async def _insert(self, rows: Sequence[Row]) -> None:
        await self._database.execute(self._statement, [list(column) for column in zip(*rows, strict=True)])


def upsert(table: SqlTable[Any]) -> sql.Composed:
    """The statement that writes rows of a table; its parameters are one array a column."""
    names = [sql.Identifier(column.name) for column in table.columns]
    key = sql.SQL(", ").join(sql.Identifier(name) for name in table.key)
    target = sql.Identifier(table.name)
    on_conflict: sql.SQL | sql.Composed = sql.SQL("DO NOTHING")
    if table.version is not None:
        replaced = [column.name for column in table.columns if column.name not in table.key]
        on_conflict = sql.SQL("DO UPDATE SET {}, ingested_at = now() WHERE {}.{} < EXCLUDED.{}").format(
            sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in replaced),
            target,
            sql.Identifier(table.version),
            sql.Identifier(table.version),
        )
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS rows ({}) ON CONFLICT ({}) {}").format(
        target,
        sql.SQL(", ").join(names),
        sql.SQL(", ").join(_selected(column.name, column.type) for column in table.columns),
        sql.SQL(", ").join(sql.SQL(_PARAMETERS[column.type]) for column in table.columns),
        sql.SQL(", ").join(names),
        key,
        on_conflict,
    )


def _selected(name: str, kind: str) -> sql.Composed:
    """How a column is read from the arrays: JSON travels as text, since arrays of arrays must be rectangular."""
    form = {"jsonb": "rows.{}::jsonb", "text[]": "ARRAY(SELECT jsonb_array_elements_text(rows.{}::jsonb))"}
    return sql.SQL(form.get(kind, "rows.{}")).format(sql.Identifier(name))
