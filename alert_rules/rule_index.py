"""Which rules may match a sighting at all, found by values instead of asking every rule.

Most rules can hold only for certain cameras, plates, colours, ...: a comparison for equality that must hold is the
rule's anchor. A sighting's values lead to the rules that are anchored on them; rules without an anchor are always
asked. (The same idea as the access predicates of F. Fabret et al., "Filtering Algorithms and Implementation for Very
Fast Publish/Subscribe Systems", SIGMOD 2001.) The index never decides: what it yields is evaluated as ever.
"""

from collections.abc import Iterable

from alert_rules.conditions.boolean import AllOf, AnyOf
from alert_rules.conditions.comparison import Comparison
from alert_rules.conditions.plate import PlateMatch
from alert_rules.facts import Facts
from alert_rules.finding import Condition
from alert_rules.rule import Rule

PLATE = ("plate?",)
"""Stands where a path stands, for folded plates."""
Anchor = frozenset[tuple[tuple[str, ...], object]]
"""(path, value) pairs of which a sighting must have at least one."""


class RuleIndex:
    """The rules of an engine, by their anchors. Rules come out in their order.

    Args:
        rules: those that are on.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._always: list[int] = []
        self._by_value: dict[tuple[str, ...], dict[object, list[int]]] = {}
        self._readers: dict[tuple[str, ...], Comparison] = {}
        for number, rule in enumerate(self._rules):
            anchor = anchor_of(rule.match, self._readers)
            if anchor is None:
                self._always.append(number)
            for path, value in anchor or ():
                self._by_value.setdefault(path, {}).setdefault(value, []).append(number)

    def candidates(self, facts: Facts) -> list[Rule]:
        """The rules that may hold for a sighting."""
        found = set(self._always)
        for path, by_value in self._by_value.items():
            for value in self._values(path, facts):
                found.update(by_value.get(value, ()))
        return [self._rules[number] for number in sorted(found)]

    def _values(self, path: tuple[str, ...], facts: Facts) -> Iterable[object]:
        if path == PLATE:
            return (*facts.reads.folds, *facts.reads.near_folds)
        return self._readers[path].candidates(facts)


def anchor_of(condition: Condition, readers: dict[tuple[str, ...], Comparison]) -> Anchor | None:
    """The anchor of a condition; None where it has none.

    Args:
        condition: of a rule.
        readers: takes a comparison for each path in the anchor, to read the field of sightings with.
    """
    if isinstance(condition, Comparison):
        if not condition.is_anchor:
            return None
        readers.setdefault(condition.field.path, condition)
        return frozenset((condition.field.path, value) for value in condition.keys)
    if isinstance(condition, PlateMatch):
        folds = condition.folds()
        return None if folds is None else frozenset((PLATE, key) for key in folds)
    if isinstance(condition, AllOf):
        anchors = [anchor for part in condition.parts if (anchor := anchor_of(part, readers)) is not None]
        return min(anchors, key=len, default=None)
    if isinstance(condition, AnyOf):
        parts = [anchor_of(part, readers) for part in condition.parts]
        known = [anchor for anchor in parts if anchor is not None]
        return frozenset().union(*known) if len(known) == len(parts) else None
    return None
