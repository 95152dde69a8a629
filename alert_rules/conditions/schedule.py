"""The sighting was captured on these days, between these times, in a time zone."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from alert_rules.facts import Facts
from alert_rules.finding import Finding, Truth
from alert_rules.weekdays import DAYS, TIME_ZONE, clock

SITE = "site"
"""In the place of a time zone: the site's own."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """``schedule: {days: [mon, tue], from: "22:00", to: "06:00", time_zone: Europe/Berlin}``.

    A span over midnight belongs to the day on which it starts: days [fri], 22:00 to 06:00 ends on Saturday morning.
    Daylight saving follows the time zone.

    Attributes:
        days: weekdays, Monday is 0.
        start_min: first minute of the day.
        end_min: minute that no longer counts; equal to `start_min` for the whole day.
        zone: IANA time zone; `SITE` for the site's own, as the sighting tells it.
        except_dates: ISO dates (holidays) on which no span starts; those without a year are meant every year.
    """

    days: frozenset[int]
    start_min: int
    end_min: int
    zone: str = "UTC"
    except_dates: frozenset[str] = frozenset()

    def holds(self, facts: Facts) -> Truth:
        """Whether the capture lies in a span; unknown where the site's time zone is."""
        local = self._local(facts)
        if local is None:
            return None
        weekday, minute, day = local
        if self.start_min < self.end_min:
            return self.start_min <= minute < self.end_min and self.starts_on(weekday, day)
        if minute >= self.start_min and self.starts_on(weekday, day):
            return True
        if minute < self.end_min:
            before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
            return self.starts_on((weekday - 1) % 7, before)
        return False

    def explain(self, facts: Facts) -> Finding:
        """The local time that it saw."""
        local = self._local(facts)
        if local is None:
            observed = "time zone of the site unknown"
        else:
            weekday, minute, day = local
            observed = f"{DAYS[weekday]} {day} {clock(minute)} {self._zone_of(facts)}"
        return Finding(self.holds(facts), "captured_at", "in schedule", self._expected(), observed)

    def canonical(self) -> Any:
        """Order means nothing."""
        return ["schedule", sorted(self.days), self.start_min, self.end_min, self.zone, sorted(self.except_dates)]

    def starts_on(self, weekday: int, day: str) -> bool:
        """Whether a span starts on a day, given as ISO date."""
        return weekday in self.days and day not in self.except_dates and day[5:] not in self.except_dates

    def _zone_of(self, facts: Facts) -> str | None:
        return facts.sighting.extras.get(TIME_ZONE) if self.zone == SITE else self.zone

    def _local(self, facts: Facts) -> tuple[int, int, str] | None:
        zone = self._zone_of(facts)
        if zone is None:
            return None
        try:
            return facts.local_time(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # what a producer wrote may be anything
            return None

    def _expected(self) -> str:
        days = "every day" if len(self.days) == len(DAYS) else ", ".join(DAYS[day] for day in sorted(self.days))
        return f"{days} {clock(self.start_min)} to {clock(self.end_min)}"
