"""new_term: a value that the group has not had for a long time (ElastAlert's new_term)."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Plain, Seen
from alert_rules.correlations.operator import Firing, Lost, Result, Timeless
from alert_rules.correlations.values import comparable, path_of
from alert_rules.fields import Field
from schemas.events import ConditionProof

MAX_TERMS = 2_000
"""Values that a group remembers; with more, the one that was seen longest ago is forgotten, and counted as lost."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a group has had.

    Attributes:
        began_us: when its history began.
        seen: value to the time at which it was seen last.
    """

    began_us: int = 0
    seen: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class NewTerm(Timeless):
    """Fires when a value comes that was not there within the time span. A group's first value is never new.

    Attributes:
        field: whose values; an event without one does not count.
        within_us: a value that was not seen for longer is new again.
        learn_us: nothing is new before the group has a history of that length.
    """

    field: Field
    within_us: int
    learn_us: int = 0

    def start(self) -> Terms:
        """No history."""
        return Terms()

    def on_event(self, state: Terms, event: Seen) -> tuple[Terms, Iterable[Result]]:
        """Look the value up, then remember it."""
        value = comparable(self.field, event.sighting)
        if value is None:
            return state, ()
        seen = {term: at for term, at in state.seen if event.at_us - at <= self.within_us}
        began_us = state.began_us if seen else event.at_us
        is_new = bool(seen) and value not in seen and event.at_us - began_us >= self.learn_us
        known = len(seen)
        seen.pop(value, None)
        seen[value] = event.at_us
        results: list[Result] = []
        if is_new:
            proof = ConditionProof(self.field.name, "new", self.describe(), f"{value}; {known} known")
            values = {"value": value, "count": known}
            results.append(Firing(event.at_us, event.event_id, event, (event.mention,), (proof,), values))
        if len(seen) > MAX_TERMS:
            seen.pop(next(iter(seen)))
            results.append(Lost("terms"))
        return Terms(began_us, tuple(seen.items())), results

    def keep_until_us(self, state: Terms) -> int | None:
        """Until the last value is forgotten."""
        return state.seen[-1][1] + self.within_us if state.seen else None

    def dump(self, state: Terms) -> Plain:
        """Lists."""
        return [state.began_us, [list(pair) for pair in state.seen]]

    def load(self, plain: Plain) -> Terms:
        """From lists."""
        return Terms(plain[0], tuple((value, at) for value, at in plain[1]))

    def words(self, state: Terms) -> str:
        """How much is known."""
        return f"{len(state.seen)} values known"

    def describe(self) -> str:
        """Such as ``a camera_id not seen for 30d``."""
        return f"a {self.field.name} not seen for {span(self.within_us)}"

    def canonical(self) -> Plain:
        """All of it."""
        return ["new_term", path_of(self.field), self.within_us, self.learn_us]
