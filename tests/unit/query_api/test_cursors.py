"""Cursors survive, and nothing else passes for one."""

import base64
import json
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from query_api import cursors
from query_api.errors import InvalidCursor
from query_api.text import is_storable
from query_api.values import Position

TIMES = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))
IDS = st.text(min_size=1, max_size=200).filter(is_storable)


@given(TIMES, IDS)
def test_positions_survive(at: datetime, row_id: str) -> None:
    """A position comes back from its cursor, and the cursor fits into a URL as it is."""
    cursor = cursors.event_cursor(Position(at, row_id))
    assert cursors.read_event_cursor(cursor) == Position(at, row_id)
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**62), 2**62), IDS)
def test_sort_values_survive(score: float, at_ms: int, event_id: str) -> None:
    """Sort values come back from their cursor."""
    assert cursors.read_hit_cursor(cursors.hit_cursor((score, at_ms, event_id))) == (score, at_ms, event_id)


def test_lists_do_not_share_cursors() -> None:
    """A cursor of one list is none of another."""
    cursor = cursors.event_cursor(Position(datetime.now(UTC), "e1"))
    with pytest.raises(InvalidCursor):
        cursors.read_alert_cursor(cursor)
    with pytest.raises(InvalidCursor):
        cursors.read_hit_cursor(cursor)


def forged(*values: object) -> str:
    """A cursor of any content."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


BAD = [
    "",
    "x",
    "====",
    "%00",
    "🚗",
    "A" * 8000,
    base64.b64encode(b"\xff\xff").decode(),
    base64.b64encode(b"[" * 2000).decode(),
    forged("e"),
    forged("e", 1, "a", "b"),
    forged("e", "now", "a"),
    forged("e", True, "a"),
    forged("e", 1.5, "a"),
    forged("e", 10**30, "a"),
    forged("e", 1, 2),
    forged("e", 1, "a\x00b"),
    forged("e", 1, "\ud800"),
    forged({"e": 1}),
]


@pytest.mark.parametrize("cursor", BAD)
def test_what_is_no_cursor(client: TestClient, cursor: str) -> None:
    """Anything else is a 400 problem."""
    answer = client.get("/events/search", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:alpr:problem:invalid-cursor")


@pytest.mark.parametrize("values", [(float("nan"), 1, "a"), ("1", 1, "a"), (1, 10**30, "a"), (1, 1, "\x00"), (1, 1, 1)])
def test_what_is_no_hit_cursor(client: TestClient, values: tuple[object, ...]) -> None:
    """Sort values of a wrong kind are a 400 problem."""
    answer = client.get("/search/fulltext", params={"q": "x", "cursor": forged("h", *values)})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:alpr:problem:invalid-cursor")


@given(st.text(max_size=300))
def test_any_text(cursor: str) -> None:
    """Any text is read as a position or refused, and never another error."""
    try:
        position = cursors.read_event_cursor(cursor)
    except InvalidCursor:
        return
    assert isinstance(position, Position)
