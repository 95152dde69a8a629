"""Reads ``{field, op, value}``, in the native form and in both existing ones."""

from typing import Any

from alert_rules import expectations as expect
from alert_rules.conditions.comparison import LISTS, OPERATORS, ORDERED, TEXTUAL, Comparison
from alert_rules.document import Mapping, Node
from alert_rules.errors import Problems, RuleProblem, nearest, shown
from alert_rules.fields import Field, Kind, UnknownField, find_field, normal_plate
from alert_rules.patterns import PatternError, compile_pattern, wildcard_regex
from schemas.clock import parse_time

KEYS = ("field", "op", "operator", "value", "values")
MAX_LIST = 50_000
_SPELLINGS = {spelling: op for op, spellings in OPERATORS.items() for spelling in spellings}


def read_comparison(node: Mapping, problems: Problems) -> Comparison:
    """A comparison from the keys ``field``, ``op`` (or ``operator``) and ``value`` (or ``values``).

    Raises:
        RuleProblem: a key is missing, the field or operator unknown, or the value does not fit them.
    """
    field = read_field(expect.required(node, "field", "a condition"))
    op_node = node.entries.get("op") or node.entries.get("operator")
    if op_node is None:
        raise RuleProblem(node.place, f"a condition needs 'op': one of {', '.join(OPERATORS)}")
    op = _operator(op_node, field)
    value = node.entries.get("value") or node.entries.get("values")
    if value is None and op != "exists":
        raise RuleProblem(node.place, f"a condition with '{op}' needs 'value'")
    if op == "exists":
        wanted = True if value is None else expect.flag(value, "'value' of exists")
        return Comparison(field, op, (wanted,))
    assert value is not None
    return Comparison(field, op, _values(field, op, value, problems))


def read_field(node: Node) -> Field:
    """A field by name.

    Raises:
        RuleProblem: there is none of that name.
    """
    try:
        return find_field(expect.text(node, "a field name", limit=200))
    except UnknownField as error:
        raise RuleProblem(node.place, str(error)) from None


def _operator(node: Node, field: Field) -> str:
    word = expect.text(node, "an operator", limit=40).strip()
    op = _SPELLINGS.get(word.lower())
    if op is None:
        raise RuleProblem(node.place, f"unknown operator {shown(word)}{nearest(word, list(_SPELLINGS))}")
    orders = field.kind in (Kind.NUMBER, Kind.TIME, Kind.EXTRA)
    if op in ORDERED and not orders:
        raise RuleProblem(node.place, f"'{word}' compares numbers and times; {field.name} is {field.kind.value}")
    if op in TEXTUAL and field.kind not in (Kind.TEXT, Kind.PLATE, Kind.EXTRA):
        raise RuleProblem(node.place, f"'{word}' is for text; {field.name} is a {field.kind.value}")
    return op


def _values(field: Field, op: str, node: Node, problems: Problems) -> tuple[Any, ...]:
    if op == "between":
        bounds = expect.items(node, "'value' of between: [low, high]")
        if len(bounds) != 2:
            raise RuleProblem(node.place, f"'between' needs two values [low, high], found {len(bounds)}")
        low, high = (_value(field, op, bound) for bound in bounds)
        if low > high:
            raise RuleProblem(node.place, "the first value of 'between' is the larger one")
        return (low, high)
    if op in LISTS or op == "like":
        nodes = expect.items(node, f"'value' of {op}", single=True)
        if not nodes:
            raise RuleProblem(node.place, f"the list of '{op}' is empty: nothing could match")
        if len(nodes) > MAX_LIST:
            raise RuleProblem(node.place, f"{len(nodes):,} values; more than {MAX_LIST:,} belong in a watchlist")
        values = []
        for each in nodes:
            with problems.collect():
                values.append(_value(field, op, each))
        return tuple(values)
    return (_value(field, op, node),)


def _value(field: Field, op: str, node: Node) -> Any:
    what = f"a value for {field.name}"
    if field.kind is Kind.NUMBER or (field.kind is Kind.EXTRA and op in ORDERED):
        return expect.number(node, what)
    if field.kind is Kind.FLAG:
        return expect.flag(node, what)
    if field.kind is Kind.TIME:
        return _time(node, what)
    written = expect.text(node, what)
    if op in ("regex", "like"):
        _check_pattern(written if op == "regex" else wildcard_regex(written), node)
    elif field.kind is Kind.PLATE and not normal_plate(written):
        raise RuleProblem(node.place, f"{shown(written)} has no letter or digit of a plate")
    return written


def _check_pattern(pattern: str, node: Node) -> None:
    try:
        compile_pattern(pattern)
    except PatternError as error:
        raise RuleProblem(node.place, str(error)) from None


def _time(node: Node, what: str) -> int:
    written = expect.text(node, f"{what} (a time)", limit=60)
    try:
        return parse_time(written)
    except (ValueError, OverflowError):
        raise RuleProblem(
            node.place, f"expected {what} (a time such as 2026-01-31T08:00:00Z), found {shown(written)}"
        ) from None
