"""Opaque cursors: where a page ended, as text that survives a URL.

A cursor names the last row by its sort values, not by a count, so rows that arrive meanwhile move nothing ("keyset
pagination", M. Winand, use-the-index-luke.com/no-offset). It is no secret: whoever forges one reads another page of
what they may read anyway.
"""

import base64
import binascii
import json
import math
from typing import Any

from query_api.errors import InvalidCursor
from query_api.text import is_storable
from query_api.values import Position
from schemas.clock import from_datetime, to_datetime

MAX_CHARS = 4096
_EVENTS, _ALERTS, _VISITS, _HITS = "e", "a", "v", "h"


def event_cursor(position: Position) -> str:
    """Cursor of a list of events."""
    return _encode(_EVENTS, from_datetime(position.at), position.id)


def alert_cursor(position: Position) -> str:
    """Cursor of a list of alerts."""
    return _encode(_ALERTS, from_datetime(position.at), position.id)


def visit_cursor(position: Position) -> str:
    """Cursor of a list of visits."""
    return _encode(_VISITS, from_datetime(position.at), position.id)


def hit_cursor(after: tuple[float, int, str]) -> str:
    """Cursor of a full-text search."""
    return _encode(_HITS, *after)


def read_event_cursor(cursor: str | None) -> Position | None:
    """The position of `event_cursor`.

    Raises:
        InvalidCursor: it is not one.
    """
    return _position(_EVENTS, cursor)


def read_alert_cursor(cursor: str | None) -> Position | None:
    """The position of `alert_cursor`.

    Raises:
        InvalidCursor: it is not one.
    """
    return _position(_ALERTS, cursor)


def read_visit_cursor(cursor: str | None) -> Position | None:
    """The position of `visit_cursor`.

    Raises:
        InvalidCursor: it is not one.
    """
    return _position(_VISITS, cursor)


def read_hit_cursor(cursor: str | None) -> tuple[float, int, str] | None:
    """The sort values of `hit_cursor`.

    Raises:
        InvalidCursor: it is not one.
    """
    if cursor is None:
        return None
    score, at, event_id = _decode(_HITS, cursor, 3)
    if not _is_number(score) or not math.isfinite(score) or not _is_number(at) or not isinstance(event_id, str):
        raise _not_ours()
    if abs(at) >= 2**63 or not is_storable(event_id):
        raise _not_ours()
    return float(score), int(at), event_id


def _position(kind: str, cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    micros, row_id = _decode(kind, cursor, 2)
    if not isinstance(micros, int) or isinstance(micros, bool) or not isinstance(row_id, str):
        raise _not_ours()
    if not is_storable(row_id):
        raise _not_ours()
    try:
        return Position(to_datetime(micros), row_id)
    except OverflowError:
        raise _not_ours() from None


def _encode(kind: str, *values: Any) -> str:
    text = json.dumps([kind, *values], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _decode(kind: str, cursor: str, count: int) -> list[Any]:
    if len(cursor) > MAX_CHARS:
        raise _not_ours()
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(raw.decode())
    except (binascii.Error, ValueError, RecursionError):  # bad alphabet, bad UTF-8, bad JSON
        raise _not_ours() from None
    if not isinstance(found, list) or len(found) != count + 1 or found[0] != kind:
        raise _not_ours()
    return found[1:]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _not_ours() -> InvalidCursor:
    return InvalidCursor("the cursor is not one that this list returned; take next_cursor of the page before as it is")
