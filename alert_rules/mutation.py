"""Changes rules a little and asks whether one of their tests notices: tests that let a changed rule pass prove little.

The changes are the classic ones of R. A. DeMillo et al., "Hints on Test Data Selection", 1978: a condition left out
or turned round, an operator flipped, a bound moved, a time span doubled and halved. A change that leaves the rule's
meaning as it was, or that makes it unreadable, does not count.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from alert_rules import expectations as expect
from alert_rules.conditions.comparison import OPERATORS
from alert_rules.document import Listing, Mapping, Node, Scalar
from alert_rules.errors import Place, RuleFileError
from alert_rules.inline_tests import run_tests
from alert_rules.loading import RuleSet, read_trees
from alert_rules.reading.match import CONDITION_KEYS

DECIDING_KEYS = ("match", "conditions", "timespan", "correlation", "suppress", "value", "operator")
_CONDITIONS = frozenset({"match", "conditions", "all", "any", "not"})
_FLIPS = {
    ">": (">=", "<"), ">=": (">", "<"), "<": ("<=", ">"), "<=": ("<", ">"), "equals": ("not_equals",),
    "not_equals": ("equals",), "in": ("not_in",), "not_in": ("in",), "contains": ("equals",),
    "starts_with": ("contains", "equals"), "ends_with": ("contains", "equals"),
}  # fmt: skip
_KEY_FLIPS = {"gte": "gt", "gt": "gte", "lte": "lt", "lt": "lte"}
_SPELLED = {spelling: name for name, spellings in OPERATORS.items() for spelling in (name, *spellings)}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_DOUBLED = frozenset({"likelihood", "probability", "radius_m"})
"""Numbers that are moved by much: what a test can tell apart here are orders, not tenths."""
_SMALL = 20
Variant = tuple[Place, str, Node]
"""Where and what was changed, and the tree with the change."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed rule.

    Attributes:
        change: such as ``'>=' for '>'``.
        noticed: whether one of the rule's tests failed.
    """

    rule_id: str
    place: Place
    change: str
    noticed: bool


def mutants(trees: list[Node], rules: RuleSet) -> Iterator[Mutant]:
    """Change each rule that has tests, one change at a time, and run its tests.

    Args:
        trees: the parsed rule files.
        rules: what they were read to; all their tests pass.
    """
    by_place = {rule.place: rule for rule in rules.rules}
    around = [_without_rules(tree) for tree in trees]
    for tree in trees:
        for body in _rule_bodies(tree):
            rule = by_place.get(body.place)
            if rule is None or not rule.tests:
                continue
            seen = {rule.version}
            for place, change, changed in _rule_variants(body):
                try:
                    read = read_trees([*around, Listing([changed], body.place)])
                except RuleFileError:
                    continue
                [mutant] = read.rules
                if mutant.version not in seen:
                    seen.add(mutant.version)
                    yield Mutant(rule.id, place, change, not all(outcome.passed for outcome in run_tests(read)))


def _without_rules(tree: Node) -> Node:
    """What a file defines for others: zones and calendars."""
    entries = tree.entries if isinstance(tree, Mapping) else {}
    return Mapping({"zones": Mapping({}, tree.place), **{k: v for k, v in entries.items() if k != "rules"}}, tree.place)


def _rule_bodies(tree: Node) -> Iterator[Mapping]:
    listed = tree.entries.get("rules") if isinstance(tree, Mapping) else tree
    if isinstance(listed, Listing):
        yield from (each for each in listed.items if isinstance(each, Mapping))


def _rule_variants(body: Mapping) -> Iterator[Variant]:
    for key in DECIDING_KEYS:
        if key in body.entries:
            for place, change, node in _variants(body.entries[key], key):
                yield place, change, replace(body, entries={**body.entries, key: node})


def _variants(node: Node, key: str) -> Iterator[Variant]:
    """A subtree with one change.

    Args:
        node: the subtree.
        key: under which it stands.
    """
    if isinstance(node, Scalar):
        yield from (
            (node.place, f"{other!r} for {node.text!r}", replace(node, text=other)) for other in _others(node, key)
        )
    elif isinstance(node, Listing):
        for index, item in enumerate(node.items):
            for place, change, changed in _variants(item, key):
                yield place, change, replace(node, items=[*node.items[:index], changed, *node.items[index + 1 :]])
            if key in _CONDITIONS and len(node.items) > 1:
                rest = [*node.items[:index], *node.items[index + 1 :]]
                yield item.place, "condition left out", replace(node, items=rest)
    else:
        yield from _of_mapping(node, key)


def _of_mapping(node: Mapping, key: str) -> Iterator[Variant]:
    for name, part in node.entries.items():
        for place, change, changed in _variants(part, name):
            yield place, change, replace(node, entries={**node.entries, name: changed})
        others = {other: value for other, value in node.entries.items() if other != name}
        if name in _KEY_FLIPS and _KEY_FLIPS[name] not in others:
            flipped = {**others, _KEY_FLIPS[name]: part}
            yield node.place_of(name), f"{_KEY_FLIPS[name]!r} for {name!r}", replace(node, entries=flipped)
        if key in _CONDITIONS and name in CONDITION_KEYS and others:
            yield node.place_of(name), f"{name!r} left out", replace(node, entries=others)
        if key in _CONDITIONS and name == "not" and "all" not in others:
            turned = {**others, "all": part if isinstance(part, Listing) else Listing([part], part.place)}
            yield node.place_of(name), "'not' left out", replace(node, entries=turned)


def _others(node: Scalar, key: str) -> Iterator[str]:
    """What else could stand in the place of a scalar."""
    written = node.text.strip()
    if key in ("op", "operator"):
        yield from _FLIPS.get(_SPELLED.get(written, written), ())
    elif key in ("from", "to") and (clock := _CLOCK.fullmatch(written)):
        for hours in (23, 1):
            yield f"{(int(clock[1]) + hours) % 24:02}:{clock[2]}"
    elif _SPAN.fullmatch(written):
        span_s = expect.parse_duration_s(written)
        if span_s is not None:
            yield from (f"{span_s * factor:g}s" for factor in (0.5, 2))
    elif key in _DOUBLED and _NUMBER.fullmatch(written):
        yield from (f"{float(written) * factor:g}" for factor in (0.5, 2))
    elif _NUMBER.fullmatch(written):
        number = float(written)
        if number == int(number) and abs(number) < _SMALL:
            yield from (str(int(number) + step) for step in (-1, 1))
        else:
            yield from (f"{number * factor:.6g}" for factor in (0.9, 1.1))
    elif written in ("true", "false"):
        yield "false" if written == "true" else "true"
