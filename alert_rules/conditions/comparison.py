"""A field compared with values: text without case, plates normalised, numbers and times as such."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alert_rules.facts import Facts
from alert_rules.fields import Field, Kind, normal_plate, normal_text
from alert_rules.finding import Finding, Truth
from alert_rules.patterns import compile_pattern, wildcard_regex

OPERATORS: dict[str, tuple[str, ...]] = {
    "equals": ("equals", "eq", "==", "=", "is"),
    "not_equals": ("not_equals", "ne", "!=", "<>"),
    "contains": ("contains",),
    "starts_with": ("starts_with", "startswith"),
    "ends_with": ("ends_with", "endswith"),
    "like": ("like", "wildcard"),
    "regex": ("regex", "matches"),
    "in": ("in", "in_list", "one_of"),
    "not_in": ("not_in", "not_in_list"),
    ">": (">", "gt", "greater_than"),
    ">=": (">=", "gte", "ge", "greater_than_or_equal", "at_least"),
    "<": ("<", "lt", "less_than"),
    "<=": ("<=", "lte", "le", "less_than_or_equal", "at_most"),
    "between": ("between",),
    "exists": ("exists",),
}
"""Operator to the ways of writing it."""

ORDERED = frozenset({">", ">=", "<", "<=", "between"})
TEXTUAL = frozenset({"contains", "starts_with", "ends_with", "like", "regex"})
LISTS = frozenset({"in", "not_in"})
_NEGATIVE = frozenset({"not_equals", "not_in"})
_RESOLVABLE = frozenset({("plate", "text"), ("plate", "normalized_text")})

Test = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``{field, op, value}``.

    A plate field is tried as observed and as resolved (`schemas.events.Resolved`); a negative operator must hold for
    both. A field whose value is unknown gives unknown, except to ``exists``.

    Attributes:
        op: a key of `OPERATORS`.
        values: what it is compared with, of the field's kind: one value, two for ``between``, any number for lists;
            for ``exists`` a flag.
    """

    field: Field
    op: str
    values: tuple[Any, ...]
    _test: Test = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_test", _build_test(self.field.kind, self.op, self.values))

    def holds(self, facts: Facts) -> Truth:
        """Whether the comparison holds."""
        if self.op == "exists":
            return (self._read(facts) is not None) is self.values[0]
        candidates = self.candidates(facts)
        if not candidates:
            return None
        test = self._test
        if self.op in _NEGATIVE:
            return all(test(value) for value in candidates)
        return any(test(value) for value in candidates)

    def explain(self, facts: Facts) -> Finding:
        """The comparison with the value it saw."""
        value = self._read(facts)
        observed = self.field.show(value)
        if self.field.path in _RESOLVABLE:
            others = [text for text in facts.reads.texts if text != normal_plate(observed)]
            observed += f" (resolved {others[0]})" if value is not None and others else ""
        return Finding(self.holds(facts), self.field.name, self.op, self.expected(), observed)

    def expected(self) -> str:
        """The values in words."""
        words = [self.field.show(value) for value in self.values]
        if self.op == "between":
            return f"{words[0]} to {words[1]}"
        more = len(words) - 10
        return ", ".join(words[:10]) + (f" and {more} more" if more > 0 else "")

    def canonical(self) -> Any:
        """Field by path, values as comparisons see them, lists sorted."""
        values = [_normal(self.field.kind, self.op, value) for value in self.values]
        if self.op in LISTS or self.op == "like":
            values = sorted(set(values))
        op = self.op
        if len(values) == 1 and op in LISTS:
            op = {"in": "equals", "not_in": "not_equals"}[op]
        return ["field", ".".join(self.field.path), op, values]

    def _read(self, facts: Facts) -> Any:
        value = self.field.read(facts.sighting)
        return None if value == "" and self.field.kind is not Kind.EXTRA else value

    @property
    def normal_values(self) -> tuple[Any, ...]:
        """The values as comparisons see them."""
        return tuple(_normal(self.field.kind, self.op, value) for value in self.values)

    def candidates(self, facts: Facts) -> list[Any]:
        """What is compared: the field's values as comparisons see them; none where it is unknown."""
        value = self._read(facts)
        if value is None:
            return []
        kind = self.field.kind
        if kind is Kind.PLATE:
            if self.field.path in _RESOLVABLE:
                texts = list(facts.reads.texts)
                # a pattern or wildcard may have been written with the separators of the plate
                return [*texts, value] if self.op in ("regex", "like") and value not in texts else texts or [value]
            return [normal_plate(value)]
        if kind is Kind.EXTRA and self.op in ORDERED:
            number = _number(value)
            return [] if number is None else [number]
        if kind in (Kind.TEXT, Kind.EXTRA) and self.op != "regex":
            return [normal_text(value)]
        return [value]


def _normal(kind: Kind, op: str, value: Any) -> Any:
    """A value of the rule as comparisons see it."""
    if op == "regex" or not isinstance(value, str):
        return value
    if kind is Kind.PLATE and op != "like":
        return normal_plate(value)
    return value.strip().upper() if kind is Kind.PLATE else normal_text(value)


def _build_test(kind: Kind, op: str, values: tuple[Any, ...]) -> Test:
    normal = [_normal(kind, op, value) for value in values]
    first = normal[0]
    if op in ("in", "equals"):
        listed = frozenset(normal)
        return listed.__contains__
    if op in ("not_in", "not_equals"):
        excluded = frozenset(normal)
        return lambda seen: seen not in excluded
    if op == "like":
        patterns = [compile_pattern(wildcard_regex(pattern)) for pattern in normal]
        return lambda seen: any(pattern.fullmatch(seen) is not None for pattern in patterns)
    if op == "regex":
        pattern = compile_pattern(first)
        return lambda seen: pattern.search(seen) is not None
    if op == "between":
        low, high = normal
        return lambda seen: low <= seen <= high
    return _SIMPLE[op](first)


_SIMPLE: dict[str, Callable[[Any], Test]] = {
    "contains": lambda part: lambda seen: part in seen,
    "starts_with": lambda part: lambda seen: seen.startswith(part),
    "ends_with": lambda part: lambda seen: seen.endswith(part),
    ">": lambda bound: lambda seen: seen > bound,
    ">=": lambda bound: lambda seen: seen >= bound,
    "<": lambda bound: lambda seen: seen < bound,
    "<=": lambda bound: lambda seen: seen <= bound,
    "exists": lambda _wanted: lambda _seen: True,  # answered before any test
}


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number == number else None  # noqa: PLR0124  # nan is unknown, and the only one unequal to itself
