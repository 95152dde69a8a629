"""Each condition of the language fires where it should, is silent where it should, and says unknown where it is."""

import pytest

from alert_rules.facts import Facts
from alert_rules.watchlists import Watchlists
from tests.unit.alert_rules.builders import entry, fires, rule, sighting

EVENT = sighting(
    plate_text="AB-123 C", plate_region="de-by", vehicle_color="Red", vehicle_make="Škoda", camera_id="Gate-1",
    site_id="depot", direction="in", reads=5, is_final=True, extras={"lane": "3", "toll": "car"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("{field: vehicle_color, op: equals, value: rED}", True),
        ("{field: vehicle_color, op: equals, value: blue}", False),
        ("{field: vehicle.make, op: equals, value: škoda}", True),
        ("{field: vehicle_color, op: not_equals, value: blue}", True),
        ("{field: vehicle_color, op: not_equals, value: RED}", False),
        ("{field: camera_id, op: contains, value: gate}", True),
        ("{field: camera_id, op: contains, value: exit}", False),
        ("{field: camera_id, op: starts_with, value: GATE}", True),
        ("{field: camera_id, op: ends_with, value: '-2'}", False),
        ("{field: camera_id, op: like, value: 'gate-?'}", True),
        ("{field: camera_id, op: like, value: ['x*', '*-1']}", True),
        ("{field: camera_id, op: like, value: 'gate'}", False),
        ("{field: plate_text, op: equals, value: ab123c}", True),
        ("{field: plate_text, op: equals, value: ab124c}", False),
        ("{field: plate_text, op: contains, value: b-12}", True),
        ("{field: plate_text, op: starts_with, value: 'AB 1'}", True),
        ("{field: plate_text, op: ends_with, value: 23C}", True),
        ("{field: plate_text, op: regex, value: '^AB[0-9]{3}C$'}", True),
        ("{field: plate_text, op: regex, value: '^AB-'}", True),
        ("{field: plate_text, op: regex, value: '^AB[0-9]{4}'}", False),
        ("{field: plate_text, op: in, value: [XX1, AB 123-C]}", True),
        ("{field: plate_text, op: not_in, value: [XX1]}", True),
        ("{field: reads, op: '>', value: 4}", True),
        ("{field: reads, op: '>', value: 5}", False),
        ("{field: reads, op: '>=', value: 5}", True),
        ("{field: reads, op: '<', value: 5}", False),
        ("{field: reads, op: '<=', value: 5}", True),
        ("{field: reads, op: between, value: [5, 9]}", True),
        ("{field: reads, op: between, value: [6, 9]}", False),
        ("{field: reads, op: in, value: [1, 5]}", True),
        ("{field: is_final, op: equals, value: true}", True),
        ("{field: is_final, op: equals, value: false}", False),
        ("{field: captured_at, op: '<', value: 2026-01-06}", True),
        ("{field: captured_at, op: '<', value: 2026-01-05T00:00:00Z}", False),
        ("{field: vehicle_color, op: exists}", True),
        ("{field: vehicle_model, op: exists}", False),
        ("{field: vehicle_model, op: exists, value: false}", True),
        ("{field: extras.lane, op: equals, value: 3}", True),
        ("{field: extras.lane, op: '>', value: 2}", True),
        ("{field: extras.toll, op: equals, value: CAR}", True),
        ("{cameras: [gate-1, gate-2]}", True),
        ("{cameras: 'gate-*'}", True),
        ("{cameras: gate}", False),
        ("{sites: [depot]}", True),
        ("{sites: office}", False),
        ("{plate: AB123C}", True),
        ("{plate: [X1, 'AB?23*']}", True),
        ("{plate: 'AB?23'}", False),
        ("{plate: {any_of: [A8123C]}}", True),
        ("{plate: {any_of: [A8123C], exact: true}}", False),
        ("{plate: {any_of: [A8123C], likelihood: 0.5}}", False),
        ("{plate: {any_of: [AB123C], exact: true}}", True),
        ("{watchlist: stolen}", True),
        ("{watchlist: [other, stolen]}", True),
        ("{watchlist: other}", False),
        ("{watchlist: {list: stolen, exact: true}}", False),
        ("{all: [{cameras: gate-1}, {sites: depot}]}", True),
        ("{all: [{cameras: gate-1}, {sites: office}]}", False),
        ("[{cameras: gate-1}, {sites: depot}]", True),
        ("{any: [{cameras: gate-9}, {sites: depot}]}", True),
        ("{any: [{cameras: gate-9}, {sites: office}]}", False),
        ("{not: {sites: office}}", True),
        ("{not: [{sites: depot}, {cameras: gate-1}]}", False),
        ("{field: reads, op: '>', value: 1, sites: depot}", True),
        ("{field: reads, op: '>', value: 9, sites: depot}", False),
    ],
)
def test_condition(match: str, expected: bool) -> None:
    """The condition fires for the sighting, or does not."""
    assert fires(match, EVENT, [entry("A8123C")]) is expected


