"""Permits: who may pass, when, how often, and why somebody may not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_rules.engine import Engine
from alert_rules.errors import RuleFileError
from alert_rules.loading import RuleSet
from alert_rules.memory import USED, expiry_range
from alert_rules.permit_terms import period_of, read_terms
from alert_rules.watchlist_files import load_watchlists
from alert_rules.watchlists import Watchlists
from schemas.clock import parse_time
from schemas.events import Alert, CharacterAlternative, Sighting, WatchlistEntry
from tests.unit.alert_rules.builders import engine, entry, fires, rule, run, sighting

PERMITTED = "{permit: staff}"
REFUSED = "{not: {permit: staff}}"
BERLIN: dict[str, Any] = {"extras": {"time_zone": "Europe/Berlin"}}
HOUR_S = 3600


def permit(plate: str = "AB123", entry_id: str = "1", **fields: Any) -> WatchlistEntry:
    """A permit of the list ``staff``."""
    return entry(plate, list_id="staff", entry_id=entry_id, kind="permit", **fields)


def refusal(event: Sighting, *entries: WatchlistEntry) -> str:
    """What the alert of a vehicle that is not permitted says of the permit."""
    [alert] = run(engine(REFUSED, entries), [event])
    [condition] = alert.proof.conditions
    assert condition.operator == "not has"
    return condition.observed


def doubtful(text: str, other: str, share: float) -> Sighting:
    """A read whose last character may be another one."""
    event = sighting(plate_text=text)
    assert event.plate is not None
    sure = tuple((CharacterAlternative(char, 1.0),) for char in text[:-1])
    last = (CharacterAlternative(text[-1], 1 - share), CharacterAlternative(other, share))
    return replace(event, plate=replace(event.plate, characters=(*sure, last)))


def test_a_listed_plate_is_permitted_and_others_are_not() -> None:
    """A permit holds for its plate; an entry of another kind is none."""
    listed = sighting(plate_text="AB-123")
    assert fires(PERMITTED, listed, [permit()])
    assert not fires(REFUSED, listed, [permit()])
    assert not fires(PERMITTED, listed, [entry("AB123", list_id="staff")])
    assert fires(REFUSED, sighting(plate_text="XY999"), [permit()])


def test_a_permit_is_no_hit_of_a_watchlist() -> None:
    """Who is permitted does not raise the alert of a watchlist."""
    assert not fires("{watchlist: staff}", sighting(plate_text="AB123"), [permit()])


def test_a_denial_goes_before_a_permit() -> None:
    """An entry of kind deny in the same list takes the permit back, for as long as it is valid."""
    denied = entry("AB123", list_id="staff", entry_id="2", reason="badge lost", valid_from=parse_time("2026-01-06"))
    before, after = sighting(plate_text="AB123"), sighting(plate_text="AB123", at_s=25 * HOUR_S)
    assert fires(PERMITTED, before, [permit(), denied])
    assert not fires(PERMITTED, after, [permit(), denied])
    assert "staff denies AB123 (badge lost)" in refusal(after, permit(), denied)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"valid_until": parse_time("2026-01-01")}, "expired 2026-01-01"),
        ({"valid_from": parse_time("2026-02-01")}, "not valid before 2026-02-01"),
        ({"sites": ("yard",)}, "for yard only"),
        ({"days": "tue-fri"}, "wrong day: mon, not tue, wed, thu, fri"),
        ({"hours": "08:00-18:00"}, "outside 08:00-18:00: 01:00"),
        ({"plate": "XY999"}, "unknown plate"),
    ],
)
def test_a_refusal_says_why(fields: dict[str, Any], words: str) -> None:
    """The alert's proof names what the permit lacks; days and hours are those of the site."""
    assert words in refusal(sighting(plate_text="AB123", **BERLIN), permit(**fields))


