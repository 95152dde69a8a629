"""spike: many more, or many fewer, events than in the time span before (ElastAlert's spike).

Two windows of equal length touch: the current one and the one before it. Events are counted in slices of a sixtieth of
the span, so a group costs the same whatever its traffic; the windows are exact to one slice.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.operator import MAX_MENTIONS, Firing, Result
from schemas.clock import to_iso
from schemas.events import ConditionProof

SLICES = 60
UP, DOWN, BOTH = "up", "down", "both"


@dataclass(frozen=True, slots=True)
class Traffic:
    """The counts of a group.

    Attributes:
        began: slice of its first event.
        closed: last slice that was looked at when it was over.
        counts: slice to number of events, oldest first; slices without are not there.
        spiking: the direction of the spike that is on; empty for none.
        mentions: the latest events.
        last: the latest event.
    """

    began: int = 0
    closed: int = 0
    counts: tuple[tuple[int, int], ...] = ()
    spiking: str = ""
    mentions: tuple[Mention, ...] = ()
    last: Seen | None = None


@dataclass(frozen=True, slots=True)
class Spike:
    """Fires once when a spike begins.

    Attributes:
        height: up: current >= height x before. down: current <= before / height.
        direction: ``up``, ``down`` or ``both``.
        min_current: fewer events now are no spike up.
        min_baseline: fewer events before say nothing.
    """

    within_us: int
    height: float
    direction: str = UP
    min_current: int = 1
    min_baseline: int = 1

    @property
    def slice_us(self) -> int:
        """Length of a slice."""
        return max(1, self.within_us // SLICES)

    def start(self) -> Traffic:
        """No events."""
        return Traffic()

    def on_event(self, state: Traffic, event: Seen) -> tuple[Traffic, Iterable[Result]]:
        """Count it, and look for a spike up."""
        now = event.at_us // self.slice_us
        if state.last is None:
            state = Traffic(began=now, closed=now - 1)
        counts = dict(state.counts)
        counts[now] = counts.get(now, 0) + 1
        state = Traffic(
            state.began,
            state.closed,
            tuple((slice_, count) for slice_, count in counts.items() if slice_ > now - 2 * SLICES),
            state.spiking,
            (*state.mentions, event.mention)[-MAX_MENTIONS:],
            event,
        )
        return self._look(state, now, event.at_us, on_time=False)

    def on_time(self, state: Traffic, now_us: int) -> tuple[Traffic, Iterable[Result]]:
        """A slice is over: look for a spike down."""
        now = now_us // self.slice_us
        closed = Traffic(state.began, now, state.counts, state.spiking, state.mentions, state.last)
        return self._look(closed, now, now_us, on_time=True)

    def next_timer_us(self, state: Traffic) -> int | None:
        """The end of each slice, as long as a spike down is looked for and something was there."""
        if self.direction == UP or state.last is None:
            return None
        if state.closed >= state.counts[-1][0] + 2 * SLICES:
            return None
        return (state.closed + 2) * self.slice_us - 1

    def keep_until_us(self, state: Traffic) -> int | None:
        """Until the last event has left both windows."""
        if state.last is None:
            return None
        return (state.counts[-1][0] + 2 * SLICES + 1) * self.slice_us

    def _look(self, state: Traffic, now: int, now_us: int, *, on_time: bool) -> tuple[Traffic, Iterable[Result]]:
        current = sum(count for slice_, count in state.counts if now - SLICES < slice_ <= now)
        before = sum(count for slice_, count in state.counts if now - 2 * SLICES < slice_ <= now - SLICES)
        known = now - 2 * SLICES >= state.began - 1 and before >= self.min_baseline
        spiking = ""
        if known and self.direction != DOWN and current >= max(before * self.height, self.min_current):
            spiking = UP
        elif known and self.direction != UP and on_time and current * self.height <= before:
            spiking = DOWN
        elif state.spiking == DOWN and not on_time and current * self.height <= before:
            spiking = DOWN  # still low: events alone do not end it
        after = Traffic(state.began, state.closed, state.counts, spiking, state.mentions, state.last)
        if not spiking or spiking == state.spiking:
            return after, ()
        ratio = current / before
        observed = f"{current} against {before} before, ratio {ratio:.3g}"
        proof = ConditionProof("spike", spiking, self.describe(), observed)
        values = {"count": current, "baseline": before, "ratio": ratio, "first_at": now_us - self.within_us}
        trigger = f"{spiking}:{to_iso(now_us)}" if on_time or state.last is None else state.last.event_id
        fired = Firing(now_us, trigger, state.last, state.mentions, (proof,), values, on_time, count=current)
        return after, (fired,)

    def dump(self, state: Traffic) -> Plain:
        """Lists."""
        if state.last is None:
            return None
        counts, mentions = [list(pair) for pair in state.counts], [list(mention) for mention in state.mentions]
        return [state.began, state.closed, counts, state.spiking, mentions, state.last.encode()]

    def load(self, plain: Plain) -> Traffic:
        """From lists."""
        if plain is None:
            return Traffic()
        began, closed, counts, spiking, mentions, last = plain
        pairs = tuple((slice_, count) for slice_, count in counts)
        return Traffic(began, closed, pairs, spiking, tuple(Mention(*each) for each in mentions), Seen.decode(last))

    def words(self, state: Traffic) -> str:
        """What was counted."""
        return f"{sum(count for _, count in state.counts)} events in both windows" + (
            f", spiking {state.spiking}" if state.spiking else ""
        )

    def describe(self) -> str:
        """Such as ``3 times as many events as in the 1h before``."""
        few = {UP: "as many", DOWN: "as few", BOTH: "as many or as few"}[self.direction]
        return f"{self.height:g} times {few} events as in the {span(self.within_us)} before"

    def canonical(self) -> Plain:
        """All of it."""
        return ["spike", self.within_us, self.height, self.direction, self.min_current, self.min_baseline]
