"""Source code of functions between Avro bytes and events: what reading and writing share (`schemas.direct_avro`)."""

import struct
import types
from dataclasses import is_dataclass
from typing import Any, Union, get_args, get_origin

from schemas.characters import Characters
from schemas.contracts import NAMESPACE
from schemas.events import CharacterAlternative, Node
from schemas.records import field_types

KEPT_CLASSES = (Node,)
"""Records that repeat from event to event: their objects and bytes are kept and used again."""
MAX_KEPT = 1024
MAX_KEPT_BYTES = 1024
KEPT_PREFIX_BYTES = 24
INT_BITS = 31
LONG_BITS = 63


class Unusual(ValueError):
    """The bytes or the event are not of the form that the direct way handles."""


class Unsupported(Exception):
    """The contract has a type that the direct way does not know."""


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


class Source:
    """Source of one function: its lines, and what the names in them stand for."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._types: dict[str, Any] = {}
        self.names: dict[str, Any] = dict(_NAMES)
        self._count = 0

    def line(self, depth: int, text: str) -> None:
        """Add a line, indented so many times."""
        self._lines.append("    " * depth + text)

    def function(self, name: str, arguments: str) -> Any:
        """The function of the lines so far."""
        source = "\n".join([f"def {name}({arguments}):", *self._lines])
        exec(compile(source, f"<{name} by schemas.direct_avro>", "exec"), self.names)  # noqa: S102 - our own contract
        return self.names[name]

    def new(self, value: Any = None) -> str:
        """A name of its own; of a value, where one is given."""
        self._count += 1
        name = f"v{self._count}"
        if value is not None:
            self.names[name] = value
        return name

    def kind_of(self, schema: Any) -> tuple[str, Any]:
        """Kind and definition, with references to named types followed."""
        if isinstance(schema, str) and schema in self._types:
            schema = self._types[schema]
        if isinstance(schema, list):
            return "union", schema
        if isinstance(schema, str):
            return schema, {}
        kind = schema["type"]
        if isinstance(kind, dict):
            return self.kind_of(kind)
        if "name" in schema:
            name = schema["name"]
            self._types[name if "." in name else f"{schema.get('namespace', NAMESPACE)}.{name}"] = schema
        return kind, schema


def required(hint: Any) -> Any:
    """The hint without its None and marks."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    return hint


def other_than_null(branches: list[Any]) -> Any:
    """The other branch of an optional value."""
    if len(branches) != 2 or branches[0] != "null":
        raise Unsupported(f"union {branches!r:.100}")
    return branches[1]


def is_characters(hint: Any) -> bool:
    """Whether a field holds the alternatives of a plate's characters."""
    return bool(hint == tuple[tuple[CharacterAlternative, ...], ...])


def record_fields(schema: Any, cls: Any) -> dict[str, Any]:
    """Type hints of the class of a record, whose fields are the record's."""
    hints = field_types(cls) if is_dataclass(cls) and isinstance(cls, type) else {}
    if set(hints) != {field["name"] for field in schema["fields"]}:
        raise Unsupported(f"{cls} has other fields than {schema['name']}")
    return hints
