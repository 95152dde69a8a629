"""flatline: fewer events than there must be (ElastAlert's flatline); with a threshold of one: silence."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.operator import FOREVER_US, Firing, Result, shorten
from schemas.clock import MICROS_PER_S, to_iso
from schemas.events import ConditionProof

MAX_THRESHOLD = 1_000
KEEP_US = 31 * 86_400 * MICROS_PER_S
"""How long it is known that a group is low after its last event."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """The events of a group.

    Attributes:
        since_us: when it began to be watched; None: it is not.
        mentions: the latest events, as many as the threshold.
        is_low: the alert has been raised, and enough events have not come since.
        last: the latest event; None for an expected group that never was seen.
    """

    since_us: int | None = None
    mentions: tuple[Mention, ...] = ()
    is_low: bool = False
    last: Seen | None = None


@dataclass(frozen=True, slots=True)
class Flatline:
    """Fires when fewer than `threshold` events have come within the time span, and not again before enough came.

    A group is watched from its first event on; those of `expected` from the time on at which the rule took effect.
    """

    threshold: int
    within_us: int
    expected: tuple[str, ...] = ()

    def start(self) -> Pulse:
        """Not watched."""
        return Pulse()

    def seeds(self) -> tuple[str, ...]:
        """Groups that are watched without an event."""
        return self.expected

    def seed(self, group: str, now_us: int) -> Pulse:  # noqa: ARG002 - all alike
        """Watched from now on."""
        return Pulse(since_us=now_us)

    def on_event(self, state: Pulse, event: Seen) -> tuple[Pulse, Iterable[Result]]:
        """Count it; enough of them end the silence."""
        mentions = (*state.mentions, event.mention)[-self.threshold :]
        enough = len(mentions) == self.threshold and event.at_us - mentions[0].at_us < self.within_us
        since_us = event.at_us if state.since_us is None else state.since_us
        return Pulse(since_us, mentions, state.is_low and not enough, event), ()

    def on_time(self, state: Pulse, now_us: int) -> tuple[Pulse, Iterable[Result]]:
        """Too few have come."""
        assert state.since_us is not None
        recent = [mention for mention in state.mentions if mention.at_us > now_us - self.within_us]
        last_us = state.mentions[-1].at_us if state.mentions else state.since_us
        observed = f"{len(recent)}, the last at {to_iso(last_us)}" if state.mentions else "none ever"
        proof = ConditionProof("flatline", "<", self.describe(), observed)
        values = {"count": len(recent), "first_at": last_us, "duration": span(now_us - last_us)}
        trigger = f"silence:{to_iso(now_us)}"
        fired = Firing(now_us, trigger, state.last, shorten(state.mentions), (proof,), values, on_time=True)
        return replace(state, is_low=True), (fired,)

    def next_timer_us(self, state: Pulse) -> int | None:
        """When the event that makes them enough leaves the window."""
        if state.since_us is None or state.is_low:
            return None
        if len(state.mentions) < self.threshold:
            return state.since_us + self.within_us
        return max(state.mentions[0].at_us, state.since_us) + self.within_us

    def keep_until_us(self, state: Pulse) -> int | None:
        """An expected group for ever, another one while it is watched."""
        if state.since_us is None:
            return None
        if self.expected:
            return FOREVER_US
        if not state.is_low:
            return self.next_timer_us(state)
        return None if self.threshold == 1 else state.mentions[-1].at_us + max(KEEP_US, self.within_us)

    def dump(self, state: Pulse) -> Plain:
        """Lists."""
        mentions = [list(mention) for mention in state.mentions]
        return [state.since_us, mentions, state.is_low, None if state.last is None else state.last.encode()]

    def load(self, plain: Plain) -> Pulse:
        """From lists."""
        since_us, mentions, is_low, last = plain
        seen = None if last is None else Seen.decode(last)
        return Pulse(since_us, tuple(Mention(*each) for each in mentions), is_low, seen)

    def words(self, state: Pulse) -> str:
        """Since when, and whether it is low."""
        if state.since_us is None:
            return "not watched"
        last = to_iso(state.mentions[-1].at_us) if state.mentions else "never"
        return f"last event {last}" + (", low" if state.is_low else "")

    def describe(self) -> str:
        """Such as ``fewer than 1 events within 10m``."""
        return f"fewer than {self.threshold} events within {span(self.within_us)}"

    def canonical(self) -> Plain:
        """All of it."""
        return ["flatline", self.threshold, self.within_us, list(self.expected)]
