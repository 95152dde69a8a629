"""Which PostgreSQL errors pass, and which are the record's own fault (PostgreSQL 17 manual, appendix A).

Only what is known to be about data is a refusal. Everything else (a lost connection, a missing table, no rights, a full
disk, an internal error) is a state of the server: waiting loses nothing, dead-lettering a whole topic would.
"""

import psycopg

from schemas.errors import SinkRejected, SinkUnavailable

_DATA_CLASSES = ("22", "23", "54")
"""Data exception; integrity constraint violation; program limit exceeded (an index entry that is too large)."""
_SCHEMA_GONE = frozenset({"42P01", "42703", "3F000", "42704"})
"""Undefined table, column, schema, object: somebody dropped what `setup` had made."""


def translate(error: psycopg.Error | TimeoutError | OSError) -> SinkUnavailable | SinkRejected:
    """The error of our tree that a client error stands for."""
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        if state is not None and state[:2] in _DATA_CLASSES:
            return SinkRejected(f"PostgreSQL {state}: {_text(error)}")
        if state is None and isinstance(error, psycopg.DataError):
            return SinkRejected(_text(error))  # the client could not even write the value down (a NUL byte in text)
        return SinkUnavailable(f"PostgreSQL {state or 'connection'}: {_text(error)}")
    return SinkUnavailable(f"PostgreSQL does not answer: {error or type(error).__name__}")


def schema_is_gone(error: psycopg.Error | TimeoutError | OSError) -> bool:
    """Whether tables have to be made again."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _SCHEMA_GONE


def _text(error: psycopg.Error) -> str:
    primary = error.diag.message_primary
    text = primary or str(error).strip() or type(error).__name__
    column = error.diag.column_name or error.diag.constraint_name
    return f"{text} ({column})" if column else text
