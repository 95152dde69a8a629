"""Sightings of the past from TimescaleDB or PostgreSQL, as the rules of a backtest read them.

A server-side cursor brings them piece by piece, so that years of sightings need no memory here. The store keeps each
sighting's last revision, characters and extras with it: what `alpr rules backtest` makes of it is what it makes of the
same sightings in a file.
"""

import sys
from collections.abc import Iterator
from datetime import datetime
from time import monotonic
from typing import Any

import click
import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed, Identifier

from alert_rules.sightings import sighting_from_json
from cli.errors import CommandError
from schemas.aliases import SIGHTING_NAMES
from schemas.clock import from_datetime, to_datetime, to_iso
from schemas.endpoints import endpoints
from schemas.errors import SchemaError
from schemas.events import Sighting

PROGRESS_EVERY_S = 1.0
ROWS_AT_ONCE = 2_000
CONNECT_TIMEOUT_S = 10
Row = dict[str, Any]
_COLUMNS = SQL(", ").join(map(Identifier, (*SIGHTING_NAMES, "characters", "extras", "node")))
_SELECT = SQL("SELECT {} FROM plate_events ").format(_COLUMNS)


class StoredEvents:
    """The sightings of a span of time, in the order of their capture; counts what it reads, shows that it goes on.

    Args:
        start_us: captured at this time or later.
        end_us: captured before this time.

    Attributes:
        read: sightings so far, in this reading.
        broken: rows so far that cannot be read; they are named.
    """

    def __init__(self, start_us: int, end_us: int) -> None:
        self.read = 0
        self.broken = 0
        self._span = (to_datetime(start_us), to_datetime(end_us))

    def __iter__(self) -> Iterator[Sighting]:
        """The sightings, from the first one on.

        Raises:
            CommandError: the store does not answer.
        """
        self.read = self.broken = 0
        # event ids in the order of their bytes, as `--sort` takes the events of a file
        statement = _SELECT + SQL(
            'WHERE captured_at >= %s AND captured_at < %s ORDER BY captured_at, event_id COLLATE "C"'
        )
        said_at = monotonic()
        for row in _rows(statement, self._span):
            try:
                sighting = sighting_of(row)
            except SchemaError as error:
                self.broken += 1
                click.echo(f"{row['event_id']}: {error}", err=True)
                continue
            self.read += 1
            if monotonic() - said_at >= PROGRESS_EVERY_S and sys.stderr.isatty():
                said_at = monotonic()
                click.echo(f"\r{self.read:,} events, up to {to_iso(sighting.captured_at)}", nl=False, err=True)
            yield sighting


def stored_event(event_id: str) -> Sighting | None:
    """The sighting of an id; None where the store has none.

    Raises:
        CommandError: the store does not answer, or what it has is no sighting.
    """
    for row in _rows(_SELECT + SQL("WHERE event_id = %s"), (event_id,)):
        try:
            return sighting_of(row)
        except SchemaError as error:
            raise CommandError(f"{event_id}: {error}") from error
    return None


def sighting_of(row: Row) -> Sighting:
    """The sighting that a row of ``plate_events`` tells of.

    Raises:
        SchemaError: it tells of none.
    """
    body: Row = {
        name: to_iso(from_datetime(value)) if isinstance(value, datetime) else value
        for name, value in row.items()
        if name in SIGHTING_NAMES and value is not None
    }
    if row["characters"]:
        body["plate"] = {"characters": row["characters"]}
    if row["node"]:
        body["node"] = row["node"]
    return sighting_from_json({**body, "extras": row["extras"] or {}})


def _rows(statement: Composed, parameters: tuple[Any, ...]) -> Iterator[Row]:
    try:
        with (
            psycopg.connect(
                endpoints().timescale_dsn.get_secret_value(),
                connect_timeout=CONNECT_TIMEOUT_S,
                prepare_threshold=None,
                row_factory=dict_row,
                application_name="alpr-rules",
                options="-c default_transaction_read_only=on -c timezone=UTC",
            ) as connection,
            connection.cursor(name="alpr_rules") as cursor,
        ):
            cursor.itersize = ROWS_AT_ONCE
            yield from cursor.execute(statement, parameters)
    except psycopg.Error as error:
        raise CommandError(f"the store of sightings: {str(error).strip() or type(error).__name__}") from error