@pytest.mark.parametrize(
    "match",
    [
        "{field: vehicle_model, op: equals, value: x}",
        "{field: vehicle_model, op: not_equals, value: x}",
        "{field: latitude, op: '<', value: 90}",
        "{field: extras.toll, op: '>', value: 2}",
        "{not: {field: vehicle_model, op: equals, value: x}}",
        "{all: [{sites: depot}, {field: vehicle_model, op: equals, value: x}]}",
        "{any: [{sites: office}, {field: vehicle_model, op: equals, value: x}]}",
    ],
)
def test_what_is_unknown_stays_unknown(match: str) -> None:
    """A rule does not fire on a value that nobody has seen, negated or not."""
    assert rule(match).match.holds(Facts(EVENT, Watchlists())) is None
    assert not fires(match, EVENT)


def test_unknown_does_not_hide_what_is_known() -> None:
    """One true part makes an any true, one false part an all false, whatever is unknown beside it."""
    unknown = "{field: vehicle_model, op: equals, value: x}"
    assert fires(f"{{any: [{unknown}, {{sites: depot}}]}}", EVENT)
    assert fires(f"{{not: {{all: [{unknown}, {{sites: office}}]}}}}", EVENT)


@pytest.mark.parametrize("match", ["{plate: AB1}", "{watchlist: stolen}", "{not: {watchlist: stolen}}"])
def test_an_unreadable_plate_is_on_no_list_and_off_none(match: str) -> None:
    """Without letters and digits nothing can be said about the plate."""
    assert not fires(match, sighting(plate_text="?!"), [entry("AB1")])
    assert not fires(match, sighting(), [entry("AB1")])


def test_resolved_text_counts_beside_the_observed_one() -> None:
    """What the pass resolved to matches as well as what was read, and a negative must hold for both."""
    event = sighting(plate_text="ABO123", resolved_text="AB0123", resolved_confidence=0.9)
    assert fires("{field: plate_text, op: equals, value: AB0123}", event)
    assert fires("{field: plate_text, op: equals, value: ABO123}", event)
    assert not fires("{field: plate_text, op: not_equals, value: AB0123}", event)
    assert fires("{plate: {any_of: [AB0123], exact: true}}", event)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-01-09T21:00:00Z", True),  # Friday 22:00 in Berlin
        ("2026-01-09T20:59:59Z", False),
        ("2026-01-10T04:59:00Z", True),  # Saturday 05:59: Friday's night
        ("2026-01-10T05:00:00Z", False),
        ("2026-01-10T21:30:00Z", False),  # Saturday is not in the days
        ("2026-01-05T02:00:00Z", False),  # Monday morning: Sunday's night
        ("2026-07-03T20:00:00Z", True),  # Friday 22:00 in summer time
        ("2026-07-03T19:59:00Z", False),
        ("2026-12-25T22:00:00Z", False),  # a Friday, but a holiday
        ("2026-12-26T03:00:00Z", False),  # the holiday's night
    ],
)
def test_a_night_belongs_to_the_day_it_starts_on(at: str, expected: bool) -> None:
    """Days, a span over midnight, daylight saving and holidays."""
    match = "{schedule: {days: mon-fri, from: 22:00, to: 06:00, time_zone: Europe/Berlin, except: [2026-12-25]}}"
    assert fires(match, sighting(captured_at=at)) is expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("{days: mon}", True),
        ("{days: [tuesday, weekend]}", False),
        ("{from: 00:00, to: 00:01}", True),
        ("{from: 0:01, to: 24:00}", False),
        ("{from: 00:00, to: 24:00}", True),
        ("{days: sat-mon}", True),
    ],
)
def test_schedules_may_leave_parts_out(schedule: str, expected: bool) -> None:
    """Without times the whole day counts, without days every day; Monday 00:00 UTC here."""
    assert fires(f"{{schedule: {schedule}}}", sighting()) is expected
