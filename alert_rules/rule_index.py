"""Which rules may match a sighting at all, found by values instead of asking every rule.

Compiled once for a rule set from each rule's access (`alert_rules.access`). Values lead to rules by hash tables, bounds
by sorted lists, patterns by one automaton a field (`alert_rules.pattern_set`). What a text leads to is remembered:
traffic repeats cameras, colours and, from early read to last revision, plates. The index never decides: the rules that
it yields are evaluated as ever, and those that may hold for any sighting always are.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

from alert_rules.access import Ask, Probe, access_of
from alert_rules.facts import Facts
from alert_rules.fields import Kind, normal_plate, normal_text
from alert_rules.near_plates import NearPlates
from alert_rules.pattern_set import PatternSet
from alert_rules.rule import Rule
from schemas.aliases import value_at
from schemas.events import Sighting
from schemas.identity import fold

REMEMBERED_PLATES = 16_384
REMEMBERED_TEXTS = 4_096
"""Texts of a field whose rules are remembered."""
MAX_REMEMBERED_CHARS = 100
PLATE_PATHS = frozenset({("plate", "text"), ("plate", "normalized_text")})
"""Comparisons of these try every text of the plate."""
Numbers = tuple[int, ...]
"""Places of rules in the rule set, ascending, each once."""
_NONE: Numbers = ()
Near = tuple[tuple[str, Numbers], ...]


class RuleIndex:
    """The rules of an engine, by their access. Rules come out in their order.

    Args:
        rules: those that are on.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        always: list[int] = []
        by_field: dict[tuple[str, ...], list[tuple[Probe, int]]] = {}
        for number, rule in enumerate(self._rules):
            access = access_of(rule.match)
            if access is None:
                always.append(number)
            for probe in access or ():
                path = () if probe.path in PLATE_PATHS else probe.path
                by_field.setdefault(path, []).append((probe, number))
        self._always = tuple(always)
        self._plates = _PlateIndex(by_field.pop((), []))
        self._fields = [_field_index(path, probes) for path, probes in by_field.items()]

    def candidates(self, facts: Facts) -> list[Rule]:
        """The rules that may hold for a sighting."""
        found = self._plates.numbers(facts)
        sighting = facts.sighting
        for read, numbers_of in self._fields:
            value = read(sighting)
            if value is not None:
                numbers = numbers_of(value)
                if numbers:
                    found.append(numbers)
        if self._always:
            found.append(self._always)
        if not found:
            return []
        rules = self._rules
        return [rules[number] for number in (found[0] if len(found) == 1 else sorted(set().union(*found)))]


class _PlateIndex:
    """Probes of the plate: of its texts as they are and folded, of the reader's doubts, and of watchlists."""

    def __init__(self, probes: list[tuple[Probe, int]]) -> None:
        of_text = [(probe, number) for probe, number in probes if probe.ask in _OF_A_VALUE or probe.ask is Ask.TEXT]
        self._by_value = _by_value(of_text)
        self._patterns = _Patterns(of_text, (Ask.WRITTEN, Ask.NORMAL))
        self._by_fold = _by_value([pair for pair in probes if pair[0].ask is Ask.NEAR])
        self._fold_patterns = _Patterns(probes, (Ask.FOLDED,))
        self._near = NearPlates(self._by_fold)
        self._listed = list(_by_value([pair for pair in probes if pair[0].ask is Ask.LISTED]).items())
        self._has_text_probes = bool(of_text)
        self._of_plate = _remembering(self._look_up_plate, REMEMBERED_PLATES)
        self._of_text = _remembering(self._look_up_text, REMEMBERED_PLATES)

    def numbers(self, facts: Facts) -> list[Numbers]:
        """What the sighting's plate leads to."""
        found: list[Numbers] = []
        reads = facts.reads
        for place, text in enumerate(reads.texts):
            numbers, near = self._of_plate(text)
            if numbers:
                found.append(numbers)
            if near and not place:
                doubts = reads.near_folds
                found += [numbers for key, numbers in near if key in doubts]
        plate = facts.sighting.plate
        if self._has_text_probes and plate is not None and plate.text not in reads.texts:
            numbers = self._of_text(plate.text)
            if numbers:
                found.append(numbers)
        if reads.texts:
            for arguments, numbers in self._listed:
                if facts.watchlist_hit(*arguments) is not None:
                    found.append(numbers)
        return found

    def _look_up_plate(self, text: str) -> tuple[Numbers, Near]:
        """What a normalised text leads to; and plates, one of which the reader's doubts must have."""
        folded = fold(text)
        found = {*self._look_up_text(text), *self._by_fold.get(folded, ()), *self._fold_patterns.numbers(folded)}
        near = tuple((key, self._by_fold[key]) for key in self._near.near(folded))
        return tuple(sorted(found)), near

    def _look_up_text(self, text: str) -> Numbers:
        return _union(self._by_value.get(text, ()), self._patterns.numbers(text))


