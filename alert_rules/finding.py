"""What a condition found: whether it held, and the value that it saw."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from alert_rules.facts import Facts
from alert_rules.plate_patterns import PlateHit
from schemas.events import ConditionProof

Truth = bool | None
"""True, False, or None: the value is unknown (Kleene's three-valued logic). Rules fire on True alone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of a condition for one sighting.

    Attributes:
        holds: see `Truth`.
        field, operator, expected, observed: for people, as text.
        hit: the listed plate, where the condition is about one.
        parts: findings of the conditions below (all, any, not).
    """

    holds: Truth
    field: str
    operator: str
    expected: str = ""
    observed: str = ""
    hit: PlateHit | None = None
    parts: "tuple[Finding, ...]" = ()

    def proofs(self) -> Iterator[ConditionProof]:
        """The conditions that decided, leaves only: of an ``any`` those that held, under a ``not`` all of them."""
        if not self.parts:
            yield ConditionProof(self.field, self.operator, self.expected, self.observed)
        for part in self.parts:
            if self.operator == "not":
                for proof in part.proofs():
                    yield ConditionProof(proof.field, f"not {proof.operator}", proof.expected, proof.observed)
            elif part.holds:
                yield from part.proofs()

    def hits(self) -> Iterator[PlateHit]:
        """Listed plates of the conditions that held."""
        if self.hit is not None and self.holds:
            yield self.hit
        if self.operator != "not":
            for part in self.parts:
                if part.holds:
                    yield from part.hits()


class Condition(Protocol):
    """A node of a rule's ``match`` tree. Conditions are values: equal ones mean the same."""

    def holds(self, facts: Facts) -> Truth:
        """Whether it holds: the fast way, asked for every sighting."""

    def explain(self, facts: Facts) -> Finding:
        """Whether it holds, with the value it saw: asked when a rule fires, and by people."""

    def canonical(self) -> Any:
        """Its meaning in plain lists and text, equal for equal meaning however it was written."""
