"""Reads what makes a rule a correlation: ``correlation``, ``timespan`` and ``late``.

match: {sites: depot}
group_by: plate
timespan: 10m
correlation: {type: event_count, condition: {gte: 5}}
late: {policy: amend, up_to: 5m}
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from alert_rules import expectations as expect
from alert_rules.correlations.bound import TESTS, Bound
from alert_rules.correlations.operator import Operator
from alert_rules.correlations.plan import AMEND, DROP, Correlation, Late
from alert_rules.document import Mapping as MappingNode
from alert_rules.document import Node
from alert_rules.errors import Problems, RuleProblem
from alert_rules.finding import Condition
from alert_rules.plate_patterns import PlatePattern
from alert_rules.reading.match import read_match
from schemas.clock import MICROS_PER_S

KEYS = ("correlation", "timespan", "late")
LATE_KEYS = ("policy", "up_to")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a type's reader gets.

    Attributes:
        body: the mapping under ``correlation``.
        rule: the rule around it.
        problems: takes what does not prevent reading on.
    """

    body: MappingNode
    rule: MappingNode
    problems: Problems

    @property
    def name(self) -> str:
        """The type, for messages."""
        return expect.text(self.body.entries["type"], "a type").strip().lower()

    def timespan_us(self, default_s: float | None = None) -> int:
        """The rule's ``timespan``.

        Raises:
            RuleProblem: it is missing and has no default, or is no time.
        """
        node = self.rule.entries.get("timespan")
        if node is None:
            if default_s is None:
                raise RuleProblem(self.rule.place, f"a rule with '{self.name}' needs 'timespan'")
            return round(default_s * MICROS_PER_S)
        return positive_us(node, "'timespan'")

    def span_us(self, key: str, default_s: float | None = None) -> int:
        """A time span of the correlation.

        Raises:
            RuleProblem: it is missing and has no default, or is no time.
        """
        if key not in self.body.entries and default_s is not None:
            return round(default_s * MICROS_PER_S)
        return positive_us(self.required(key), f"'{key}'")

    def required(self, key: str) -> Node:
        """A parameter that must be there.

        Raises:
            RuleProblem: it is not.
        """
        return expect.required(self.body, key, f"'{self.name}'")

    def condition(self, key: str) -> Condition:
        """A parameter that is a condition, as in ``match``.

        Raises:
            RuleProblem: it is none.
        """
        return read_match(self.required(key), self.problems)

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number within bounds, that may be missing.

        Raises:
            RuleProblem: it is something else.
        """
        if key not in self.body.entries:
            return default
        return expect.number_between(self.body.entries[key], f"'{key}'", low, high)

    def count(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds, that may be missing.

        Raises:
            RuleProblem: it is something else.
        """
        if key not in self.body.entries:
            return default
        return expect.whole_number(self.body.entries[key], f"'{key}'", low, high)

    def at_least(self, most: int) -> int:
        """``condition: {gte: N}`` of a count that can only grow: how many it takes.

        Raises:
            RuleProblem: it is something else.
        """
        body = expect.mapping(self.required("condition"), "'condition' such as {gte: 5}")
        if len(body.entries) != 1 or next(iter(body.entries)) not in ("gte", "gt", "eq"):
            few = " (for too few events there is 'flatline')" if {"lt", "lte"} & set(body.entries) else ""
            raise RuleProblem(body.place, f"'{self.name}' needs a condition with gte, gt or eq{few}")
        [(word, node)] = body.entries.items()
        limit = expect.whole_number(node, f"'{word}'", 1, most)
        return limit + 1 if word == "gt" else limit

    def bound(self, low: float, high: float) -> Bound:
        """``condition`` with any of gte, gt, lte, lt, eq.

        Raises:
            RuleProblem: it is something else.
        """
        return read_bound(self.required("condition"), low, high, self.problems)


@dataclass(frozen=True, slots=True)
class Made:
    """What a type's reader makes; see `Correlation`."""

    operators: tuple[Operator[Any], ...]
    conditions: tuple[tuple[str, Condition], ...] = ()
    only_tagged: bool = False
    listed: tuple[PlatePattern, ...] = ()


