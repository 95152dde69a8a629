"""Weekdays and times of day as people write them: ``mon-fri``, ``weekend``, ``22:00``."""

import re

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_GROUPS = {"weekdays": range(5), "weekend": range(5, 7), "every_day": range(7)}
DAY_MINUTES = 24 * 60
TIME_ZONE = "time_zone"
"""Name in a sighting's extras of the IANA time zone where it was captured."""
_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::00)?")


def day_number(word: str) -> int | None:
    """The weekday of a word, Monday is 0; None where it is none. Three letters and more of a name are enough."""
    word = word.strip().lower()
    short = word[:3]
    return DAYS.index(short) if short in DAYS and _FULL[DAYS.index(short)].startswith(word) else None


def days_of(word: str) -> frozenset[int] | None:
    """The weekdays of a day, a span of days or a group of days; None where it is none of these."""
    word = word.strip().lower()
    if word in DAY_GROUPS:
        return frozenset(DAY_GROUPS[word])
    first, dash, last = word.partition("-")
    start = day_number(first)
    end = day_number(last) if dash else start
    if start is None or end is None:
        return None
    return frozenset((start + step) % 7 for step in range((end - start) % 7 + 1))


def minute_of(word: str) -> int | None:
    """The minute of the day, 24:00 included; None where it is no time of day."""
    match = _CLOCK.fullmatch(word.strip())
    if match is None:
        return None
    hour, minute = int(match[1]), int(match[2])
    return hour * 60 + minute if minute < 60 and (hour < 24 or (hour == 24 and minute == 0)) else None


def clock(minute: int) -> str:
    """A minute of the day in digits."""
    return f"{minute // 60:02}:{minute % 60:02}"
