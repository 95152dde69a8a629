"""When a version of a rule is in force: in event time, as it stands in the rule itself."""

from dataclasses import dataclass
from typing import Any

from alert_rules.facts import Facts
from alert_rules.finding import Finding, Truth
from schemas.clock import to_iso

NO_MEANING = None
"""Canonical form of what does not belong to the meaning of a match."""


@dataclass(frozen=True, slots=True)
class Validity:
    """``valid_from`` and ``valid_until`` of a rule: which sightings are for this version of it.

    It is no part of the match's meaning: a correlation keeps what it knows when an end is put to it, or a begin taken
    away. It is a part of the rule's version.

    Attributes:
        from_us: captured at this time or later; None: whenever.
        until_us: captured before this time; None: whenever.
    """

    from_us: int | None = None
    until_us: int | None = None

    def holds(self, facts: Facts) -> Truth:
        """Whether the sighting was captured then."""
        return self.covers(facts.sighting.captured_at)

    def explain(self, facts: Facts) -> Finding:
        """The time of the capture."""
        return Finding(self.holds(facts), "captured_at", "valid", self.words(), to_iso(facts.sighting.captured_at))

    def canonical(self) -> Any:
        """See `NO_MEANING`."""
        return NO_MEANING

    def covers(self, at_us: int) -> bool:
        """Whether it is in force at a time."""
        return (self.from_us is None or at_us >= self.from_us) and (self.until_us is None or at_us < self.until_us)

    def overlaps(self, other: "Validity") -> bool:
        """Whether both are in force at some time."""
        return _before(self.from_us, other.until_us) and _before(other.from_us, self.until_us)

    def words(self) -> str:
        """For people."""
        begin = [] if self.from_us is None else [f"from {to_iso(self.from_us)}"]
        end = [] if self.until_us is None else [f"until {to_iso(self.until_us)}"]
        return " ".join((*begin, *end))


def _before(begin_us: int | None, end_us: int | None) -> bool:
    return begin_us is None or end_us is None or begin_us < end_us