@dataclass(frozen=True, slots=True)
class TypeReader:
    """How a type is read.

    Attributes:
        keys: of the mapping, beside ``type``.
        required: those that must be there.
        about: one line for people.
        timespan: whether the rule's ``timespan`` means something.
        own_groups: it says itself what belongs together, so ``group_by`` means nothing.
        group: field that it groups by where the rule does not say; None for the plate.
    """

    read: Callable[[Parameters], Made]
    keys: tuple[str, ...]
    required: tuple[str, ...]
    about: str
    timespan: bool = True
    own_groups: bool = False
    group: str | None = None


def read_correlation(rule: MappingNode, types: Mapping[str, TypeReader], problems: Problems) -> Correlation | None:
    """The correlation of a rule; None where it has none.

    Args:
        rule: the rule's mapping.
        types: by name.
        problems: takes what does not prevent reading on.

    Raises:
        RuleProblem: it cannot be read.
    """
    if "correlation" not in rule.entries:
        for key in ("timespan", "late"):
            if key in rule.entries:
                raise RuleProblem(rule.place_of(key), f"'{key}' is for a rule with 'correlation'")
        return None
    body = expect.mapping(rule.entries["correlation"], "a correlation such as {type: event_count, condition: {gte: 5}}")
    type_name = expect.choice(expect.required(body, "type", "a correlation"), "type of correlation", types)
    reader = types[type_name]
    expect.known_keys(body, ("type", *reader.keys), f"'{type_name}'", problems)
    if not reader.timespan and "timespan" in rule.entries:
        problems.add(RuleProblem(rule.place_of("timespan"), f"'timespan' means nothing to '{type_name}'"))
    if reader.own_groups and "group_by" in rule.entries:
        problems.add(RuleProblem(rule.place_of("group_by"), f"'group_by' means nothing to '{type_name}'"))
    late = Late()
    with problems.collect():
        if "late" in rule.entries:
            late = _late(rule.entries["late"], rule, problems)
    made = reader.read(Parameters(body, rule, problems))
    return Correlation(
        type=type_name,
        operators=made.operators,
        conditions=made.conditions,
        only_tagged=made.only_tagged,
        listed=made.listed,
        late=late,
    )


def read_bound(node: Node, low: float, high: float, problems: Problems) -> Bound:
    """``{gte: 5}``, ``{gt: 1, lt: 9}``: one or more bounds of a number.

    Raises:
        RuleProblem: it is something else.
    """
    body = expect.mapping(node, "'condition' such as {gte: 5}")
    expect.known_keys(body, tuple(TESTS), "'condition'", problems)
    parts = tuple(
        sorted(
            (word, expect.number_between(limit, f"'{word}'", low, high))
            for word, limit in body.entries.items()
            if word in TESTS
        )
    )
    if not parts:
        raise RuleProblem(node.place, f"'condition' needs one of {', '.join(TESTS)}")
    return Bound(parts)


def positive_us(node: Node, what: str) -> int:
    """A time span longer than nothing, in microseconds.

    Raises:
        RuleProblem: it is something else.
    """
    seconds = expect.duration_s(node, what)
    if seconds <= 0:
        raise RuleProblem(node.place, f"{what} must be longer than nothing")
    return round(seconds * MICROS_PER_S)


def texts(node: Node, what: str, most: int) -> tuple[str, ...]:
    """Several texts, each once, in their order.

    Raises:
        RuleProblem: there are none, or too many.
    """
    nodes = expect.items(node, what, single=True)
    if not nodes or len(nodes) > most:
        raise RuleProblem(node.place, f"{what}: 1 to {most:,} are allowed, found {len(nodes):,}")
    return tuple(dict.fromkeys(expect.text(each, what, limit=200) for each in nodes))


def _late(node: Node, rule: MappingNode, problems: Problems) -> Late:
    up_to: Node | None = None
    if isinstance(node, MappingNode):
        expect.known_keys(node, LATE_KEYS, "'late'", problems)
        policy = expect.choice(expect.required(node, "policy", "'late'"), "policy for late events", (DROP, AMEND))
        up_to = node.entries.get("up_to")
    else:
        policy = expect.choice(node, "policy for late events", (DROP, AMEND))
    if policy == DROP:
        if up_to is not None:
            raise RuleProblem(up_to.place, "'up_to' is for policy amend")
        return Late()
    if up_to is None:
        up_to = rule.entries.get("timespan")
        if up_to is None:
            raise RuleProblem(node.place, "'late: amend' needs 'up_to': how late an event may be")
    return replace(Late(), policy=AMEND, up_to_us=positive_us(up_to, "'up_to'"))