_OF_A_VALUE = frozenset({Ask.VALUE, Ask.WRITTEN, Ask.NORMAL})
Reader = Callable[[Sighting], Any]
Lookup = Callable[[Any], Numbers]


def _field_index(path: tuple[str, ...], probes: list[tuple[Probe, int]]) -> tuple[Reader, Lookup]:
    """How a field is read from a sighting, and what a value of it leads to."""
    kind = probes[0][0].kind
    by_value = _by_value([pair for pair in probes if pair[0].ask is Ask.VALUE])
    if kind in (Kind.NUMBER, Kind.TIME, Kind.FLAG):
        bounds = _Bounds(probes)
        if not bounds:
            return _reader(path), lambda value: by_value.get(value, _NONE)
        return _reader(path), lambda value: _union(by_value.get(value, ()), bounds.numbers(value))
    written, normal = _Patterns(probes, (Ask.WRITTEN,)), _Patterns(probes, (Ask.NORMAL,))
    normalise = normal_plate if kind is Kind.PLATE else normal_text

    def look_up(value: str) -> Numbers:
        seen = normalise(value)
        as_written = seen if kind is Kind.PLATE else value
        return _union(by_value.get(seen, ()), written.numbers(as_written), normal.numbers(seen))

    return _reader(path), _remembering(look_up, REMEMBERED_TEXTS)


Found = TypeVar("Found")


def _remembering(look_up: Callable[[str], Found], texts: int) -> Callable[[str], Found]:
    """A function of a text that remembers its latest answers, except for long texts: memory has a bound."""
    cached = lru_cache(texts)(look_up)
    return lambda text: cached(text) if len(text) <= MAX_REMEMBERED_CHARS else look_up(text)


def _reader(path: tuple[str, ...]) -> Reader:
    """Reads a field fast; None where it is unknown."""
    name = path[-1]
    if path[0] == "extras":
        return lambda sighting: sighting.extras.get(name)
    if len(path) == 1:
        return attrgetter(name)
    if len(path) != 2:
        return lambda sighting: value_at(sighting, path)
    above, below = path

    def read(sighting: Sighting) -> Any:
        parent = getattr(sighting, above)
        return None if parent is None else getattr(parent, below)

    return read


class _Patterns:
    """Patterns and the rules that each leads to."""

    def __init__(self, probes: Iterable[tuple[Probe, int]], asks: tuple[Ask, ...]) -> None:
        by_pattern = _by_value([pair for pair in probes if pair[0].ask in asks])
        self._numbers = list(by_pattern.values())
        self._set = PatternSet(list(by_pattern))

    def numbers(self, text: str) -> Numbers:
        if not self._numbers:
            return _NONE
        return _union(*[self._numbers[place] for place in self._set.may_match(text)])


class _Bounds:
    """Least and largest values and the rules that each leads to."""

    def __init__(self, probes: Iterable[tuple[Probe, int]]) -> None:
        pairs = list(probes)
        self._least = sorted((probe.value, number) for probe, number in pairs if probe.ask is Ask.AT_LEAST)
        self._most = sorted((probe.value, number) for probe, number in pairs if probe.ask is Ask.AT_MOST)
        self._least_values = [value for value, _ in self._least]
        self._most_values = [value for value, _ in self._most]

    def __bool__(self) -> bool:
        return bool(self._least or self._most)

    def numbers(self, value: float) -> Numbers:
        reached = self._least[: bisect_right(self._least_values, value)]
        allowed = self._most[bisect_left(self._most_values, value) :]
        return tuple(number for _, number in (*reached, *allowed))


def _by_value(probes: Iterable[tuple[Probe, int]]) -> dict[Any, Numbers]:
    found: dict[Any, list[int]] = {}
    for probe, number in probes:
        found.setdefault(probe.value, []).append(number)
    return {value: tuple(dict.fromkeys(numbers)) for value, numbers in found.items()}


def _union(*parts: Iterable[int]) -> Numbers:
    return tuple(sorted({number for part in parts for number in part}))
