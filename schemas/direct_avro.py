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
import types
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin

from schemas.builders import builder
from schemas.characters import Characters
from schemas.contracts import NAMESPACE, contract
from schemas.events import CharacterAlternative, Node
from schemas.records import field_types

Read = Callable[[bytes, int], Any]
"""(value, offset of the record) -> event; the record must end where the value ends."""
Write = Callable[[bytes, Any], bytes]
"""(what goes in front, event) -> both"""

KEPT_CLASSES = (Node,)
"""Records that repeat from event to event: their objects and bytes are kept and used again."""
MAX_KEPT = 1024
MAX_KEPT_BYTES = 1024
KEPT_PREFIX_BYTES = 24
INT_BITS = 31
LONG_BITS = 63


class Unusual(ValueError):
    """The bytes or the event are not of the form that the direct way handles."""


ERRORS = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error)
"""What a function made here raises for what it does not handle."""


class _Unsupported(Exception):
    """The contract has a type that the direct way does not know."""


@cache
def reader(cls: type) -> Read | None:
    """The function that reads a class; None where its contract has something that the direct way does not know."""
    source = _Source()
    try:
        source.read(contract(cls), cls, "event", 1)
    except _Unsupported:
        return None
    source.line(1, "if p != len(b): raise Unusual('bytes left over or missing')")
    source.line(1, "return event")
    made: Read = source.function("read", "b, p")
    return made


@cache
def writer(cls: type) -> Write | None:
    """The function that writes a class; None as for `reader`."""
    source = _Source()
    source.line(1, "out = bytearray(front)")
    try:
        source.write(contract(cls), cls, "event", 1)
    except _Unsupported:
        return None
    source.line(1, "return bytes(out)")
    made: Write = source.function("write", "front, event")
    return made


