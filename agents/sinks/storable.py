"""What no store can keep: numbers that are none, times outside of the calendar, text that is not Unicode.

Checked before the stores are asked, so that all of them refuse the same record, and NaN never reaches an average.
"""

import math
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from schemas.clock import from_datetime, to_datetime
from schemas.errors import SinkRejected

FIRST_US = from_datetime(datetime(1, 1, 1, tzinfo=UTC))
LAST_US = from_datetime(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))


def check_storable(value: Any, where: str = "") -> None:
    """Walk an event and raise on the first value that no store can keep.

    Raises:
        SinkRejected: the message names the field.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SinkRejected(f"{where} is {value}: not a number that can be stored")
    elif isinstance(value, str):
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise SinkRejected(f"{where} holds half a surrogate pair: not valid Unicode")
    elif isinstance(value, dict):
        for key, item in value.items():
            check_storable(key, where)
            check_storable(item, f"{where}[{key!r:.40}]")
    elif isinstance(value, list | tuple):
        for item in value:
            check_storable(item, where)
    elif is_dataclass(value) and not isinstance(value, type):
        for name in _names(type(value)):
            check_storable(getattr(value, name), f"{where}.{name}" if where else name)


@cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


def moment(micros: int, where: str) -> datetime:
    """The time as a datetime.

    Raises:
        SinkRejected: outside of the years 1 to 9999.
    """
    if not FIRST_US <= micros <= LAST_US:
        raise SinkRejected(f"{where} is {micros} microseconds: outside of the years 1 to 9999")
    return to_datetime(micros)