@pytest.mark.parametrize(
    ("at", "permitted"),
    [
        ("2026-01-09T21:59:00+01:00", False),
        ("2026-01-09T22:00:00+01:00", True),
        ("2026-01-10T05:59:00+01:00", True),
        ("2026-01-10T06:00:00+01:00", False),
        ("2026-01-10T22:30:00+01:00", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(at: str, permitted: bool) -> None:
    """Hours over midnight count for the weekday of their beginning, in the permit's own time zone."""
    night = permit(days="fri", hours="22:00-06:00", time_zone="Europe/Berlin")
    assert fires(PERMITTED, sighting(plate_text="AB123", captured_at=parse_time(at)), [night]) is permitted


def test_without_the_time_zone_of_the_site_nothing_is_decided() -> None:
    """A permit with hours is neither held nor refused where the site's time is unknown, or no zone at all."""
    for extras in ({}, {"time_zone": "Mars/Olympus"}):
        event = sighting(plate_text="AB123", extras=extras)
        assert not fires(PERMITTED, event, [permit(hours="00:00-24:00")])
        assert not fires(REFUSED, event, [permit(hours="00:00-24:00")])


def test_an_ambiguous_read_is_not_permitted() -> None:
    """A read that may be another plate opens nothing; it is unknown, or refused where the rule says so."""
    sure, unsure = doubtful("AB123", "7", 0.1), doubtful("AB123", "7", 0.4)
    assert fires(PERMITTED, sure, [permit()])
    assert not fires(PERMITTED, unsure, [permit()])
    assert not fires(REFUSED, unsure, [permit()])
    strict = "{not: {permit: {list: staff, ambiguous: refused}}}"
    [alert] = run(engine(strict, [permit()]), [unsure])
    assert "ambiguous: likelihood 1, AB127" in alert.proof.conditions[0].observed
    assert fires("{permit: {list: staff, odds: 1.2}}", unsure, [permit()])


def test_a_misread_is_permitted_where_the_list_allows_it() -> None:
    """One sure confusion is too little by default; the list's likelihood, or the rule's, may ask for less."""
    misread = sighting(plate_text="AB12O")
    assert not fires(PERMITTED, misread, [permit("AB120")])
    assert "is not what was read" in refusal(misread, permit("AB120"))
    assert fires(PERMITTED, misread, [permit("AB120", likelihood=0.01)])
    assert fires("{permit: {list: staff, likelihood: 0.01}}", misread, [permit("AB120")])
    assert not fires("{permit: {list: staff, likelihood: 0.9}}", misread, [permit("AB120", likelihood=0.01)])


def test_a_twin_that_is_listed_too_is_another_plate() -> None:
    """Of two permits that OCR confuses, the one that was read is meant; undecided it is neither."""
    twins = [permit("AB120", valid_until=1), permit("AB12O", "2", likelihood=0.01)]
    assert fires(PERMITTED, sighting(plate_text="AB12O"), twins)
    assert not fires(PERMITTED, sighting(plate_text="AB120"), twins)
    assert not fires(PERMITTED, doubtful("AB12O", "0", 0.5), twins)


def test_an_unreadable_plate_is_unknown() -> None:
    """Without a plate a permit neither holds nor is refused."""
    assert not fires(PERMITTED, sighting(), [permit()])
    assert not fires(REFUSED, sighting(), [permit()])


def visits(number: int, every_s: float = HOUR_S, **fields: Any) -> list[Sighting]:
    """One plate again and again, each time another sighting."""
    return [sighting(f"e{each}", each * every_s, plate_text="AB123", **{**BERLIN, **fields}) for each in range(number)]


def test_a_quota_is_used_up_and_comes_again() -> None:
    """Two entries a day: the third is refused with its count, and the next local day begins anew."""
    made = engine(REFUSED, [permit(quota="2/day")])
    alerts = run(made, visits(26))
    # 2026-01-05 01:00 and 02:00 in Berlin are the first two; midnight there is the sighting at 23:00 UTC
    assert [alert.proof.event_ids[0] for alert in alerts] == [f"e{each}" for each in (*range(2, 23), 25)]
    assert "quota used up: 2 of 2/day, day of 2026-01-05" in alerts[0].proof.conditions[0].observed
    assert "day of 2026-01-06" in alerts[-1].proof.conditions[0].observed


def test_a_quota_of_a_week_begins_on_monday() -> None:
    """Five a week: the sixth is refused until Monday."""
    alerts = run(engine("{permit: staff}", [permit(quota="5/week")]), visits(9, 86_400))
    assert [alert.proof.event_ids[0] for alert in alerts] == ["e0", "e1", "e2", "e3", "e4", "e7", "e8"]


def test_a_revision_uses_no_more_of_a_quota() -> None:
    """A sighting that is revised, or comes again, is one entry."""
    made = engine(REFUSED, [permit(quota="1/day")])
    first, second = visits(2)
    events = [first, replace(first, revision=2), first, second, replace(second, revision=2)]
    assert [alert.proof.event_ids for alert in run(made, events)] == [("e1",)]


def test_only_what_the_rule_asks_about_uses_a_quota() -> None:
    """Sightings at other cameras are no entries, and each rule counts for itself."""
    lists = [permit(quota="1/day")]
    at_the_gate = "{cameras: gate, not: {permit: staff}}"
    events = [visits(1, camera_id="street")[0], *visits(3)[1:]]
    assert [alert.proof.event_ids for alert in run(engine(at_the_gate, lists), events)] == [("e2",)]
    both = RuleSet((rule(PERMITTED), replace(rule("{permit: staff, cameras: gate}"), id="other")))
    alerts = run(Engine(both, Watchlists(lists)), visits(2))
    assert [(alert.rule.id, alert.proof.event_ids[0]) for alert in alerts] == [("r", "e0"), ("other", "e0")]


def test_a_quota_that_does_not_matter_is_not_used() -> None:
    """Where another permit lets the plate in anyway, the quota stays."""
    lists = [permit(quota="1/day"), permit(entry_id="2", valid_until=parse_time("2026-01-05T02:30:00Z"))]
    assert [alert.proof.event_ids[0] for alert in run(engine(PERMITTED, lists), visits(5))] == ["e0", "e1", "e2", "e3"]


def test_a_quota_does_not_count_for_a_misread_under_another_key() -> None:
    """Sightings of a plate that came as another one are elsewhere: a quota cannot be counted, so it does not hold."""
    event = replace(sighting(plate_text="AB123", **BERLIN), match_key="A8999")
    assert fires(PERMITTED, event, [permit()])
    assert "has a quota, which does not count for the read A8999" in refusal(event, permit(quota="2/day"))


def test_what_is_remembered_of_a_quota_can_be_forgotten() -> None:
    """The memory of a period that is long over lies in the range of what may go."""
    memory: dict[bytes, bytes | None] = {}
    memory.update(engine(PERMITTED, [permit(quota="2/day")]).evaluate(visits(1)[0], memory).changes)
    [key] = [each for each in memory if each.startswith(USED)]
    (low, early), (_, late) = (
        expiry_range(USED, parse_time(day)) for day in ("2026-02-05T12:00Z", "2026-02-06T00:01Z")
    )
    assert not low <= key < early
    assert low <= key < late


@given(
    cuts=st.sets(st.integers(0, 40)),
    offsets=st.lists(st.integers(0, 3 * 86_400), min_size=1, max_size=40),
    copies=st.integers(1, 3),
)
def test_quotas_do_not_depend_on_restarts(cuts: set[int], offsets: list[int], copies: int) -> None:
    """Engines that start anew on what was remembered decide as one that never stopped, records twice or not."""
    lists = [permit(quota="2/day")]
    events = [sighting(f"e{n}", at, plate_text="AB123", **BERLIN) for n, at in enumerate(offsets)]
    memory: dict[bytes, bytes | None] = {}
    alerts: list[Alert] = []
    made = engine(REFUSED, lists)
    for number, event in enumerate(events):
        if number in cuts:
            made = engine(REFUSED, lists)
        for _ in range(copies):
            decision = made.evaluate(event, memory)
            memory.update(decision.changes)
            alerts += decision.alerts
    assert alerts == run(engine(REFUSED, lists), events)
    granted = {event.event_id for event in events} - {alert.proof.event_ids[0] for alert in alerts}
    for day in range(4):
        # Berlin is an hour ahead
        on_day = [n for n, at in enumerate(offsets) if (at + HOUR_S) // 86_400 == day]
        assert len([n for n in on_day if f"e{n}" in granted]) == min(2, len(on_day))


def test_a_period_ends_at_local_midnight_through_daylight_saving() -> None:
    """The day on which the clock goes forward has 23 hours, and a week ends on Monday."""
    assert period_of("2026-03-29", "day", "Europe/Berlin") == ("2026-03-29", parse_time("2026-03-29T22:00:00Z"))
    assert period_of("2026-03-29", "week", "Europe/Berlin") == ("2026-03-23", parse_time("2026-03-29T22:00:00Z"))


@pytest.mark.parametrize(
    "terms",
    [
        ("fry", None, None, None), (" ", None, None, None), (None, "8-18", None, None),
        (None, "08:00-08:00", None, None), (None, "24:00-02:00", None, None), (None, "", None, None),
        (None, None, "Berlin", None), (None, None, None, "2"), (None, None, None, "0/day"),
        (None, None, None, "2/month"), (None, None, None, "9999/day"),
    ],
)  # fmt: skip
def test_terms_that_cannot_be_read_are_refused(terms: tuple[str | None, ...]) -> None:
    """A permit whose terms are wrong is no permit: it must not hold for ever."""
    with pytest.raises(ValueError, match=r"\w"):
        read_terms(*terms)
    days, hours, zone, quota = terms
    with pytest.raises(ValueError, match=r"\w"):
        Watchlists([permit(days=days, hours=hours, time_zone=zone, quota=quota)])


def test_permits_come_from_csv_and_yaml(tmp_path: Path) -> None:
    """Both forms of a file say the same, and a YAML list says once what counts for all."""
    (tmp_path / "staff.csv").write_text(
        "plate,kind,entry_id,weekdays,hours,timezone,quota,likelihood,until\n"
        'AB-123,permit,1,"mon,wed-fri",08:00-18:00,Europe/Berlin,2/day,0.9,2027-01-01\n'
    )
    (tmp_path / "yaml").mkdir()
    (tmp_path / "yaml" / "staff.yml").write_text(
        "kind: permit\ndays: [mon, wed-fri]\nhours: 08:00-18:00\ntime_zone: Europe/Berlin\nlikelihood: 0.9\n"
        "entries: [{plate: AB-123, id: '1', quota: 2/day, until: 2027-01-01}]\n"
    )
    wanted = permit(
        days="mon,wed-fri", hours="08:00-18:00", time_zone="Europe/Berlin", quota="2/day", likelihood=0.9,
        valid_until=parse_time("2027-01-01"),
    )  # fmt: skip
    assert load_watchlists([tmp_path]) == load_watchlists([tmp_path / "yaml"]) == [wanted]
    assert list(Watchlists([wanted])) == [wanted]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("AB1,deny,mon,", "'days' is for entries of kind permit"),
        ("AB1,permit,fryday,", "no weekday"),
        ("AB1,permit,,2/month", "no quota"),
    ],
)
def test_a_wrong_permit_is_shown_with_its_line(tmp_path: Path, row: str, words: str) -> None:
    """Mistakes in the terms of a file's permit are located, and the file is refused."""
    (tmp_path / "staff.csv").write_text(f"plate,kind,days,quota\n{row}\n")
    with pytest.raises(RuleFileError, match=f"staff.csv:2.*{words}"):
        load_watchlists([tmp_path])