def long_at(value: bytes, place: int) -> tuple[int, int]:
    """A zigzag integer of up to nine bytes, and where it ends."""
    number = shift = 0
    while True:
        byte = value[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return (number >> 1) ^ -(number & 1), place
        shift += 7
        if shift > 56:
            raise Unusual("a very long integer")


def long_bytes(number: int, bits: int = LONG_BITS) -> bytes:
    """The zigzag form of an integer of so many bits and a sign."""
    if not -(1 << bits) <= number < 1 << bits:
        raise Unusual("outside of the type's range")
    number = number << 1 if number >= 0 else (-number << 1) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_NAMES = {
    "Unusual": Unusual,
    "Characters": Characters,
    "long_at": long_at,
    "long_bytes": long_bytes,
    "from_bytes": int.from_bytes,
    "unpack_float": struct.Struct("<f").unpack_from,
    "unpack_double": struct.Struct("<d").unpack_from,
    "pack_float": struct.Struct("<f").pack,
    "pack_double": struct.Struct("<d").pack,
}


class _Source:
    """Source of one function. `b` are the bytes, `p` the place in them, `out` what is written."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._types: dict[str, Any] = {}
        self._names: dict[str, Any] = dict(_NAMES)
        self._count = 0

    def line(self, depth: int, text: str) -> None:
        self._lines.append("    " * depth + text)

    def function(self, name: str, arguments: str) -> Any:
        source = "\n".join([f"def {name}({arguments}):", *self._lines])
        exec(compile(source, f"<{name} by schemas.direct_avro>", "exec"), self._names)  # noqa: S102 - our own contract
        return self._names[name]

    def _new(self, value: Any = None) -> str:
        """A name of its own; of a value, where one is given."""
        self._count += 1
        name = f"v{self._count}"
        if value is not None:
            self._names[name] = value
        return name

    def _type(self, schema: Any) -> tuple[str, Any]:
        """Kind and definition, with references to named types followed."""
        if isinstance(schema, str) and schema in self._types:
            schema = self._types[schema]
        if isinstance(schema, list):
            return "union", schema
        if isinstance(schema, str):
            return schema, {}
        kind = schema["type"]
        if isinstance(kind, dict):
            return self._type(kind)
        if "name" in schema:
            name = schema["name"]
            self._types[name if "." in name else f"{schema.get('namespace', NAMESPACE)}.{name}"] = schema
        return kind, schema

    # -- reading

    def read(self, schema: Any, hint: Any, to: str, depth: int) -> None:
        """Lines that read a value into the variable `to`."""
        kind, schema = self._type(schema)
        line, hint = self.line, _required(hint)
        if kind == "union":
            line(depth, "n = b[p]; p += 1")
            line(depth, "if n == 2:")
            self.read(_other_than_null(schema), hint, to, depth + 1)
            line(depth, f"elif n == 0: {to} = None")
            line(depth, "else: raise Unusual('branch of a union')")
        elif kind in ("string", "bytes"):
            self._read_text(to, ".decode()" if kind == "string" else "", depth)
        elif kind == "long":
            self._read_long(to, depth)
        elif kind == "int":
            line(depth, "n = b[p]")
            line(depth, f"if n < 128: {to} = (n >> 1) ^ -(n & 1); p += 1")
            line(depth, f"else: {to}, p = long_at(b, p)")
        elif kind in ("float", "double"):
            line(depth, f"({to},) = unpack_{kind}(b, p); p += {4 if kind == 'float' else 8}")
        elif kind == "boolean":
            line(depth, "n = b[p]; p += 1")
            line(depth, "if n > 1: raise Unusual('truth')")
            line(depth, f"{to} = n == 1")
        elif kind == "enum":
            line(depth, "n = b[p]; p += 1")
            line(depth, "if n & 129: raise Unusual('symbol')")
            line(depth, f"{to} = {self._new(tuple(schema['symbols']))}[n >> 1]")
        elif kind == "map":
            self._read_map(schema, hint, to, depth)
        elif kind == "array":
            self._read_array(schema, hint, to, depth)
        elif kind == "record":
            self._read_record(schema, hint, to, depth)
        else:
            raise _Unsupported(kind)

    def _read_text(self, to: str, decode: str, depth: int) -> None:
        # a slice beyond the end is short; then p lies beyond the end too, and the check at the end of all refuses it
        line = self.line
        line(depth, "n = b[p]; p += 1")
        line(depth, "if n & 129:")
        line(depth + 1, "m = b[p]; p += 1")
        line(depth + 1, "if n & 1 or n < 128 or m > 127: raise Unusual('length')")
        line(depth + 1, "n = n & 127 | m << 7")
        line(depth, "e = p + (n >> 1)")
        line(depth, f"{to} = b[p:e]{decode}; p = e")

    def _read_long(self, to: str, depth: int) -> None:
        # event times have eight bytes of seven bits: taken at once, then the gaps between the bits are closed
        line = self.line
        line(depth, "x = from_bytes(b[p:p + 8], 'little')")
        line(depth, "if x & 0x8080808080808080 == 0x0080808080808080 and p + 8 <= len(b):")
        line(depth + 1, "x = x & 0x007f007f007f007f | (x & 0x7f007f007f007f00) >> 1")
        line(depth + 1, "x = x & 0x00003fff00003fff | (x & 0x3fff00003fff0000) >> 2")
        line(depth + 1, "x = x & 0x000000000fffffff | (x & 0x0fffffff00000000) >> 4")
        line(depth + 1, f"{to} = (x >> 1) ^ -(x & 1); p += 8")
        line(depth, f"else: {to}, p = long_at(b, p)")

    def _read_block(self, depth: int) -> None:
        """The opening of the one block of an array or a map; what follows at `depth` + 2 is done for each item."""
        self.line(depth, "n = b[p]; p += 1")
        self.line(depth, "if n:")
        self.line(depth + 1, "if n & 129: raise Unusual('count')")
        self.line(depth + 1, "for _ in range(n >> 1):")

    def _end_block(self, depth: int) -> None:
        self.line(depth + 1, "if b[p]: raise Unusual('second block')")
        self.line(depth + 1, "p += 1")

    def _read_map(self, schema: Any, hint: Any, to: str, depth: int) -> None:
        key, value = self._new(), self._new()
        self.line(depth, f"{to} = {{}}")
        self._read_block(depth)
        self._read_text(key, ".decode()", depth + 2)
        self.read(schema["values"], get_args(hint)[1], value, depth + 2)
        self.line(depth + 2, f"{to}[{key}] = {value}")
        self._end_block(depth)

    def _read_array(self, schema: Any, hint: Any, to: str, depth: int) -> None:
        if _is_characters(hint):
            self.line(depth, f"{to} = Characters.at(b, p)")
            self.line(depth, f"if {to} is not None: p += len({to}.raw)")
            self.line(depth, "else:")
            depth += 1
        items, item = self._new(), self._new()
        self.line(depth, f"{items} = []")
        self._read_block(depth)
        self.read(schema["items"], get_args(hint)[0], item, depth + 2)
        self.line(depth + 2, f"{items}.append({item})")
        self._end_block(depth)
        self.line(depth, f"{to} = tuple({items})")

    def _read_record(self, schema: Any, cls: Any, to: str, depth: int) -> None:
        hints = _fields(schema, cls)
        kept = self._new({}) if cls in KEPT_CLASSES else None
        start, known = self._new(), self._new()
        if kept is not None:
            # a record's bytes say where it ends: bytes that start with those of a known record are that record
            self._names[kept] = {}
            self.line(depth, f"{start} = p; {known} = {kept}.get(b[p:p + {KEPT_PREFIX_BYTES}])")
            self.line(depth, f"if {known} is not None and b.startswith({known}[0], p):")
            self.line(depth + 1, f"{to} = {known}[1]; p += len({known}[0])")
            self.line(depth, "else:")
            depth += 1
        values = {}
        for field in schema["fields"]:
            values[field["name"]] = self._new()
            self.read(field["type"], hints[field["name"]], values[field["name"]], depth)
        arguments = ", ".join(values[name] for name in hints)
        self.line(depth, f"{to} = {self._new(builder(cls))}({arguments})")
        if kept is not None:
            self.line(depth, f"if p - {start} <= {MAX_KEPT_BYTES}:")
            self.line(depth + 1, f"if len({kept}) >= {MAX_KEPT}: {kept}.clear()")
            self.line(depth + 1, f"{kept}[b[{start}:{start} + {KEPT_PREFIX_BYTES}]] = (b[{start}:p], {to})")

    # -- writing

    def write(self, schema: Any, hint: Any, value: str, depth: int) -> None:
        """Lines that append the value of an expression, which is evaluated once."""
        kind, schema = self._type(schema)
        line, hint = self.line, _required(hint)
        if not value.isidentifier():
            name = self._new()
            line(depth, f"{name} = {value}")
            value = name
        if kind == "union":
            line(depth, f"if {value} is None: out.append(0)")
            line(depth, "else:")
            line(depth + 1, "out.append(2)")
            self.write(_other_than_null(schema), hint, value, depth + 1)
        elif kind == "string":
            line(depth, f"s = {value}.encode(); n = len(s)")
            self._write_text(depth)
        elif kind == "bytes":
            line(depth, f"s = {value}; n = len(s)")
            line(depth, "if type(s) is not bytes: raise Unusual('no bytes')")
            self._write_text(depth)
        elif kind in ("int", "long"):
            self._write_number(kind, value, depth)
        elif kind in ("float", "double"):
            line(depth, f"out += pack_{kind}({value})")
        elif kind == "boolean":
            line(depth, f"if type({value}) is not bool: raise Unusual('no truth')")
            line(depth, f"out.append({value})")
        elif kind == "enum":
            symbols = {symbol: long_bytes(number) for number, symbol in enumerate(schema["symbols"])}
            line(depth, f"out += {self._new(symbols)}[{value}]")
        elif kind == "map":
            key, item = self._new(), self._new()
            self._write_count(value, depth)
            line(depth, f"for {key}, {item} in {value}.items():")
            self.write("string", str, key, depth + 1)
            self.write(schema["values"], get_args(hint)[1], item, depth + 1)
            line(depth, f"if {value}: out.append(0)")
        elif kind == "array":
            self._write_array(schema, hint, value, depth)
        elif kind == "record":
            self._write_record(schema, hint, value, depth)
        else:
            raise _Unsupported(kind)

    def _write_text(self, depth: int) -> None:
        self.line(depth, "if n < 64: out.append(n << 1)")
        self.line(depth, "elif n < 8192: out.append(n << 1 & 127 | 128); out.append(n >> 6)")
        self.line(depth, "else: out += long_bytes(n)")
        self.line(depth, "out += s")

    def _write_number(self, kind: str, value: str, depth: int) -> None:
        self.line(depth, f"if 0 <= {value} < 64: out.append({value} << 1)")
        if kind == "long":
            self.line(depth, f"elif 0x1000000000000 <= {value} < 0x80000000000000:")
            self.line(depth + 1, f"x = {value} << 1")
            self.line(depth + 1, "x = x & 0x000000000fffffff | (x & 0x00fffffff0000000) << 4")
            self.line(depth + 1, "x = x & 0x00003fff00003fff | (x & 0x0fffc0000fffc000) << 2")
            self.line(depth + 1, "x = x & 0x007f007f007f007f | (x & 0x3f803f803f803f80) << 1")
            self.line(depth + 1, "out += (x | 0x0080808080808080).to_bytes(8, 'little')")
        self.line(depth, f"else: out += long_bytes({value}, {INT_BITS if kind == 'int' else LONG_BITS})")

    def _write_count(self, value: str, depth: int) -> None:
        self.line(depth, f"n = len({value})")
        self.line(depth, "if n < 64: out.append(n << 1)")
        self.line(depth, "else: out += long_bytes(n)")

    def _write_array(self, schema: Any, hint: Any, value: str, depth: int) -> None:
        if _is_characters(hint):
            self.line(depth, f"if type({value}) is Characters: out += {value}.raw")
            self.line(depth, "else:")
            depth += 1
        item = self._new()
        self._write_count(value, depth)
        self.line(depth, f"for {item} in {value}:")
        self.write(schema["items"], get_args(hint)[0], item, depth + 1)
        self.line(depth, f"if {value}: out.append(0)")

    def _write_record(self, schema: Any, cls: Any, value: str, depth: int) -> None:
        hints = _fields(schema, cls)
        kept = self._new({}) if cls in KEPT_CLASSES else None
        start, known = self._new(), self._new()
        if kept is not None:
            # the object is kept beside its bytes, so that its id is not given to another one
            self._names[kept] = {}
            self.line(depth, f"{start} = len(out); {known} = {kept}.get(id({value}))")
            self.line(depth, f"if {known} is not None: out += {known}[0]")
            self.line(depth, "else:")
            depth += 1
        for field in schema["fields"]:
            self.write(field["type"], hints[field["name"]], f"{value}.{field['name']}", depth)
        if kept is not None:
            self.line(depth, f"if len(out) - {start} <= {MAX_KEPT_BYTES}:")
            self.line(depth + 1, f"if len({kept}) >= {MAX_KEPT}: {kept}.clear()")
            self.line(depth + 1, f"{kept}[id({value})] = (bytes(out[{start}:]), {value})")


def _required(hint: Any) -> Any:
    """The hint without its None and marks."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    return hint


def _other_than_null(branches: list[Any]) -> Any:
    if len(branches) != 2 or branches[0] != "null":
        raise _Unsupported(f"union {branches!r:.100}")
    return branches[1]


def _is_characters(hint: Any) -> bool:
    return bool(hint == tuple[tuple[CharacterAlternative, ...], ...])


def _fields(schema: Any, cls: Any) -> dict[str, Any]:
    hints = field_types(cls) if is_dataclass(cls) and isinstance(cls, type) else {}
    if set(hints) != {field["name"] for field in schema["fields"]}:
        raise _Unsupported(f"{cls} has other fields than {schema['name']}")
    return hints
