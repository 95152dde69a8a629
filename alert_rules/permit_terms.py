"""On which terms a permit holds: its days, hours, time zone and quota, read from what an entry says."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alert_rules.errors import nearest, shown
from alert_rules.weekdays import DAY_MINUTES, DAYS, clock, days_of, minute_of
from schemas.clock import MICROS_PER_S
from schemas.events import WatchlistEntry

PERMIT, DENY = "permit", "deny"
PERIODS = ("day", "week")
MAX_QUOTA = 1_000
EVERY_DAY = frozenset(range(7))
_QUOTA = re.compile(r"(\d{1,6})\s*(?:/|per|a)\s*(\w+)")
_SEPARATORS = re.compile(r"[,;\s]+")
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Quota:
    """So many entries of a plate in a day, or in a week from Monday on.

    Attributes:
        per: one of `PERIODS`.
    """

    entries: int
    per: str


@dataclass(frozen=True, slots=True)
class Terms:
    """When a permit holds, and how often.

    Attributes:
        days: weekdays, Monday is 0.
        spans: first and past-the-end minute of the day; none: the whole day. One over midnight belongs to the day on
            which it begins.
        zone: IANA time zone; None for the site's own.
    """

    days: frozenset[int] = EVERY_DAY
    spans: tuple[tuple[int, int], ...] = ()
    zone: str | None = None
    quota: Quota | None = None

    @property
    def ask_for_time(self) -> bool:
        """Whether the local time matters."""
        return bool(self.spans or self.quota) or self.days != EVERY_DAY

    def closed(self, weekday: int, minute: int) -> str | None:
        """Why the permit does not hold at a local time; None where it does."""
        spans = self.spans or ((0, DAY_MINUTES),)
        if any(_is_open(self.days, span, weekday, minute) for span in spans):
            return None
        if weekday not in self.days:
            return f"wrong day: {DAYS[weekday]}, not {', '.join(DAYS[day] for day in sorted(self.days))}"
        return f"outside {', '.join(f'{clock(start)}-{clock(end)}' for start, end in self.spans)}: {clock(minute)}"


def _is_open(days: frozenset[int], span: tuple[int, int], weekday: int, minute: int) -> bool:
    start, end = span
    if start < end:
        return weekday in days and start <= minute < end
    return (weekday in days and minute >= start) or ((weekday - 1) % 7 in days and minute < end)


def terms_of(entry: WatchlistEntry) -> Terms:
    """The terms of an entry.

    Raises:
        ValueError: something in them cannot be read.
    """
    return read_terms(entry.days, entry.hours, entry.time_zone, entry.quota)


@lru_cache(maxsize=4096)
def read_terms(days: str | None, hours: str | None, zone: str | None, quota: str | None) -> Terms:
    """Terms as an entry says them.

    Raises:
        ValueError: something in them cannot be read.
    """
    return Terms(
        _days(days) if days is not None else EVERY_DAY,
        _spans(hours) if hours is not None else (),
        _zone(zone) if zone is not None else None,
        _quota(quota) if quota is not None else None,
    )


def _days(written: str) -> frozenset[int]:
    found: set[int] = set()
    for word in filter(None, _SEPARATORS.split(written)):
        days = days_of(word)
        if days is None:
            raise ValueError(f"{shown(word)} is no weekday{nearest(word, DAYS)}")
        found |= days
    if not found:
        raise ValueError("'days' names none")
    return frozenset(found)


def _spans(written: str) -> tuple[tuple[int, int], ...]:
    spans = []
    for word in filter(None, _SEPARATORS.split(re.sub(r"\s*-\s*", "-", written))):
        first, _, last = word.partition("-")
        start, end = minute_of(first), minute_of(last)
        if start is None or end is None or start in {DAY_MINUTES, end}:
            raise ValueError(f"{shown(word)} is no span of the day such as 08:00-18:00")
        spans.append((start, end))
    if not spans:
        raise ValueError("'hours' names none")
    return tuple(spans)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone {shown(name)}; such as Europe/Berlin") from None
    return name


def _quota(written: str) -> Quota:
    match = _QUOTA.fullmatch(written.strip().lower())
    if match is None or match[2] not in PERIODS or not 1 <= int(match[1]) <= MAX_QUOTA:
        raise ValueError(f"{shown(written)} is no quota such as 2/day or 5/week, of 1 to {MAX_QUOTA:,}")
    return Quota(int(match[1]), match[2])


def period_of(day: str, per: str, zone: str) -> tuple[str, int]:
    """The period that a local day lies in.

    Args:
        day: ISO date.
        per: one of `PERIODS`.
        zone: a time zone that exists.

    Returns:
        Its first day as ISO date, and the time (Unix microseconds) at which it is over.
    """
    first = date.fromisoformat(day)
    if per == "week":
        first -= first.weekday() * _DAY
    last = first + (7 if per == "week" else 1) * _DAY
    end = datetime(last.year, last.month, last.day, tzinfo=ZoneInfo(zone))
    return first.isoformat(), round((end - _EPOCH).total_seconds()) * MICROS_PER_S
