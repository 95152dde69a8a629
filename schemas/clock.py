"""Event times: whole microseconds since the Unix epoch, UTC.

Integers compare, subtract and serialise without surprises, and Avro's ``timestamp-micros`` is the same number.
"""

from datetime import UTC, datetime, timedelta
from time import time_ns
from typing import Annotated

Micros = Annotated[int, "unix-micros"]
"""Microseconds since 1970-01-01T00:00:00Z. The annotation marks the fields that JSON shows as ISO 8601."""

MICROS_PER_S = 1_000_000
MICROS_PER_MS = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


def now_us() -> int:
    """Wall clock in microseconds. Only edges of the system call it; decisions get the time as an argument."""
    return time_ns() // 1000


def to_datetime(micros: int) -> datetime:
    """The time as an aware UTC datetime.

    Raises:
        OverflowError: outside of the years 1 to 9999.
    """
    return _EPOCH + timedelta(microseconds=micros)


def from_datetime(moment: datetime) -> int:
    """Microseconds of a datetime; one without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICRO


def to_iso(micros: int) -> str:
    """ISO 8601 with microseconds and ``Z``; a number outside of the calendar is shown as the number."""
    try:
        return to_datetime(micros).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except OverflowError:
        return str(micros)


def parse_time(value: str | int | float) -> int:
    """Read a time as producers write it.

    Args:
        value: ISO 8601 text (without a zone: UTC), or a Unix time as a number (or digits in text) whose unit is told
            by its size: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
            The bounds keep the years 1973 to 5138 apart.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, bool):
        raise ValueError("a time cannot be true or false")
    if isinstance(value, str):
        text = value.strip()
        try:
            number = float(text)
        except ValueError:
            return from_datetime(datetime.fromisoformat(text))
        return _from_number(int(text) if text.lstrip("+-").isdigit() else number)
    return _from_number(value)


def _from_number(number: int | float) -> int:
    size = abs(number)
    if not size < 1e20:  # also catches nan and inf
        raise ValueError(f"{number!r} is no Unix time")
    if size < 1e11:
        return round(number * MICROS_PER_S)
    if size < 1e14:
        return round(number * MICROS_PER_MS)
    if size < 1e17:
        return round(number)
    return round(number / 1000)
