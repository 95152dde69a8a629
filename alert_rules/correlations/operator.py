"""What a correlation's operator is: a state machine over the events of one group, values in, values out.

The same shape as bytewax's stateful logic (https://docs.bytewax.io, "stateful operators") with Flink's timers: an
operator never looks at a clock and does no I/O; its state is a value that goes through plain lists into a table.

The driver's promises to an operator:

- events come in order of (time, event id), each id once;
- a timer is called before any later event, and after the events of its own instant: what must happen "within t" may
  happen at exactly t;
- between two calls nothing else changes the state.

The operator's promises: it is a function of its arguments; a state stays within a bound whatever comes, and says by
which policy (`MAX_...` of its module), counting what that costs in `Firing`s that would not be otherwise exact.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from alert_rules.correlations.event import Mention, Plain, Seen
from schemas.events import ConditionProof

FOREVER_US = 1 << 62
"""A state that must never be dropped is kept until then."""
MAX_MENTIONS = 20
"""Events that a proof names: the first ones and the trigger. Their number is told besides."""
State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Firing:
    """A reason for an alert.

    Attributes:
        at_us: event time at which it was true.
        trigger: makes the alert's id, with rule and group: the trigger's event id, or the begin of a window.
        event: whose fields the alert shows; None where nothing was ever seen.
        mentions: the events that made it, in order.
        conditions: the numbers, for the proof.
        values: the same for messages, by name.
        on_time: fired by time and not by an event: its freshness counts from `at_us`.
        count: how many events made it, where more than `mentions` did.
    """

    at_us: int
    trigger: str
    event: Seen | None
    mentions: tuple[Mention, ...]
    conditions: tuple[ConditionProof, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    on_time: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Emit:
    """An event for the rule's next operator, under another group."""

    group: str
    event: Seen


@dataclass(frozen=True, slots=True)
class Lost:
    """Something did not count because a bound was reached; it is counted under a name.

    Attributes:
        what: one or two words, as a label: ``runs``, ``plates``, ``pairs``.
    """

    what: str
    number: int = 1


Result = Firing | Emit | Lost


class Operator(Protocol[State]):
    """See the module. `State` is a frozen value; `start` is the state of a group that nothing is known of."""

    def start(self) -> State:
        """A group before its first event."""

    def on_event(self, state: State, event: Seen) -> tuple[State, Iterable[Result]]:
        """An event, in order."""

    def on_time(self, state: State, now_us: int) -> tuple[State, Iterable[Result]]:
        """A timer that was asked for is due; afterwards `next_timer_us` must be later, or None."""

    def next_timer_us(self, state: State) -> int | None:
        """When `on_time` must be called at the latest."""

    def keep_until_us(self, state: State) -> int | None:
        """From when on (exclusive) the state means no more than `start()`; None where it is that already."""

    def dump(self, state: State) -> Plain:
        """The state in plain values."""

    def load(self, plain: Plain) -> State:
        """The state from plain values."""

    def words(self, state: State) -> str:
        """The state for people."""

    def describe(self) -> str:
        """What is looked for, for people: ``5 events within 10m``."""

    def canonical(self) -> Plain:
        """The meaning in plain values, for the rule's version."""


class Timeless:
    """The part of an operator that has no timers."""

    def on_time(self, state: State, now_us: int) -> tuple[State, Iterable[Result]]:  # noqa: ARG002 - nothing is due
        """Nothing happens by time alone."""
        return state, ()

    def next_timer_us(self, state: State) -> int | None:  # noqa: ARG002 - whatever the state
        """None."""
        return None


class Seeded(Protocol):
    """An operator with groups that are expected."""

    def seeds(self) -> tuple[str, ...]:
        """Groups that exist without an event."""

    def seed(self, group: str, now_us: int) -> Any:
        """State of such a group at the time at which the rule took effect."""


def shorten(mentions: Iterable[Mention]) -> tuple[Mention, ...]:
    """The first mentions and the last, as many as a proof names."""
    known = tuple(mentions)
    return known if len(known) <= MAX_MENTIONS else (*known[: MAX_MENTIONS - 1], known[-1])
