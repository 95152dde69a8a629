"""occupancy: more vehicles inside than there may be."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.bound import Bound
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.operator import Firing, Lost, Result, Timeless, shorten
from schemas.events import ConditionProof

ENTRY, EXIT = 0, 1
"""Tags: the event is an entry, an exit."""
MAX_INSIDE = 5_000
"""Vehicles inside; with more, the one that came first does not count any longer, and is counted as lost."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Who is inside.

    Attributes:
        is_over: the number was within the bounds when it was looked at last.
        plates: match key to the entry, oldest first.
    """

    is_over: bool = False
    plates: tuple[tuple[str, Mention], ...] = ()


@dataclass(frozen=True, slots=True)
class Occupancy(Timeless):
    """Fires when the number of vehicles inside comes into the bounds, and not again before it has left them.

    An exit that fits nobody inside takes the one whose plate differs in one character, where there is exactly one: a
    misread does not leave a vehicle inside. Whoever has been inside for longer than `stay_us` was missed going out.
    """

    bound: Bound
    stay_us: int

    def start(self) -> Inside:
        """Nobody."""
        return Inside()

    def on_event(self, state: Inside, event: Seen) -> tuple[Inside, Iterable[Result]]:
        """Somebody comes or goes."""
        inside = {key: entry for key, entry in state.plates if event.at_us - entry.at_us <= self.stay_us}
        key = event.sighting.match_key
        if EXIT in event.tags:
            gone = key if key in inside else _misread(key, inside)
            if gone is not None:
                del inside[gone]
        elif ENTRY in event.tags:
            inside.pop(key, None)
            inside[key] = event.mention
        results: list[Result] = []
        if len(inside) > MAX_INSIDE:
            inside.pop(next(iter(inside)))
            results.append(Lost("plates"))
        is_over = self.bound.holds(len(inside))
        if is_over and not state.is_over:
            mentions = tuple(inside.values())
            proof = ConditionProof("occupancy", self.bound.words(), self.describe(), f"{len(inside)} inside")
            values = {"count": len(inside), "first_at": mentions[0].at_us if mentions else event.at_us}
            shown = shorten(mentions) or (event.mention,)
            results.append(
                Firing(event.at_us, event.event_id, event, shown, (proof,), values, count=max(1, len(inside)))
            )
        return Inside(is_over, tuple(inside.items())), results

    def keep_until_us(self, state: Inside) -> int | None:
        """Until the last one must have gone."""
        return state.plates[-1][1].at_us + self.stay_us if state.plates else None

    def dump(self, state: Inside) -> Plain:
        """Lists."""
        return [state.is_over, [[key, *entry] for key, entry in state.plates]]

    def load(self, plain: Plain) -> Inside:
        """From lists."""
        return Inside(plain[0], tuple((key, Mention(at, event_id)) for key, at, event_id in plain[1]))

    def words(self, state: Inside) -> str:
        """How many."""
        return f"{len(state.plates)} inside"

    def describe(self) -> str:
        """Such as ``vehicles inside > 40``."""
        return f"vehicles inside {self.bound.words()}"

    def canonical(self) -> Plain:
        """All of it."""
        return ["occupancy", [list(part) for part in self.bound.parts], self.stay_us]


def _misread(key: str, inside: Iterable[str]) -> str | None:
    near = [
        each for each in inside if len(each) == len(key) and sum(a != b for a, b in zip(each, key, strict=True)) == 1
    ]
    return near[0] if len(near) == 1 else None
