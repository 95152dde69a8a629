"""Lines that write events: `out` takes the bytes (`schemas.direct_avro`)."""

from typing import Any, get_args

from schemas.direct_source import (
    INT_BITS,
    KEPT_CLASSES,
    LONG_BITS,
    MAX_KEPT,
    MAX_KEPT_BYTES,
    Source,
    Unsupported,
    is_characters,
    long_bytes,
    other_than_null,
    record_fields,
    required,
)


class WritingSource(Source):
    """Source of a function that writes."""

    def write(self, schema: Any, hint: Any, value: str, depth: int) -> None:
        """Lines that append the value of an expression, which is evaluated once."""
        kind, schema = self.kind_of(schema)
        line, hint = self.line, required(hint)
        if not value.isidentifier():
            name = self.new()
            line(depth, f"{name} = {value}")
            value = name
        if kind == "union":
            line(depth, f"if {value} is None: out.append(0)")
            line(depth, "else:")
            line(depth + 1, "out.append(2)")
            self.write(other_than_null(schema), hint, value, depth + 1)
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
            line(depth, f"out += {self.new(symbols)}[{value}]")
        elif kind == "map":
            key, item = self.new(), self.new()
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
            raise Unsupported(kind)

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
        if is_characters(hint):
            self.line(depth, f"if type({value}) is Characters: out += {value}.raw")
            self.line(depth, "else:")
            depth += 1
        item = self.new()
        self._write_count(value, depth)
        self.line(depth, f"for {item} in {value}:")
        self.write(schema["items"], get_args(hint)[0], item, depth + 1)
        self.line(depth, f"if {value}: out.append(0)")

    def _write_record(self, schema: Any, cls: Any, value: str, depth: int) -> None:
        hints = record_fields(schema, cls)
        kept = self.new() if cls in KEPT_CLASSES else None
        start, known = self.new(), self.new()
        if kept is not None:
            # the object is kept beside its bytes, so that its id is not given to another one
            self.names[kept] = {}
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
