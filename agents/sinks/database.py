"""One connection to TimescaleDB or PostgreSQL that comes back by itself.

A connection per sink and no pool: a sink writes one batch at a time, and a slow table then never waits for another's
turn. No COPY and no prepared statements: the embedded TimescaleDB build and connection poolers take neither.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

from agents.sinks.postgres_errors import schema_is_gone, translate
from agents.sinks.settings import TimescaleSettings
from telemetry.log import get_logger

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
GRACE_S = 2.0
log = get_logger(__name__)


class Database:
    """Opens on first use, prepares what `prepare` makes, and starts over after a failure.

    Args:
        dsn: connection string.
        settings: time-outs.
        prepare: run once on a new connection, before anything else, until it succeeds: migrations.
    """

    def __init__(
        self, dsn: str, settings: TimescaleSettings, prepare: Callable[[Connection], Awaitable[None]] | None = None
    ) -> None:
        self._dsn = dsn
        self._settings = settings
        self._prepare = prepare
        self._prepared = False
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()

    async def ready(self) -> None:
        """Connect and prepare, where that is still to be done.

        Raises:
            SinkUnavailable: no answer.
        """
        async with self._session():
            pass

    async def execute(self, statement: sql.SQL | sql.Composed, parameters: Sequence[Any] = ()) -> None:
        """Run one statement in a transaction of its own.

        Raises:
            SinkUnavailable: not now.
            SinkRejected: a value cannot be stored; nothing of the statement was.
        """
        async with self._session() as connection:
            await connection.execute(statement, parameters)

    async def close(self) -> None:
        """Close the connection; the next statement opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Connection]:
        """The connection, for one user at a time; client errors leave as our own."""
        async with self._lock:
            try:
                async with asyncio.timeout(self._settings.connect_timeout_s + GRACE_S):
                    connection = await self._open()
                if self._prepare is not None and not self._prepared:
                    async with asyncio.timeout(2 * self._settings.statement_timeout_s + GRACE_S):
                        await self._prepare(connection)
                    self._prepared = True
                async with asyncio.timeout(self._settings.statement_timeout_s + GRACE_S):
                    yield connection
            except (psycopg.Error, TimeoutError, OSError) as error:
                if schema_is_gone(error):
                    self._prepared = False
                if not isinstance(error, psycopg.Error) or (self._connection is not None and self._connection.closed):
                    await self.close()
                raise translate(error) from error
            except asyncio.CancelledError:
                await self.close()  # in the middle of a statement: its state is unknown
                raise

    async def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = None
            timeout_ms = int(self._settings.statement_timeout_s * 1000)
            self._connection = await psycopg.AsyncConnection.connect(
                self._dsn,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=self._settings.connect_timeout_s,
                application_name="alpr-sink",
                options=f"-c statement_timeout={timeout_ms} -c timezone=UTC",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
            )
            # a new server, or the same one with another database: migrations are cheap to check
            self._prepared = False
        return self._connection
