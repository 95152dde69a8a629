"""What must be true of a sighting for a rule to be worth asking: the rule's access.

Most conditions can hold only for certain cameras, plates, colours or texts. A rule needs one of its access's probes to
be true; which rules that leaves is found by index (`alert_rules.rule_index`). These are the access predicates of
F. Fabret et al., "Filtering Algorithms and Implementation for Very Fast Publish/Subscribe Systems", SIGMOD 2001. Where
several conditions must hold, the one that the fewest sightings are likely to pass is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from alert_rules.conditions.boolean import AllOf, AnyOf
from alert_rules.conditions.comparison import Comparison
from alert_rules.conditions.plate import PlateMatch
from alert_rules.conditions.watchlist import WatchlistMatch
from alert_rules.fields import Kind
from alert_rules.finding import Condition
from alert_rules.patterns import literal_regex, wildcard_regex
from schemas.identity import fold


class Ask(StrEnum):
    """What a probe asks."""

    VALUE = "value"
    """Is the field, as comparisons see it, this value?"""
    WRITTEN = "written"
    """Is this pattern found in the field as it was written?"""
    NORMAL = "normal"
    """Is this pattern found in the field as comparisons see it?"""
    AT_LEAST = "at least"
    AT_MOST = "at most"
    NEAR = "near"
    """Do the reads, or the reader's doubts, fold to this plate?"""
    TEXT = "text"
    """Is a text of the plate this one?"""
    FOLDED = "folded"
    """Is this pattern found in a folded text of the plate?"""
    LISTED = "listed"
    """Is the plate on these watchlists?"""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question about a sighting that an index can answer.

    Attributes:
        path: of the field, for those about one.
        kind: of the field.
        value: a value, pattern, number, plate, or the arguments of `Facts.watchlist_hit`.
    """

    ask: Ask
    value: Any
    path: tuple[str, ...] = ()
    kind: Kind = Kind.PLATE

    @property
    def cost(self) -> float:
        """About which share of sightings passes, a guess; asking for doubts and watchlists costs more."""
        if self.ask is Ask.VALUE and self.kind is Kind.FLAG:
            return 0.5
        return _SHARES.get(self.path, _OTHER) * _WEIGHTS[self.ask]


Access = frozenset[Probe]

_OTHER = 0.2
_SHARES: dict[tuple[str, ...], float] = {
    (): 1e-4,
    ("plate", "text"): 1e-4,
    ("plate", "normalized_text"): 1e-4,
    ("resolved", "text"): 1e-4,
    ("resolved", "previous_text"): 1e-4,
    ("event_id",): 1e-6,
    ("match_key",): 1e-4,
    ("track_id",): 1e-4,
    ("camera_id",): 0.01,
    ("site_id",): 0.03,
}
_WEIGHTS: dict[Ask, float] = {
    Ask.VALUE: 1, Ask.WRITTEN: 3, Ask.NORMAL: 3, Ask.AT_LEAST: 2, Ask.AT_MOST: 2, Ask.NEAR: 10, Ask.TEXT: 1,
    Ask.FOLDED: 10, Ask.LISTED: 1000,
}  # fmt: skip


def access_of(condition: Condition) -> Access | None:
    """The access of a condition; None where it may hold for any sighting."""
    if isinstance(condition, Comparison):
        return _of_comparison(condition)
    if isinstance(condition, PlateMatch):
        return _of_plates(condition)
    if isinstance(condition, WatchlistMatch):
        return frozenset({Probe(Ask.LISTED, (condition.list_ids, condition.threshold, condition.exact))})
    if isinstance(condition, AllOf):
        found = [access for part in condition.parts if (access := access_of(part)) is not None]
        return min(found, key=_cost, default=None)
    if isinstance(condition, AnyOf):
        parts = [access_of(part) for part in condition.parts]
        known = [access for access in parts if access is not None]
        return frozenset().union(*known) if len(known) == len(parts) else None
    return None


def _cost(access: Access) -> float:
    return sum(probe.cost for probe in access)


def _of_comparison(condition: Comparison) -> Access | None:
    field, op, values = condition.field, condition.op, condition.normal_values
    if op in ("equals", "in"):
        return frozenset(Probe(Ask.VALUE, value, field.path, field.kind) for value in values)
    if op == "regex":
        return frozenset({Probe(Ask.WRITTEN, values[0], field.path, field.kind)})
    if op in _PATTERNS:
        return frozenset(Probe(Ask.NORMAL, _PATTERNS[op](value), field.path, field.kind) for value in values)
    if field.kind is Kind.EXTRA or op not in _BOUNDS:
        return None  # extras hold numbers as text
    return frozenset({Probe(_BOUNDS[op], values[0], field.path, field.kind)})


_BOUNDS = {">": Ask.AT_LEAST, ">=": Ask.AT_LEAST, "between": Ask.AT_LEAST, "<": Ask.AT_MOST, "<=": Ask.AT_MOST}
_PATTERNS: dict[str, Callable[[str], str]] = {
    "contains": literal_regex,
    "starts_with": lambda part: rf"\A{literal_regex(part)}",
    "ends_with": lambda part: rf"{literal_regex(part)}\z",
    "like": lambda pattern: rf"\A{wildcard_regex(pattern)}\z",
}


def _of_plates(condition: PlateMatch) -> Access:
    ask = Ask.TEXT if condition.exact else Ask.NEAR
    return frozenset(
        Probe(Ask.FOLDED, pattern.folded_regex)
        if pattern.is_wildcard
        else Probe(ask, pattern.text if condition.exact else fold(pattern.text))
        for pattern in condition.patterns
    )
