"""Functions that turn Avro bytes into one event class and back, made from its contract when it is first used.

They serve the case that is nearly always the case: the bytes were written with our own contract, in the form that Avro
writers give (one block an array or map, short lengths). Then no schema has to be walked, no dict stands in between,
and what nobody looks at stays bytes (`schemas.characters`). Everything unusual raises `Unusual` or an error of the
standard library (`ERRORS`) and is left to fastavro, which also words the errors. So a function made here must never
accept what fastavro refuses, nor give another result; tests/unit/schemas/test_direct_avro.py compares them.

The functions are written as source and compiled, as `dataclasses` and `collections.namedtuple` do: one flat function a
class instead of a call a field. Format: Avro specification 1.11, "Binary Encoding".
"""

import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from schemas.contracts import contract
from schemas.direct_reading import ReadingSource
from schemas.direct_source import Unsupported, record_fields
from schemas.direct_writing import WritingSource

Read = Callable[[bytes, int], Any]
"""(value, offset of the record) -> event; the record must end where the value ends."""
Write = Callable[[bytes, Any], bytes]
"""(what goes in front, event) -> both"""
Extend = Callable[..., bytes]
"""(what goes in front, value of each field) -> both"""
ERRORS = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error)
"""What a function made here raises for what it does not handle."""


@cache
def reader(cls: type) -> Read | None:
    """The function that reads a class; None where its contract has something that the direct way does not know."""
    source = ReadingSource()
    try:
        source.read(contract(cls), cls, "event", 1)
    except Unsupported:
        return None
    source.line(1, "if p != len(b): raise Unusual('bytes left over or missing')")
    source.line(1, "return event")
    made: Read = source.function("read", "b, p")
    return made


@cache
def writer(cls: type) -> Write | None:
    """The function that writes a class; None as for `reader`."""
    source = WritingSource()
    source.line(1, "out = bytearray(front)")
    try:
        source.write(contract(cls), cls, "event", 1)
    except Unsupported:
        return None
    source.line(1, "return bytes(out)")
    made: Write = source.function("write", "front, event")
    return made


@cache
def extender(base: type, cls: type) -> Extend | None:
    """The function that writes the fields that a class has after those of another one; None as for `reader`.

    None too where the contract of the class does not begin with that of the other.
    """
    schema, known = contract(cls), contract(base)["fields"]
    added = schema["fields"][len(known) :]
    if schema["fields"][: len(known)] != known:
        return None
    source = WritingSource()
    source.line(1, "out = bytearray(front)")
    try:
        hints = record_fields(schema, cls)
        for field in added:
            source.write(field["type"], hints[field["name"]], field["name"], 1)
    except Unsupported:
        return None
    source.line(1, "return bytes(out)")
    made: Extend = source.function("extend", ", ".join(["front", *(field["name"] for field in added)]))
    return made
