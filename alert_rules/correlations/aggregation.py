"""metric_aggregation and percentage_match: a number over the latest events (ElastAlert's rules of that name).

The number is looked at with each event; an alert is raised when it comes into the bounds, and the next one not before
it has left them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean, median

from alert_rules.correlations.bound import Bound, span
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.operator import Firing, Lost, Result, Timeless, shorten
from alert_rules.correlations.values import number, path_of
from alert_rules.fields import Field
from schemas.events import ConditionProof

MAX_WINDOW = 2_000
"""Events of a window; with more, the oldest does not count any longer, and is counted as lost."""
HIT, MISS = 0, 1
"""Tags of percentage_match: the condition held, or it did not; where it is unknown an event does not count."""
AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "avg": fmean,
    "min": min,
    "max": max,
    "sum": sum,
    "median": median,
}
PERCENTILE = "percentile"


@dataclass(frozen=True, slots=True)
class Numbers:
    """The window.

    Attributes:
        within: the number was within the bounds when it was looked at last.
        events: with their numbers, oldest first.
    """

    within: bool = False
    events: tuple[tuple[Mention, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Aggregation(Timeless):
    """See the module.

    Attributes:
        aggregate: a key of `AGGREGATES`, or ``percentile``.
        bound: when it is an alert.
        field: whose numbers; None: the percentage of events that have the tag `HIT`.
        percentile: nearest rank, 0 to 100.
        min_events: fewer say nothing.
    """

    aggregate: str
    bound: Bound
    within_us: int
    field: Field | None = None
    percentile: float = 0.0
    min_events: int = 1

    def start(self) -> Numbers:
        """No events."""
        return Numbers()

    def on_event(self, state: Numbers, event: Seen) -> tuple[Numbers, Iterable[Result]]:
        """Add the event's number, let old ones go, and look."""
        value = self._value(event)
        if value is None:
            return state, ()
        events = [pair for pair in state.events if event.at_us - pair[0].at_us <= self.within_us]
        events.append((event.mention, value))
        results: list[Result] = []
        if len(events) > MAX_WINDOW:
            events.pop(0)
            results.append(Lost("window"))
        if len(events) < self.min_events:
            return Numbers(False, tuple(events)), results
        total = self._total([each for _, each in events])
        within = self.bound.holds(total)
        if within and not state.within:
            results.append(self._fire(event, events, total))
        return Numbers(within, tuple(events)), results

    def _value(self, event: Seen) -> float | None:
        if self.field is not None:
            return number(self.field, event.sighting)
        return 100.0 if HIT in event.tags else 0.0

    def _total(self, values: list[float]) -> float:
        if self.aggregate == PERCENTILE:
            return sorted(values)[max(0, ceil(len(values) * self.percentile / 100) - 1)]
        return float(AGGREGATES[self.aggregate](values))

    def _fire(self, event: Seen, events: list[tuple[Mention, float]], total: float) -> Firing:
        mentions = [mention for mention, _ in events]
        observed = f"{total:.6g}{'' if self.field else ' %'} over {len(events)} events"
        proof = ConditionProof(self._name(), self.bound.words(), self.describe(), observed)
        values = {"value": total, "share": total, "count": len(events), "first_at": mentions[0].at_us}
        return Firing(event.at_us, event.event_id, event, shorten(mentions), (proof,), values, count=len(events))

    def keep_until_us(self, state: Numbers) -> int | None:
        """Until the last event has left the window."""
        return state.events[-1][0].at_us + self.within_us if state.events else None

    def dump(self, state: Numbers) -> Plain:
        """Lists."""
        return [state.within, [[*mention, value] for mention, value in state.events]]

    def load(self, plain: Plain) -> Numbers:
        """From lists."""
        return Numbers(plain[0], tuple((Mention(at, event_id), value) for at, event_id, value in plain[1]))

    def words(self, state: Numbers) -> str:
        """The number as it was last."""
        if not state.events:
            return "no events"
        return f"{self._total([value for _, value in state.events]):.6g} over {len(state.events)} events"

    def describe(self) -> str:
        """Such as ``avg of reads < 2 within 1h``."""
        return f"{self._name()} {self.bound.words()} within {span(self.within_us)}"

    def _name(self) -> str:
        if self.field is None:
            return "percentage"
        what = f"percentile {self.percentile:g}" if self.aggregate == PERCENTILE else self.aggregate
        return f"{what} of {self.field.name}"

    def canonical(self) -> Plain:
        """All of it."""
        field = path_of(self.field) if self.field is not None else None
        bounds = [list(part) for part in self.bound.parts]
        return ["aggregation", self.aggregate, bounds, self.within_us, field, self.percentile, self.min_events]
