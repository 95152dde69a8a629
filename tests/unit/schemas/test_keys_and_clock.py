"""Ids are deterministic and apart; times are read in every form and shown in one."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import keys
from schemas.clock import from_datetime, now_us, parse_time, to_datetime, to_iso

QUICK = settings(max_examples=30, deadline=None)
in_calendar = st.integers(
    from_datetime(datetime(1, 1, 1, tzinfo=UTC)), from_datetime(datetime(9999, 12, 31, tzinfo=UTC))
)


def test_ids_are_stable_across_releases() -> None:
    """An id that changed would make every stored event a new one."""
    assert keys.detection_id("gate", 5, "7") == "262fad21-29b6-5035-a1e9-e847826480d9"
    assert keys.foreign_detection_id("t", 1, 2) == "58343aad-fa64-503f-8e01-c6e787ccb229"


def test_ids_are_version_5() -> None:
    """RFC 9562: name-based, SHA-1."""
    for made in (keys.detection_id("a", 1, "b"), keys.alert_id("r", "g", "t"), keys.dead_letter_id("t", 0, 1, "route")):
        assert UUID(made).version == 5


def test_kinds_are_apart() -> None:
    """The same parts as an alert and as a notification are two ids."""
    assert keys.alert_id("a", "b", "c") != keys.notification_id("a", "b", "c")


@QUICK
@given(st.lists(st.text(max_size=4), min_size=3, max_size=3), st.lists(st.text(max_size=4), min_size=3, max_size=3))
def test_parts_do_not_run_into_each_other(a: list[str], b: list[str]) -> None:
    """Two ids are equal when all parts are, not when their concatenations are."""
    assert (keys.alert_id(*a) == keys.alert_id(*b)) == (a == b)


@QUICK
@given(in_calendar)
def test_iso_round_trips(micros: int) -> None:
    """What is shown can be read again, to the microsecond."""
    assert parse_time(to_iso(micros)) == micros
    assert from_datetime(to_datetime(micros)) == micros


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-24T12:00:00Z", 1_795_521_600_000_000),
        ("2026-11-24T13:00:00+01:00", 1_795_521_600_000_000),
        ("2026-11-24T12:00:00", 1_795_521_600_000_000),
        ("2026-11-24", 1_795_478_400_000_000),
        (" 1795521600.5 ", 1_795_521_600_500_000),
        (0, 0),
        (-1, -1_000_000),
        (4102444800, 4_102_444_800_000_000),
    ],
)
def test_times_in_many_forms(value: str | float, expected: int) -> None:
    """ISO 8601 with and without a zone, and Unix times."""
    assert parse_time(value) == expected


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", float("nan"), float("inf"), True, 1e21, "2026-02-30"])
def test_no_time(value: str | float) -> None:
    """What is no time is a ValueError."""
    with pytest.raises(ValueError, match=r".*"):
        parse_time(value)


def test_times_outside_of_the_calendar_are_shown_as_numbers() -> None:
    """Messages about absurd times must not fail themselves."""
    assert to_iso(2**62) == str(2**62)


def test_wall_clock_is_microseconds() -> None:
    """Between 2024 and 2100."""
    assert 1_704_067_200_000_000 < now_us() < 4_102_444_800_000_000
