"""value_count: many different values of a field within a time (Sigma's value_count, ElastAlert's cardinality)."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.operator import Firing, Result, Timeless, shorten
from alert_rules.correlations.values import comparable, path_of
from alert_rules.fields import Field
from schemas.events import ConditionProof

MAX_VALUES = 1_000
Latest = tuple[tuple[str, Mention], ...]
"""Each value with the latest event that had it, oldest first; fewer than the threshold."""


@dataclass(frozen=True, slots=True)
class ValueCount(Timeless):
    """Fires when so many different values lie within the time span. They are used up then.

    Attributes:
        field: whose values; an event without one does not count.
        at_least: how many.
    """

    field: Field
    at_least: int
    within_us: int

    def start(self) -> Latest:
        """No values."""
        return ()

    def on_event(self, state: Latest, event: Seen) -> tuple[Latest, Iterable[Result]]:
        """Take the event's value; the latest event of each value is what counts."""
        value = comparable(self.field, event.sighting)
        if value is None:
            return state, ()
        kept = [(v, m) for v, m in state if v != value and event.at_us - m.at_us <= self.within_us]
        latest = (*kept, (value, event.mention))
        if len(latest) < self.at_least:
            return latest, ()
        mentions = [mention for _, mention in latest]
        took = span(event.at_us - mentions[0].at_us)
        shown = ", ".join(sorted(v for v, _ in latest)[:10])
        proof = ConditionProof(
            self.field.name, "different values", self.describe(), f"{len(latest)} in {took}: {shown}"
        )
        values = {"count": len(latest), "first_at": mentions[0].at_us, "duration": took, "value": shown}
        return (), (Firing(event.at_us, event.event_id, event, shorten(mentions), (proof,), values, count=len(latest)),)

    def keep_until_us(self, state: Latest) -> int | None:
        """Until the last value has left the window."""
        return state[-1][1].at_us + self.within_us if state else None

    def dump(self, state: Latest) -> Plain:
        """Lists."""
        return [[value, *mention] for value, mention in state]

    def load(self, plain: Plain) -> Latest:
        """From lists."""
        return tuple((value, Mention(at, event_id)) for value, at, event_id in plain)

    def words(self, state: Latest) -> str:
        """How far the count is."""
        return f"{len(state)} of {self.at_least} values"

    def describe(self) -> str:
        """Such as ``3 different camera_id within 10m``."""
        return f"{self.at_least} different {self.field.name} within {span(self.within_us)}"

    def canonical(self) -> Plain:
        """All of it."""
        return ["value_count", path_of(self.field), self.at_least, self.within_us]
