"""Suppression of a correlation's alerts, in event time; with ``realert: exponential`` it grows while matches go on.

Events of a group are processed in order, so unlike `alert_rules.memory.Quiet` the latest alert is all there is to know.
The exponential form follows ElastAlert 2's ``exponential_realert``: an alert that comes soon after the silence before
it has ended doubles the next silence, up to a bound; each silence's worth of rest halves it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from alert_rules.correlations.event import Plain

MAX_KEYS = 200
"""Keys of ``suppress.by`` that a group remembers; the one that fired longest ago goes first."""


@dataclass(frozen=True, slots=True)
class Silence:
    """When a key alerted last.

    Attributes:
        fired_us: event time of the alert.
        doublings: of the silence after it.
        held_back: firings since.
    """

    fired_us: int
    doublings: int = 0
    held_back: int = 0


@dataclass(frozen=True, slots=True)
class Realert:
    """How long a key is silent after an alert.

    Attributes:
        for_us: at first.
        max_us: at most, doubling up to it; None: always `for_us`.
    """

    for_us: int
    max_us: int | None = None

    def silence_us(self, doublings: int) -> int:
        """Length of a silence."""
        return self.for_us if self.max_us is None else min(self.for_us << doublings, max(self.for_us, self.max_us))

    def decide(self, before: Silence | None, at_us: int) -> tuple[Silence, int | None]:
        """Whether a firing is an alert.

        Returns:
            What is remembered then, and how many were held back before it; None where it is held back itself.
        """
        if before is None or at_us > self.over_us(before):
            return Silence(at_us), 0
        if at_us - before.fired_us < self.silence_us(before.doublings):
            return Silence(before.fired_us, before.doublings, before.held_back + 1), None
        return Silence(at_us, self.next_doublings(before, at_us)), before.held_back

    def next_doublings(self, before: Silence, at_us: int) -> int:
        """Doublings of the silence after an alert that comes when the one before it is over."""
        if at_us > self.over_us(before):
            return 0
        return self._doublings(before, at_us - before.fired_us - self.silence_us(before.doublings))

    def _doublings(self, before: Silence, rest_us: int) -> int:
        if self.max_us is None:
            return 0
        doublings, length = before.doublings, self.silence_us(before.doublings)
        if rest_us < length:
            return doublings + 1 if length < self.max_us else doublings
        while doublings > 0 and rest_us >= length:
            rest_us -= length
            doublings -= 1
            length = self.silence_us(doublings)
        return doublings

    def over_us(self, silence: Silence) -> int:
        """Up to when (inclusive) a silence means something: by then all its doublings would have been halved."""
        return silence.fired_us + 2 * sum(self.silence_us(n) for n in range(silence.doublings + 1))


def bounded(silences: Mapping[str, Silence]) -> dict[str, Silence]:
    """At most `MAX_KEYS` of them."""
    kept = sorted(silences.items(), key=lambda item: (item[1].fired_us, item[0]))[-MAX_KEYS:]
    return dict(sorted(kept))


def dump(silences: Mapping[str, Silence]) -> Plain:
    """In plain values."""
    return {key: [each.fired_us, each.doublings, each.held_back] for key, each in silences.items()}


def load(plain: Plain) -> dict[str, Silence]:
    """From plain values."""
    return {key: Silence(*each) for key, each in plain.items()}
