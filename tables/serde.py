"""How keys and values of tables become bytes. Values outlive releases: what an old release wrote is still read."""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from schemas.records import from_record, to_record

Value = TypeVar("Value")
_encode_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Serde(Generic[Value]):
    """A pair of functions, each the inverse of the other.

    Attributes:
        encode: value to bytes; the same value always gives the same bytes.
        decode: bytes to value; raises ValueError, TypeError or KeyError for bytes that `encode` never made.
    """

    encode: Callable[[Value], bytes]
    decode: Callable[[bytes], Value]


RAW: Serde[bytes] = Serde(bytes, bytes)
TEXT: Serde[str] = Serde(str.encode, bytes.decode)
INTEGER: Serde[int] = Serde(lambda number: b"%d" % number, int)


def record(cls: type[Value]) -> Serde[Value]:
    """JSON of a dataclass, nested ones and tuples included.

    A field that an older release did not write takes its default; one that a newer release wrote is passed over (after
    a rollback). So: give new fields a default, and never reuse a name with another meaning.

    Args:
        cls: frozen dataclass of JSON types, dataclasses, dicts and tuples. Bytes have no place in it.
    """
    names = frozenset(field.name for field in fields(cls))  # type: ignore[arg-type]  # a dataclass, see Args

    def encode(value: Value) -> bytes:
        return _encode_json(to_record(value)).encode()

    def decode(data: bytes) -> Value:
        values = json.loads(data)
        if values.keys() - names:
            values = {name: values[name] for name in names & values.keys()}
        return from_record(cls, values)

    return Serde(encode, decode)


def pair(first: Serde[str], second: Serde[str], separator: str = "\x1f") -> Serde[tuple[str, str]]:
    """Two texts as one key that sorts by the first, then the second (unit separator, ASCII 31, between them).

    Args:
        first: of the leading text.
        second: of the other.
        separator: must not occur in the first text.
    """
    mark = separator.encode()

    def encode(key: tuple[str, str]) -> bytes:
        head = first.encode(key[0])
        if mark in head:
            raise ValueError(f"{key[0]!r} contains the separator of the key")
        return head + mark + second.encode(key[1])

    def decode(data: bytes) -> tuple[str, str]:
        head, _, tail = data.partition(mark)
        return first.decode(head), second.decode(tail)

    return Serde(encode, decode)


def ordered_int(number: int) -> bytes:
    """Eight bytes of a number that sort as the number does, for keys of timers and ranges.

    Args:
        number: -2**63 to 2**63 - 1.

    Raises:
        OverflowError: outside of that.
    """
    return (number + (1 << 63)).to_bytes(8, "big")


def from_ordered_int(data: bytes) -> int:
    """The number of `ordered_int`, from the first eight bytes."""
    return int.from_bytes(data[:8], "big") - (1 << 63)
