"""temporal: all of several things within a time, in any order (Sigma's temporal)."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.operator import Firing, Result, Timeless
from schemas.events import ConditionProof

Latest = tuple[tuple[int, Mention], ...]
"""Number of each condition with the latest event for which it held, in order of the numbers."""


@dataclass(frozen=True, slots=True)
class Temporal(Timeless):
    """Fires when for each condition an event lies within the time span. They are used up then.

    One event may fulfil several conditions.

    Attributes:
        names: of the conditions.
    """

    names: tuple[str, ...]
    within_us: int

    def start(self) -> Latest:
        """Nothing."""
        return ()

    def on_event(self, state: Latest, event: Seen) -> tuple[Latest, Iterable[Result]]:
        """Note which conditions it fulfils, and see whether all are."""
        latest = {number: each for number, each in state if event.at_us - each.at_us <= self.within_us}
        latest.update(dict.fromkeys(event.tags, event.mention))
        if len(latest) < len(self.names):
            return tuple(sorted(latest.items())), ()
        mentions = tuple(sorted(set(latest.values())))
        took = span(event.at_us - mentions[0].at_us)
        order = sorted(latest, key=lambda number: (latest[number], number))
        steps = ", ".join(self.names[number] for number in order)
        proof = ConditionProof("temporal", "all of", self.describe(), f"{steps} in {took}")
        values = {"count": len(mentions), "first_at": mentions[0].at_us, "duration": took, "steps": steps}
        return (), (Firing(event.at_us, event.event_id, event, mentions, (proof,), values),)

    def keep_until_us(self, state: Latest) -> int | None:
        """Until the last event has left the window."""
        return max((mention.at_us + self.within_us for _, mention in state), default=None)

    def dump(self, state: Latest) -> Plain:
        """Lists."""
        return [[number, *mention] for number, mention in state]

    def load(self, plain: Plain) -> Latest:
        """From lists."""
        return tuple((number, Mention(at, event_id)) for number, at, event_id in plain)

    def words(self, state: Latest) -> str:
        """What is there."""
        return "seen: " + (", ".join(self.names[number] for number, _ in state) or "nothing")

    def describe(self) -> str:
        """Such as ``a, b within 1h``."""
        return f"{', '.join(self.names)} within {span(self.within_us)}"

    def canonical(self) -> Plain:
        """All but the names."""
        return ["temporal", len(self.names), self.within_us]
