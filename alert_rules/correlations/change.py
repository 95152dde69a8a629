"""change: a field is not what it was (ElastAlert's change): a plate on a car of another colour."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.operator import Firing, Result, Timeless
from alert_rules.correlations.values import comparable, path_of
from alert_rules.fields import Field
from schemas.events import ConditionProof

Last = tuple[str, Mention] | None
"""The value that was seen last, and with which event."""


@dataclass(frozen=True, slots=True)
class Change(Timeless):
    """Fires when the value differs from the one before. What is unknown changes nothing.

    Attributes:
        field: whose value.
        within_us: an older value is not compared with.
    """

    field: Field
    within_us: int

    def start(self) -> Last:
        """Nothing seen."""
        return None

    def on_event(self, state: Last, event: Seen) -> tuple[Last, Iterable[Result]]:
        """Compare, then remember."""
        value = comparable(self.field, event.sighting)
        if value is None:
            return state, ()
        after = (value, event.mention)
        if state is None or state[0] == value or event.at_us - state[1].at_us > self.within_us:
            return after, ()
        previous, mention = state
        took = span(event.at_us - mention.at_us)
        proof = ConditionProof(self.field.name, "changed", self.describe(), f"{previous} to {value} in {took}")
        values = {"value": value, "previous": previous, "duration": took, "first_at": mention.at_us}
        return after, (Firing(event.at_us, event.event_id, event, (mention, event.mention), (proof,), values),)

    def keep_until_us(self, state: Last) -> int | None:
        """Until the value is too old."""
        return None if state is None else state[1].at_us + self.within_us

    def dump(self, state: Last) -> Plain:
        """A list."""
        return None if state is None else [state[0], *state[1]]

    def load(self, plain: Plain) -> Last:
        """From a list."""
        return None if plain is None else (plain[0], Mention(plain[1], plain[2]))

    def words(self, state: Last) -> str:
        """The last value."""
        return "nothing seen" if state is None else f"last {self.field.name}: {state[0]}"

    def describe(self) -> str:
        """Such as ``another vehicle_color within 1d``."""
        return f"another {self.field.name} within {span(self.within_us)}"

    def canonical(self) -> Plain:
        """All of it."""
        return ["change", path_of(self.field), self.within_us]
