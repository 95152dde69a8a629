"""expected: a plate that comes every day, and did not (a bus, a guard, a delivery)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from alert_rules.conditions.schedule import Schedule
from alert_rules.correlations.event import Plain, Seen
from alert_rules.correlations.operator import FOREVER_US, Firing, Result
from schemas.clock import from_datetime, to_datetime, to_iso
from schemas.events import ConditionProof

MAX_DAYS = 400
"""How far ahead the next time is looked for: a schedule that knows none by then knows none."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The time in which a plate is expected next.

    Attributes:
        start_us, end_us: of it; 0 where there is none any more.
        has_come: it was seen within.
        last: when it was seen last, if ever.
    """

    start_us: int = 0
    end_us: int = 0
    has_come: bool = False
    last: Seen | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """Fires at the end of each span of the schedule in which the plate was not seen.

    Spans that began before the rule took effect do not count.

    Attributes:
        plates: each is a group.
        schedule: when they are expected.
    """

    plates: tuple[str, ...]
    schedule: Schedule

    def start(self) -> Waiting:
        """Nothing is expected: only listed plates are groups, and those are seeded."""
        return Waiting()

    def seeds(self) -> tuple[str, ...]:
        """The plates."""
        return self.plates

    def seed(self, group: str, now_us: int) -> Waiting:  # noqa: ARG002 - all alike
        """Expected from now on."""
        return self._next(now_us, None)

    def on_event(self, state: Waiting, event: Seen) -> tuple[Waiting, Iterable[Result]]:
        """It is there."""
        in_time = state.start_us <= event.at_us <= state.end_us
        return replace(state, has_come=state.has_come or in_time, last=event), ()

    def on_time(self, state: Waiting, now_us: int) -> tuple[Waiting, Iterable[Result]]:
        """The span is over."""
        following = self._next(now_us, state.last)
        if state.has_come:
            return following, ()
        seen = f"last seen at {to_iso(state.last.at_us)}" if state.last else "never seen"
        between = f"{to_iso(state.start_us)} to {to_iso(state.end_us)}"
        proof = ConditionProof("expected", "between", between, seen)
        mentions = (state.last.mention,) if state.last else ()
        values = {"due_at": state.end_us, "count": 0}
        trigger = f"expected:{to_iso(state.start_us)}"
        return following, (Firing(now_us, trigger, state.last, mentions, (proof,), values, on_time=True),)

    def next_timer_us(self, state: Waiting) -> int | None:
        """The end of the span."""
        return state.end_us or None

    def keep_until_us(self, state: Waiting) -> int | None:
        """For ever."""
        return FOREVER_US if state.end_us else None

    def _next(self, after_us: int, last: Seen | None) -> Waiting:
        for start_us, end_us in spans(self.schedule, after_us):
            if start_us >= after_us:
                return Waiting(start_us, end_us, False, last)
        return Waiting(last=last)

    def dump(self, state: Waiting) -> Plain:
        """Lists."""
        return [state.start_us, state.end_us, state.has_come, None if state.last is None else state.last.encode()]

    def load(self, plain: Plain) -> Waiting:
        """From lists."""
        start_us, end_us, has_come, last = plain
        return Waiting(start_us, end_us, has_come, None if last is None else Seen.decode(last))

    def words(self, state: Waiting) -> str:
        """When it is expected."""
        if not state.end_us:
            return "not expected any more"
        return f"expected by {to_iso(state.end_us)}" + (", has come" if state.has_come else "")

    def describe(self) -> str:
        """Such as ``3 plates by schedule``."""
        return f"{len(self.plates)} plates at the times of the schedule"

    def canonical(self) -> Plain:
        """All of it."""
        return ["expected", sorted(self.plates), self.schedule.canonical()]


def spans(schedule: Schedule, after_us: int) -> Iterator[tuple[int, int]]:
    """The spans of a schedule in order, from the day before a time on; daylight saving follows the zone."""
    zone = ZoneInfo(schedule.zone)
    first = to_datetime(after_us).astimezone(zone).date() - timedelta(days=1)
    for ahead in range(MAX_DAYS):
        day = first + timedelta(days=ahead)
        if not schedule.starts_on(day.weekday(), day.isoformat()):
            continue
        overnight = schedule.end_min <= schedule.start_min
        last = day + timedelta(days=1) if overnight else day
        yield _moment(day, schedule.start_min, zone), _moment(last, schedule.end_min, zone)


def _moment(day: date, minute: int, zone: ZoneInfo) -> int:
    return from_datetime(datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone))
