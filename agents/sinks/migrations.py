"""Brings the database to the schema that this version writes: the files of ``sql/``, in order, each once.

``NNN_name.sql`` runs everywhere, ``NNN_name.timescaledb.sql`` with the extension, ``NNN_name.postgresql.sql`` without.
A file never changes once it is released; the next change is the next file. Worker processes may start at the same time:
each file runs in one transaction under an advisory lock.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

import psycopg

from agents.sinks.database import Connection
from agents.sinks.policies import set_policies
from agents.sinks.settings import TimescaleSettings
from telemetry.log import get_logger

LOCK_ID = 0x616C7072  # "alpr"
TIMESCALEDB, POSTGRESQL = "timescaledb", "postgresql"
_NAME = re.compile(r"(?P<version>\d{3}_[a-z_]+)(\.(?P<flavour>timescaledb|postgresql))?\.sql")
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file.

    Attributes:
        name: file name; what ``schema_migrations`` remembers.
        flavour: the servers that it is for; None: all.
        text: its SQL.
    """

    name: str
    flavour: str | None
    text: str


@cache
def migrations() -> tuple[Migration, ...]:
    """All files, in order."""
    found = []
    for file in (resources.files("agents.sinks") / "sql").iterdir():
        match = _NAME.fullmatch(file.name)
        assert match is not None, f"{file.name}: migrations are named NNN_name[.timescaledb|.postgresql].sql"
        found.append(Migration(file.name, match["flavour"], file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.name))


async def migrate(connection: Connection, settings: TimescaleSettings) -> None:
    """Apply what is missing, then the policies of the settings.

    Raises:
        psycopg.Error: as the server gave it; what was applied before stays.
    """
    flavour = TIMESCALEDB if await _has_timescaledb(connection) else POSTGRESQL
    await _remember_table(connection)
    done = {row[0] for row in await (await connection.execute("SELECT name FROM schema_migrations")).fetchall()}
    wanted = [item for item in migrations() if item.flavour in (None, flavour)]
    for migration in wanted:
        if migration.name not in done:
            await _apply(connection, migration)
    if flavour == TIMESCALEDB:
        async with connection.transaction():
            await _lock(connection)
            await set_policies(connection, settings)
    elif settings.plate_retention_days is not None:
        log.warning("retention needs TimescaleDB: sightings are kept for ever", days=settings.plate_retention_days)


async def _has_timescaledb(connection: Connection) -> bool:
    """Whether the extension is there, creating it where the server has it and we may."""
    cursor = await connection.execute(
        "SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb'"
    )
    row = await cursor.fetchone()
    if row is None or row[0] is not None:
        return row is not None
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
        log.warning("timescaledb is available but not installed in this database", error=str(error).strip())
        return False
    return True


async def _remember_table(connection: Connection) -> None:
    async with connection.transaction():
        await _lock(connection)  # two CREATE TABLE IF NOT EXISTS at the same time can still collide
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await _lock(connection)
        cursor = await connection.execute("SELECT 1 FROM schema_migrations WHERE name = %s", (migration.name,))
        if await cursor.fetchone() is not None:
            return  # another worker was faster
        await connection.execute(migration.text.encode())  # without parameters: a file may hold many statements
        await connection.execute("INSERT INTO schema_migrations (name) VALUES (%s)", (migration.name,))
    log.info("migration applied", migration=migration.name)


async def _lock(connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_ID,))
