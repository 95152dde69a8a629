"""A read-only pool of database connections whose errors are ours."""

import asyncio
import contextlib
import logging
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from query_api.errors import QueryTimeout
from schemas.errors import Unavailable

Query = LiteralString | SQL | Composed
Row = dict[str, Any]

RECONNECT_S = 5.0
"""The pool gives a connection attempt up after this time; the next request starts another one. Longer, its back-off
would keep the API down long after the database is up."""
GRACE_S = 2.0
"""What a statement may take beyond its timeout before this side stops waiting (a server may not enforce it)."""


class Database:
    """Runs single read-only statements, each on a connection of its own in autocommit mode.

    Args:
        dsn: PostgreSQL connection string.
        max_size: most connections.
        connect_timeout_s: longest wait for a connection.
        statement_timeout_s: longest run of a statement.
        retry_after_s: pause that clients are told when the database is away.
    """

    def __init__(
        self,
        dsn: str,
        *,
        max_size: int,
        connect_timeout_s: float,
        statement_timeout_s: float,
        retry_after_s: float,
    ) -> None:
        self._timeout_s = statement_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._retry_after_s = retry_after_s
        # One log line for each attempt would fill the log in an outage; requests report it themselves.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[Row]] = AsyncConnectionPool(
            dsn,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                # Plans are made for the values at hand: hypertable chunks are excluded, partial indexes are usable,
                # and a pooler in transaction mode needs no prepared statements.
                "prepare_threshold": None,
                "application_name": "alpr-api",
                "connect_timeout": max(2, round(connect_timeout_s)),
                "options": (
                    f"-c statement_timeout={round(statement_timeout_s * 1000)} "
                    "-c default_transaction_read_only=on -c timezone=UTC"
                ),
            },
            min_size=1,
            max_size=max_size,
            open=False,
            check=AsyncConnectionPool.check_connection,
            timeout=connect_timeout_s,
            max_waiting=200,
            reconnect_timeout=RECONNECT_S,
            name="alpr-api",
        )

    async def open(self) -> None:
        """Start connecting in the background."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        with contextlib.suppress(PoolTimeout):
            await self._pool.close()

    async def rows(self, query: Query, values: Row | None = None) -> list[Row]:
        """The rows of a statement.

        Raises:
            Unavailable: no connection, a broken one, or the schema is not there yet.
            QueryTimeout: it ran too long.
        """
        try:
            async with asyncio.timeout(self._connect_timeout_s + self._timeout_s + GRACE_S):
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(query, values)
                    return await cursor.fetchall()
        except (psycopg.errors.QueryCanceled, TimeoutError) as error:
            raise QueryTimeout(
                f"the database took more than {self._timeout_s:g} s; narrow the time range or the filters"
            ) from error
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise self._away(f"the database has not got its schema yet ({error.diag.message_primary})") from error
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.InternalError) as error:
            raise self._away("the database does not answer") from error

    def _away(self, message: str) -> Unavailable:
        return Unavailable(message, retry_after_s=self._retry_after_s)
