"""all, any and not over conditions, in three-valued logic: what is unknown stays unknown.

So ``not: {field: vehicle_color, op: equals, value: red}`` does not fire on a vehicle whose colour nobody has seen yet
(S. C. Kleene, "Introduction to Metamathematics", 1952, section 64: strong tables).
"""

import json
from dataclasses import dataclass
from typing import Any

from alert_rules.facts import Facts
from alert_rules.finding import Condition, Finding, Truth


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part must hold."""

    parts: tuple[Condition, ...]

    def holds(self, facts: Facts) -> Truth:
        """False as soon as one part is false; unknown where one is unknown."""
        result: Truth = True
        for part in self.parts:
            held = part.holds(facts)
            if held is False:
                return False
            if held is None:
                result = None
        return result

    def explain(self, facts: Facts) -> Finding:
        """All parts, also after one that failed."""
        return Finding(self.holds(facts), "", "all", parts=tuple(part.explain(facts) for part in self.parts))

    def canonical(self) -> Any:
        """Order and repetition mean nothing; one part alone is that part."""
        return _canonical("all", self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part must hold."""

    parts: tuple[Condition, ...]

    def holds(self, facts: Facts) -> Truth:
        """True as soon as one part is true; unknown where one is unknown and none true."""
        result: Truth = False
        for part in self.parts:
            held = part.holds(facts)
            if held:
                return True
            if held is None:
                result = None
        return result

    def explain(self, facts: Facts) -> Finding:
        """All parts."""
        return Finding(self.holds(facts), "", "any", parts=tuple(part.explain(facts) for part in self.parts))

    def canonical(self) -> Any:
        """Order and repetition mean nothing; one part alone is that part."""
        return _canonical("any", self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """The part must be false; where it is unknown, so is this."""

    part: Condition

    def holds(self, facts: Facts) -> Truth:
        """The opposite; unknown stays unknown."""
        held = self.part.holds(facts)
        return None if held is None else not held

    def explain(self, facts: Facts) -> Finding:
        """The part below, as it was."""
        return Finding(self.holds(facts), "", "not", parts=(self.part.explain(facts),))

    def canonical(self) -> Any:
        """The part's meaning, negated."""
        return ["not", self.part.canonical()]


def _canonical(word: str, parts: tuple[Condition, ...]) -> Any:
    canonical = [
        meaning for part in parts if (meaning := part.canonical()) is not None
    ]  # a validity means nothing here
    meanings = {json.dumps(meaning, sort_keys=True): meaning for meaning in canonical}
    if len(meanings) == 1:
        return next(iter(meanings.values()))
    return [word, [meanings[key] for key in sorted(meanings)]]
