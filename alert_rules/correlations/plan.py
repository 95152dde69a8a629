"""The correlation part of a rule, and the correlation rules of a rule set made ready."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from alert_rules.conditions.plate import PlateMatch
from alert_rules.correlations.event import Plain
from alert_rules.correlations.operator import Operator
from alert_rules.facts import Facts
from alert_rules.finding import Condition
from alert_rules.plate_patterns import PlatePattern

if TYPE_CHECKING:
    from alert_rules.rule import Rule

DROP, AMEND = "drop", "amend"


@dataclass(frozen=True, slots=True)
class Late:
    """What becomes of an event that comes after its time has been decided on.

    Attributes:
        policy: ``drop``: it is counted as late, no more. ``amend``: the time since then is decided again with it;
            alerts that this adds are raised, none is withdrawn.
        up_to_us: how late an amended event may be; what is older is dropped.
    """

    policy: str = DROP
    up_to_us: int = 0


@dataclass(frozen=True)
class Correlation:
    """What a rule looks for in the sightings that match it.

    Attributes:
        type: name in rule files.
        operators: the first sees what matches, each other one what the one before emits.
        conditions: the operators' tags by number, with their names.
        only_tagged: an event for which none of the conditions holds is not looked at.
        listed: plates that are the groups, in place of ``group_by``; a sighting belongs to those that it may be of.
    """

    type: str
    operators: tuple[Operator[Any], ...]
    conditions: tuple[tuple[str, Condition], ...] = ()
    only_tagged: bool = False
    listed: tuple[PlatePattern, ...] = ()
    late: Late = Late()

    def tags(self, facts: Facts) -> tuple[int, ...]:
        """Numbers of the conditions that hold for a sighting."""
        return tuple(number for number, (_, condition) in enumerate(self.conditions) if condition.holds(facts))

    def canonical(self) -> Plain:
        """The meaning in plain values; names of conditions do not count."""
        return [
            self.type,
            [operator.canonical() for operator in self.operators],
            [condition.canonical() for _, condition in self.conditions],
            self.only_tagged,
            [pattern.text for pattern in self.listed],
            [self.late.policy, self.late.up_to_us],
        ]


@dataclass(frozen=True)
class Part:
    """An operator of a rule in its place.

    Attributes:
        number: of the operator in its rule.
        stage: 0 works on sightings by plate; each re-keyed stream is one more.
        meaning: changes with what the rule counts. State under another meaning is void.
    """

    rule: "Rule"
    correlation: Correlation
    number: int
    stage: int
    operator: Operator[Any]
    meaning: str

    def slot(self, group: str) -> bytes:
        """Short name of a group of this part: 16 bytes, the same everywhere."""
        hashed = self._hashed.copy()
        hashed.update(group.encode())
        digest: bytes = hashed.digest()
        return digest

    @cached_property
    def _hashed(self) -> Any:
        return blake2b(f"{self.rule.id}\x00{self.number}\x00{self.meaning}\x00".encode(), digest_size=16)


class Plan:
    """The correlations of the rules in force.

    Args:
        rules: those that are on; others than correlations are passed over.

    Attributes:
        stages: how many streams there are, one after another.
        naming: ids of rules whose match is about listed plates.
    """

    def __init__(self, rules: Iterable["Rule"]) -> None:
        self._parts: dict[tuple[str, int], Part] = {}
        self.rules: list[Rule] = []
        self._listed: dict[str, tuple[PlateMatch, dict[str, PlateMatch]]] = {}
        for rule in rules:
            if rule.correlation is not None:
                self.rules.append(rule)
                for part in _parts(rule, rule.correlation):
                    self._parts[rule.id, part.number] = part
                if rule.correlation.listed:
                    each = {pattern.text: PlateMatch((pattern,)) for pattern in rule.correlation.listed}
                    self._listed[rule.id] = (PlateMatch(rule.correlation.listed), each)
        self.naming = frozenset(rule.id for rule in self.rules if _names_plates(rule))
        self.stages = 1 + max((part.stage for part in self._parts.values()), default=0)

    def part(self, rule_id: str, number: int) -> Part | None:
        """A part; None where the rule is not in force."""
        return self._parts.get((rule_id, number))

    def of_stage(self, stage: int) -> Sequence[Part]:
        """The parts of a stage."""
        return [part for part in self._parts.values() if part.stage == stage]

    def groups(self, rule: "Rule", facts: Facts) -> tuple[str, ...]:
        """The groups that a matching sighting belongs to; none where it lacks what is grouped by."""
        assert rule.correlation is not None
        if rule.id in self._listed:
            any_of_them, each = self._listed[rule.id]
            if not any_of_them.holds(facts):
                return ()
            return tuple(sorted(listed for listed, plate in each.items() if plate.holds(facts)))
        for field in rule.group_by.fields:
            known = facts.reads.texts if field is None else field.read(facts.sighting) not in (None, "")
            if not known:
                return ()
        return (rule.group_by.of(facts.sighting),)


def _names_plates(rule: "Rule") -> bool:
    meaning = json.dumps(rule.match.canonical())
    return any(f'"{kind}"' in meaning for kind in ("plate", "watchlist"))


def _parts(rule: "Rule", correlation: Correlation) -> Iterable[Part]:
    by_plate = None in rule.group_by.fields and not correlation.listed
    meaning_of = [rule.match.canonical(), rule.group_by.canonical(), correlation.canonical()]
    meaning = blake2b(json.dumps(meaning_of, sort_keys=True).encode(), digest_size=8).hexdigest()
    for number, operator in enumerate(correlation.operators):
        yield Part(rule, correlation, number, number + (0 if by_plate else 1), operator, meaning)
