"""Health check of a PostgreSQL wire server, by a real query."""

import psycopg

from compose.local.errors import NotReady


def select_one(dsn: str, extension: str | None = None) -> None:
    """Runs `SELECT 1` and, if asked, looks for an installed extension.

    Args:
        dsn: connection URL.
        extension: name that pg_extension must have.

    Raises:
        NotReady: no connection, no answer, or no such extension.
    """
    try:
        with psycopg.connect(dsn, connect_timeout=5, autocommit=True, prepare_threshold=None) as connection:
            connection.execute("SELECT 1")
            if extension is not None:
                found = connection.execute("SELECT 1 FROM pg_extension WHERE extname = %s", (extension,))
                if found.fetchone() is None:
                    raise NotReady(f"extension {extension} is not installed")
    except psycopg.Error as error:
        raise NotReady(str(error)) from error
