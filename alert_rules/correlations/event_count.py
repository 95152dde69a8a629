"""event_count: many events of a group within a time (Sigma's event_count, ElastAlert's frequency)."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.operator import Firing, Result, Timeless, shorten
from schemas.events import ConditionProof

MAX_COUNT = 10_000
Window = tuple[Mention, ...]
"""Events that have not been used up, oldest first; fewer than the threshold."""


@dataclass(frozen=True, slots=True)
class EventCount(Timeless):
    """Fires when so many events lie within the time span. They are used up then: the next alert needs new ones.

    Attributes:
        at_least: how many; the window holds fewer than that.
    """

    at_least: int
    within_us: int

    def start(self) -> Window:
        """No events."""
        return ()

    def on_event(self, state: Window, event: Seen) -> tuple[Window, Iterable[Result]]:
        """Count it together with those before it that are near enough."""
        window = (*(mention for mention in state if event.at_us - mention.at_us <= self.within_us), event.mention)
        if len(window) < self.at_least:
            return window, ()
        took = span(event.at_us - window[0].at_us)
        proof = ConditionProof("event_count", ">=", self.describe(), f"{len(window)} within {took}")
        values = {"count": len(window), "first_at": window[0].at_us, "duration": took}
        fired = Firing(event.at_us, event.event_id, event, shorten(window), (proof,), values, count=len(window))
        return (), (fired,)

    def keep_until_us(self, state: Window) -> int | None:
        """Until the last event has left the window."""
        return state[-1].at_us + self.within_us if state else None

    def dump(self, state: Window) -> Plain:
        """Pairs of time and id."""
        return [list(mention) for mention in state]

    def load(self, plain: Plain) -> Window:
        """From pairs."""
        return tuple(Mention(*each) for each in plain)

    def words(self, state: Window) -> str:
        """How far the count is."""
        return f"{len(state)} of {self.at_least} events"

    def describe(self) -> str:
        """Such as ``5 events within 10m``."""
        return f"{self.at_least} events within {span(self.within_us)}"

    def canonical(self) -> Plain:
        """All of it."""
        return ["event_count", self.at_least, self.within_us]
