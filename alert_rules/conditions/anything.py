"""Every sighting: the match of a correlation that says nothing else."""

from dataclasses import dataclass
from typing import Any

from alert_rules.facts import Facts
from alert_rules.finding import Finding, Truth


@dataclass(frozen=True, slots=True)
class Anything:
    """Always holds."""

    def holds(self, facts: Facts) -> Truth:  # noqa: ARG002 - whatever it is
        """True."""
        return True

    def explain(self, facts: Facts) -> Finding:
        """True."""
        return Finding(self.holds(facts), "sighting", "exists")

    def canonical(self) -> Any:
        """A word."""
        return ["anything"]
