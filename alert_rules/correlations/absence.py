"""absence: something began and its end did not come in time (entered and did not leave; seen at A and not at B)."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Plain, Seen
from alert_rules.correlations.operator import Firing, Result
from schemas.events import ConditionProof

BEGIN, END = 0, 1
"""Tags: the event begins what must end; it ends it."""
Waiting = Seen | None
"""The event whose end is waited for."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Fires when `within_us` has passed since a begin and no end has come. A second begin changes nothing.

    An event that is both ends what went before and begins anew.

    Attributes:
        name: as the rule calls it: ``absence`` or ``overstay``.
    """

    within_us: int
    name: str = "absence"

    def start(self) -> Waiting:
        """Nothing is waited for."""
        return None

    def on_event(self, state: Waiting, event: Seen) -> tuple[Waiting, Iterable[Result]]:
        """An end settles it; a begin starts the time where none is running."""
        if END in event.tags:
            state = None
        if BEGIN in event.tags and state is None:
            state = event
        return state, ()

    def on_time(self, state: Waiting, now_us: int) -> tuple[Waiting, Iterable[Result]]:
        """The time is over."""
        assert state is not None
        proof = ConditionProof(self.name, "not within", span(self.within_us), "nothing came")
        values = {"first_at": state.at_us, "duration": span(self.within_us), "count": 1}
        fired = Firing(now_us, state.event_id, state, (state.mention,), (proof,), values, on_time=True)
        return None, (fired,)

    def next_timer_us(self, state: Waiting) -> int | None:
        """The end of the time."""
        return None if state is None else state.at_us + self.within_us

    def keep_until_us(self, state: Waiting) -> int | None:
        """The timer ends it."""
        return self.next_timer_us(state)

    def dump(self, state: Waiting) -> Plain:
        """The event."""
        return None if state is None else state.encode()

    def load(self, plain: Plain) -> Waiting:
        """The event."""
        return None if plain is None else Seen.decode(plain)

    def words(self, state: Waiting) -> str:
        """What is waited for."""
        return "nothing is waited for" if state is None else f"waits since {state.event_id}"

    def describe(self) -> str:
        """Such as ``a begin and no end within 2h``."""
        return f"a begin and no end within {span(self.within_us)}"

    def canonical(self) -> Plain:
        """All of it."""
        return [self.name, self.within_us]
