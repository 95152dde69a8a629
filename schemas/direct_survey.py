"""Functions that look at a few fields of an event in its Avro bytes, without making the event.

For who passes events on and needs to see little of them. The bytes are walked as `schemas.direct_avro` reads them and
in the same forms, and everything unusual raises the same errors: the event has to be decoded then. On top of that,
text is ASCII alone, so that its bytes are its characters.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from schemas.contracts import contract
from schemas.direct_reading import ReadingSource
from schemas.direct_source import (
    KEPT_CLASSES,
    KEPT_PREFIX_BYTES,
    MAX_KEPT,
    MAX_KEPT_BYTES,
    Unsupported,
    is_characters,
    other_than_null,
    record_fields,
    required,
)

Survey = Callable[[bytes, int], tuple[Any, ...]]
"""(value, offset of the record) -> the wanted values in order, then the wanted places; the record must end where the
value ends. Text is given as bytes, the alternatives of characters as `Characters` or None for none, a map as the number
of its entries; what is null, or lies in a record that is, is None."""


def surveyor(cls: type, wanted: Collection[str], places: Collection[str], limits: Mapping[str, int]) -> Survey | None:
    """Make the function for a class.

    Args:
        cls: event class.
        wanted: fields to give, ``captured_at`` or ``plate.text``, in any order.
        places: optional fields and maps of which to give where they begin: at the byte that says whether there is one,
            or how many entries.
        limits: most bytes of texts; a longer one is unusual.

    Returns:
        None where the contract has something that the direct way does not know.

    Raises:
        KeyError: the class has no such field.
    """
    source = _SurveySource(wanted, places, limits)
    try:
        source.survey(contract(cls), cls, "", 1)
    except Unsupported:
        return None
    source.line(1, "if p != len(b): raise Unusual('bytes left over or missing')")
    source.line(1, f"return ({''.join(f'{name}, ' for name in source.results())})")
    made: Survey = source.function("survey", "b, p")
    return made


class _SurveySource(ReadingSource):
    """Source of a function that surveys."""

    def __init__(self, wanted: Collection[str], places: Collection[str], limits: Mapping[str, int]) -> None:
        super().__init__()
        self._wanted = {path: f"w{number}" for number, path in enumerate(wanted)}
        self._places = {path: f"at{number}" for number, path in enumerate(places)}
        self._limits = limits
        self._seen: set[str] = set()

    def results(self) -> list[str]:
        """Variables of the wanted values, then of the places."""
        missing = {*self._wanted, *self._places, *self._limits} - self._seen
        if missing:
            raise KeyError(f"no fields of the contract: {', '.join(sorted(missing))}")
        return [*self._wanted.values(), *self._places.values()]

    def survey(self, schema: Any, hint: Any, path: str, depth: int) -> None:
        """Lines that go over a value and keep what is wanted of it."""
        self._seen.add(path)
        kind, schema = self.kind_of(schema)
        line, hint = self.line, required(hint)
        if path in self._places:
            line(depth, f"{self._places[path]} = p")
        if kind == "union":
            within = [name for at, name in self._wanted.items() if at == path or at.startswith(f"{path}.")]
            within += [name for at, name in self._places.items() if at.startswith(f"{path}.")]
            line(depth, "n = b[p]; p += 1")
            line(depth, "if n == 2:")
            self._survey_value(*self.kind_of(other_than_null(schema)), hint, path, depth + 1)
            line(
                depth, f"elif n == 0: {''.join(f'{name} = ' for name in within)}None" if within else "elif n == 0: pass"
            )
            line(depth, "else: raise Unusual('branch of a union')")
        else:
            self._survey_value(kind, schema, hint, path, depth)

    def _survey_value(self, kind: str, schema: Any, hint: Any, path: str, depth: int) -> None:
        to = self._wanted.get(path) or self.new()
        if kind == "record":
            self._survey_record(schema, hint, path, depth)
        elif kind == "string":
            self._survey_text(to, self._limits.get(path), depth)
        elif kind == "array" and is_characters(hint):
            self.line(depth, f"{to} = Characters.at(b, p)")
            self.line(depth, f"if {to} is not None: p += len({to}.raw)")
            self.line(depth, "elif b[p]: raise Unusual('characters')")
            self.line(depth, "else: p += 1")
        elif kind in ("float", "double") and path not in self._wanted:
            self.line(depth, f"p += {4 if kind == 'float' else 8}")
        else:
            self.read({**schema, "type": kind} if schema else kind, hint, to, depth)
            if kind == "map":
                self.line(depth, f"{to} = len({to})")

    def _survey_text(self, to: str, limit: int | None, depth: int) -> None:
        line = self.line
        line(depth, "n = b[p]; p += 1")
        line(depth, "if n & 129:")
        line(depth + 1, "m = b[p]; p += 1")
        line(depth + 1, "if n & 1 or n < 128 or m > 127: raise Unusual('length')")
        line(depth + 1, "n = n & 127 | m << 7")
        if limit is not None:
            line(depth + (limit >= 64), f"if n > {limit << 1}: raise Unusual('length')")  # below 64 n has one byte
        line(depth, "e = p + (n >> 1)")
        line(depth, f"{to} = b[p:e]; p = e")
        line(depth, f"if not {to}.isascii(): raise Unusual('not ASCII')")

    def _survey_record(self, schema: Any, cls: Any, path: str, depth: int) -> None:
        hints = record_fields(schema, cls)
        fields = {f"{path}.{field['name']}".lstrip("."): field for field in schema["fields"]}
        kept = cls in KEPT_CLASSES and not fields.keys() & {*self._wanted, *self._places, *self._limits}
        start, known, found = self.new(), self.new({}), self.new()
        if kept:
            self.line(depth, f"{start} = p; {found} = {known}.get(b[p:p + {KEPT_PREFIX_BYTES}])")
            self.line(depth, f"if {found} is not None and b.startswith({found}, p): p += len({found})")
            self.line(depth, "else:")
            depth += 1
        for at, field in fields.items():
            self.survey(field["type"], hints[field["name"]], at, depth)
        if kept:
            self.line(depth, f"if p - {start} <= {MAX_KEPT_BYTES} and p <= len(b):")
            self.line(depth + 1, f"if len({known}) >= {MAX_KEPT}: {known}.clear()")
            self.line(depth + 1, f"{known}[b[{start}:{start} + {KEPT_PREFIX_BYTES}]] = b[{start}:p]")
