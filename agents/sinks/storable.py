"""What no store can keep: numbers that are none, times outside of the calendar, text that is not Unicode.

Checked before the stores are asked, so that all of them refuse the same record, and NaN never reaches an average.
"""

import math
from dataclasses import is_dataclass
from datetime import UTC, datetime
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from schemas.clock import from_datetime, to_datetime
from schemas.errors import SinkRejected

FIRST_US = from_datetime(datetime(1, 1, 1, tzinfo=UTC))
LAST_US = from_datetime(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))


def check_storable(event: Any, where: str = "") -> None:
    """Walk an event and raise on the first value that no store can keep.

    Fields are taken to be of their declared types, as the codec gives them.

    Raises:
        SinkRejected: the message names the field.
    """
    cls: type = type(event)
    texts, numbers, nested = _shape(cls)
    for name in texts:
        text = getattr(event, name)
        if text is not None and not text.isascii():
            _check_text(text, where + name)
    for name in numbers:
        number = getattr(event, name)
        if number is not None and not math.isfinite(number):
            raise SinkRejected(f"{where}{name} is {number}: not a number that can be stored")
    for name in nested:
        value = getattr(event, name)
        if value:
            _check_nested(value, where + name)


def _check_nested(value: Any, where: str) -> None:
    if isinstance(value, tuple):
        for item in value:
            _check_nested(item, where)
    elif isinstance(value, str):
        _check_text(value, where)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key, where)
            _check_text(item, f"{where}[{key!r:.40}]")
    elif is_dataclass(value):
        check_storable(value, where + ".")


def _check_text(text: str, where: str) -> None:
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise SinkRejected(f"{where} holds half a surrogate pair: not valid Unicode")


@cache
def _shape(cls: type) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Names of the text fields, the float fields, and those that have more inside; whole numbers and bytes are left."""
    texts, numbers, nested = [], [], []
    for name, hint in get_type_hints(cls).items():
        kinds = set(get_args(hint)) - {type(None)} if get_origin(hint) in (Union, UnionType) else {hint}
        if kinds == {str}:
            texts.append(name)
        elif kinds == {float}:
            numbers.append(name)
        elif not kinds & {int, bool, bytes}:
            nested.append(name)
    return tuple(texts), tuple(numbers), tuple(nested)


def moment(micros: int, where: str) -> datetime:
    """The time as a datetime.

    Raises:
        SinkRejected: outside of the years 1 to 9999.
    """
    if not FIRST_US <= micros <= LAST_US:
        raise SinkRejected(f"{where} is {micros} microseconds: outside of the years 1 to 9999")
    return to_datetime(micros)
