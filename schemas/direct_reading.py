"""Lines that read events: `b` are the bytes, `p` is the place in them (`schemas.direct_avro`)."""

from typing import Any, get_args

from schemas.builders import builder
from schemas.direct_source import (
    KEPT_CLASSES,
    KEPT_PREFIX_BYTES,
    MAX_KEPT,
    MAX_KEPT_BYTES,
    Source,
    Unsupported,
    is_characters,
    other_than_null,
    record_fields,
    required,
)


class ReadingSource(Source):
    """Source of a function that reads."""

    def read(self, schema: Any, hint: Any, to: str, depth: int) -> None:
        """Lines that read a value into the variable `to`."""
        kind, schema = self.kind_of(schema)
        line, hint = self.line, required(hint)
        if kind == "union":
            line(depth, "n = b[p]; p += 1")
            line(depth, "if n == 2:")
            self.read(other_than_null(schema), hint, to, depth + 1)
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
            line(depth, f"{to} = {self.new(tuple(schema['symbols']))}[n >> 1]")
        elif kind == "map":
            self._read_map(schema, hint, to, depth)
        elif kind == "array":
            self._read_array(schema, hint, to, depth)
        elif kind == "record":
            self._read_record(schema, hint, to, depth)
        else:
            raise Unsupported(kind)

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
        key, value = self.new(), self.new()
        self.line(depth, f"{to} = {{}}")
        self._read_block(depth)
        self._read_text(key, ".decode()", depth + 2)
        self.read(schema["values"], get_args(hint)[1], value, depth + 2)
        self.line(depth + 2, f"{to}[{key}] = {value}")
        self._end_block(depth)

    def _read_array(self, schema: Any, hint: Any, to: str, depth: int) -> None:
        if is_characters(hint):
            self.line(depth, f"{to} = Characters.at(b, p)")
            self.line(depth, f"if {to} is not None: p += len({to}.raw)")
            self.line(depth, "else:")
            depth += 1
        items, item = self.new(), self.new()
        self.line(depth, f"{items} = []")
        self._read_block(depth)
        self.read(schema["items"], get_args(hint)[0], item, depth + 2)
        self.line(depth + 2, f"{items}.append({item})")
        self._end_block(depth)
        self.line(depth, f"{to} = tuple({items})")

    def _read_record(self, schema: Any, cls: Any, to: str, depth: int) -> None:
        hints = record_fields(schema, cls)
        kept = self.new() if cls in KEPT_CLASSES else None
        start, known = self.new(), self.new()
        if kept is not None:
            # a record's bytes say where it ends: bytes that start with those of a known record are that record
            self.names[kept] = {}
            self.line(depth, f"{start} = p; {known} = {kept}.get(b[p:p + {KEPT_PREFIX_BYTES}])")
            self.line(depth, f"if {known} is not None and b.startswith({known}[0], p):")
            self.line(depth + 1, f"{to} = {known}[1]; p += len({known}[0])")
            self.line(depth, "else:")
            depth += 1
        values = {}
        for field in schema["fields"]:
            values[field["name"]] = self.new()
            self.read(field["type"], hints[field["name"]], values[field["name"]], depth)
        arguments = ", ".join(values[name] for name in hints)
        self.line(depth, f"{to} = {self.new(builder(cls))}({arguments})")
        if kept is not None:
            self.line(depth, f"if p - {start} <= {MAX_KEPT_BYTES} and p <= len(b):")
            self.line(depth + 1, f"if len({kept}) >= {MAX_KEPT}: {kept}.clear()")
            self.line(depth + 1, f"{kept}[b[{start}:{start} + {KEPT_PREFIX_BYTES}]] = (b[{start}:p], {to})")
