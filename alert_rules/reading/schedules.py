"""Reads ``schedule: {days, from, to, time_zone, except}``, and the calendars that ``except`` may name."""

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from alert_rules import expectations as expect
from alert_rules.conditions.schedule import SITE, Schedule
from alert_rules.document import Node
from alert_rules.errors import Place, Problems, RuleProblem, nearest, shown
from alert_rules.reading.definitions import definitions_of
from alert_rules.weekdays import DAY_GROUPS, DAY_MINUTES, DAYS, days_of, minute_of

KEYS = ("days", "from", "to", "time_zone", "except")
_EVERY_YEAR = re.compile(r"\d\d-\d\d")
_LIKE_A_DATE = re.compile(r"\d")
_LEAP_YEAR = 2024
Calendars = Mapping[str, tuple[frozenset[str], Place]]


def read_schedule(node: Node, problems: Problems) -> Schedule:
    """A schedule; days default to all, times to the whole day, the time zone to UTC.

    Raises:
        RuleProblem: a day, time, date or time zone is none.
    """
    body = expect.mapping(node, "'schedule'")
    expect.known_keys(body, KEYS, "'schedule'", problems)
    if not any(key in body.entries for key in ("days", "from", "to", "except")):
        raise RuleProblem(node.place, "'schedule' needs 'days', or 'from' and 'to'")
    if ("from" in body.entries) != ("to" in body.entries):
        raise RuleProblem(node.place, "'schedule' needs both 'from' and 'to', or neither")
    start = end = 0
    if "from" in body.entries:
        start, end = _minute(body.entries["from"]), _minute(body.entries["to"])
        if start == DAY_MINUTES:
            raise RuleProblem(body.place_of("from"), "'from' must lie before 24:00")
        end = 0 if end == DAY_MINUTES else end
    days = frozenset(range(7))
    if "days" in body.entries:
        days = _days(body.entries["days"])
    zone = expect.optional_text(body, "time_zone", "'time_zone'", limit=60) or "UTC"
    if zone != SITE and not _is_zone(zone):
        raise RuleProblem(body.entries["time_zone"].place, f"no time zone {shown(zone)}{nearest(zone, _zones())}")
    dates: frozenset[str] = frozenset()
    if "except" in body.entries:
        dates = _excepted(body.entries["except"], definitions_of(problems).calendars)
    return Schedule(days, start, end, zone, dates)


def define_calendars(node: Node, problems: Problems) -> None:
    """Put the dates of a ``calendars:`` mapping among the definitions of the reading.

    Raises:
        RuleProblem: it is no mapping.
    """
    body = expect.mapping(node, "dates by the name of a calendar")
    known = definitions_of(problems).calendars
    for name, each in body.entries.items():
        place = body.place_of(name)
        with problems.collect():
            if name in known:
                raise RuleProblem(place, f"calendar {shown(name)} is defined already at {known[name][1]}")
            known[name] = (frozenset(_date(item) for item in expect.items(each, "dates", single=True)), place)


def _excepted(node: Node, calendars: Calendars) -> frozenset[str]:
    """Dates, and those of calendars that are named."""
    dates: set[str] = set()
    for each in expect.items(node, "dates or calendars", single=True):
        word = expect.text(each, "a date or a calendar", limit=100).strip()
        if word in calendars:
            dates |= calendars[word][0]
        elif calendars and not _LIKE_A_DATE.match(word):
            raise RuleProblem(each.place, f"no calendar {shown(word)}{nearest(word, calendars)}")
        else:
            dates.add(_date(each))
    return frozenset(dates)


def _days(node: Node) -> frozenset[int]:
    days: set[int] = set()
    for each in expect.items(node, "weekdays", single=True):
        word = expect.text(each, "a weekday").strip().lower()
        found = days_of(word)
        if found is None:
            raise RuleProblem(each.place, f"{shown(word)} is no weekday{nearest(word, [*DAYS, *DAY_GROUPS])}")
        days |= found
    if not days:
        raise RuleProblem(node.place, "'days' is empty: nothing could match")
    return frozenset(days)


def _minute(node: Node) -> int:
    written = expect.text(node, "a time of day such as 22:00", limit=20)
    minute = minute_of(written)
    if minute is None:
        raise RuleProblem(node.place, f"expected a time of day such as 22:00, found {shown(written)}")
    return minute


def _date(node: Node) -> str:
    """A date as ISO has it; ``12-25`` for every year stays that."""
    written = expect.text(node, "a date such as 2026-12-25", limit=20).strip()
    try:
        if _EVERY_YEAR.fullmatch(written):
            return date.fromisoformat(f"{_LEAP_YEAR}-{written}").isoformat()[5:]
        return date.fromisoformat(written).isoformat()
    except ValueError:
        wanted = "a date such as 2026-12-25, or 12-25 for every year"
        raise RuleProblem(node.place, f"expected {wanted}, found {shown(written)}") from None


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))
