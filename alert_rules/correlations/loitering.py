"""loitering: somebody stays, or keeps coming back, longer than one does."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.operator import MAX_MENTIONS, Firing, Result, Timeless
from schemas.events import ConditionProof


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay that has begun.

    Attributes:
        until_us: last moment of it that was seen.
        count: sightings.
        mentions: the first of them.
        has_fired: it was told already.
    """

    until_us: int
    count: int
    mentions: tuple[Mention, ...]
    has_fired: bool = False


@dataclass(frozen=True, slots=True)
class Loitering(Timeless):
    """Fires once for a stay that lasts. A pause that is too long ends it; the next sighting begins another.

    Attributes:
        stay_us: from the first sighting on to the end of the last.
        pause_us: between two sightings, at most.
        min_events: sightings that it takes at least.
    """

    stay_us: int
    pause_us: int
    min_events: int = 2

    def start(self) -> Stay | None:
        """Nobody is there."""
        return None

    def on_event(self, state: Stay | None, event: Seen) -> tuple[Stay | None, Iterable[Result]]:
        """The stay goes on, or begins."""
        until_us = max(event.at_us, event.sighting.last_seen_at)
        if state is None or event.at_us - state.until_us > self.pause_us:
            stay = Stay(until_us, 1, (event.mention,))
        else:
            mentions = (*state.mentions, event.mention)[:MAX_MENTIONS]
            stay = Stay(max(until_us, state.until_us), state.count + 1, mentions, state.has_fired)
        lasted_us = stay.until_us - stay.mentions[0].at_us
        if stay.has_fired or lasted_us < self.stay_us or stay.count < self.min_events:
            return stay, ()
        mentions = (
            stay.mentions if event.mention in stay.mentions else (*stay.mentions[: MAX_MENTIONS - 1], event.mention)
        )
        proof = ConditionProof("stay", ">=", self.describe(), f"{span(lasted_us)}, {stay.count} sightings")
        values = {"duration": span(lasted_us), "count": stay.count, "first_at": stay.mentions[0].at_us}
        fired = Firing(event.at_us, event.event_id, event, mentions, (proof,), values, count=stay.count)
        return Stay(stay.until_us, stay.count, stay.mentions, has_fired=True), (fired,)

    def keep_until_us(self, state: Stay | None) -> int | None:
        """Until the pause is too long."""
        return None if state is None else state.until_us + self.pause_us

    def dump(self, state: Stay | None) -> Plain:
        """Lists."""
        if state is None:
            return None
        return [state.until_us, state.count, [list(mention) for mention in state.mentions], state.has_fired]

    def load(self, plain: Plain) -> Stay | None:
        """From lists."""
        if plain is None:
            return None
        until_us, count, mentions, has_fired = plain
        return Stay(until_us, count, tuple(Mention(*each) for each in mentions), has_fired)

    def words(self, state: Stay | None) -> str:
        """How long it lasts."""
        if state is None:
            return "nobody is there"
        return f"{state.count} sightings in {span(state.until_us - state.mentions[0].at_us)}"

    def describe(self) -> str:
        """Such as ``a stay of 20m, pauses up to 10m``."""
        return f"a stay of {span(self.stay_us)}, pauses up to {span(self.pause_us)}"

    def canonical(self) -> Plain:
        """All of it."""
        return ["loitering", self.stay_us, self.pause_us, self.min_events]
