"""Zones and calendars: in rules and by name, GeoJSON, and every mistake in its place."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from alert_rules.book import RuleBook
from alert_rules.engine import Engine
from alert_rules.errors import RuleFileError
from alert_rules.loading import RuleSet, load_rules, read_rules
from schemas.events import Sighting
from tests.unit.alert_rules.builders import fires, problems, rule, sighting

SQUARE = "{polygon: [[52, 13], [52, 14], [53, 14], [53, 13]]}"
ZONES = f"""\
zones:
  city: {SQUARE}
  gates: {{cameras: "gate*"}}
  both: [city, gates]
"""
GEOJSON = """\
{"type": "FeatureCollection", "features": [
  {"type": "Feature", "properties": {"name": "city"},
   "geometry": {"type": "Polygon", "coordinates": [[[13, 52], [14, 52], [14, 53], [13, 53], [13, 52]]]}},
  {"type": "Feature", "id": "ring", "properties": {"radius_m": 500},
   "geometry": {"type": "Point", "coordinates": [13.5, 52.5, 34]}},
  {"type": "Feature", "properties": {"name": "isles"}, "geometry": {"type": "MultiPolygon", "coordinates": [
    [[[0, 0], [1, 0], [1, 1]]], [[[5, 5], [6, 5], [6, 6]]]]}}
]}
"""


def at(lat: float, lon: float, **fields: Any) -> Sighting:
    """A sighting somewhere."""
    return sighting(latitude=lat, longitude=lon, **fields)


def in_zone(name: str, files: dict[str, str], event: Sighting) -> bool:
    """Whether a rule with this zone fires, given further files."""
    texts = {"r.yml": f"rules: [{{id: r, match: {{zone: {name}}}}}]", **files}
    return bool(Engine(read_rules({key: text.encode() for key, text in texts.items()})).evaluate(event, {}).alerts)


def test_areas_in_a_rule() -> None:
    """Polygons, with holes, and circles; several in a list are one zone."""
    assert fires(f"{{zone: {SQUARE}}}", at(52.5, 13.5))
    assert not fires(f"{{zone: {SQUARE}}}", at(51.5, 13.5))
    holed = SQUARE.replace("]]}", "]], holes: [[[52.4, 13.4], [52.4, 13.6], [52.6, 13.5]]]}")
    assert not fires(f"{{zone: {holed}}}", at(52.5, 13.5))
    circle = "{circle: {center: [52.5, 13.5], radius_m: 1000}}"
    assert fires(f"{{zone: {circle}}}", at(52.505, 13.5))
    assert not fires(f"{{zone: {circle}}}", at(52.515, 13.5))
    assert fires(f"{{zone: [{SQUARE}, {circle}, {{cameras: gate}}]}}", at(1, 1))
    assert fires("{zone: {sites: 'dep*'}}", sighting(site_id="depot"))


def test_an_unknown_place_is_unknown() -> None:
    """Neither in the zone nor out of it."""
    assert not fires(f"{{zone: {SQUARE}}}", sighting())
    assert not fires(f"{{not: {{zone: {SQUARE}}}}}", sighting())
    assert fires(f"{{not: {{zone: {SQUARE}}}}}", at(1, 1))


def test_named_zones() -> None:
    """A file defines them for all rules, whichever file is read first; zones may be made of zones."""
    files = {"zones.yml": ZONES}
    assert in_zone("city", files, at(52.5, 13.5))
    assert in_zone("gates", files, at(0, 0))
    assert in_zone("both", files, sighting())
    assert not in_zone("city", files, at(0, 0))
    assert in_zone("[city, gates]", {"a.yml": ZONES}, sighting())


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("city", (52.5, 13.5), True),
        ("city", (13.5, 52.5), False),
        ("ring", (52.503, 13.5), True),
        ("ring", (52.51, 13.5), False),
        ("isles", (5.2, 5.9), True),
        ("isles", (0.9, 0.2), False),
    ],
)
def test_zones_as_geojson(name: str, place: tuple[float, float], expected: bool) -> None:
    """Longitude first; the name is a property or the id; multi-polygons and points with a radius count."""
    assert in_zone(name, {"map.geojson": GEOJSON}, at(*place)) is expected


def test_an_alert_tells_the_zone() -> None:
    """Its name, and where the sighting was."""
    rules = read_rules({"z": ZONES.encode(), "r": b"rules: [{id: r, match: {zone: city}}]"})
    [alert] = Engine(rules).evaluate(at(52.5, 13.5), {}).alerts
    [proof] = alert.proof.conditions
    assert (proof.field, proof.operator, proof.expected, proof.observed) == (
        "location", "in zone", "city", "52.500000, 13.500000",
    )  # fmt: skip


def test_the_name_of_a_zone_means_nothing() -> None:
    """The rule's version is that of the area: a renamed zone keeps the rule, a moved corner does not."""
    named = read_rules({"z": ZONES.encode(), "r": b"rules: [{id: r, match: {zone: city}}]"}).rules[0]
    assert named.version == rule(f"{{zone: {SQUARE}}}").version
    assert named.version != rule(f"{{zone: {SQUARE.replace('53, 14', '54, 14')}}}").version


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("home", "1:31: no zone 'home'; no file defines zones"),
        ("[]", "1:31: no zone is named"),
        ("{}", "1:31: a zone has one of 'polygon'"),
        ("{circle: {center: [1, 2], radius_m: 3}, cameras: a}", "1:31: a zone has one of 'polygon'"),
        ("{polygn: []}", "1:32: 'zone' has no 'polygn'; did you mean 'polygon'?"),
        ("{polygon: [[1, 2], [3, 4]]}", "1:41: no polygon: it has 2 different corners"),
        ("{polygon: [[1, 2], [95, 4], [1, 5]]}", "1:51: a latitude (the order is [latitude, longitude])"),
        ("{polygon: [[0, 0], [9, 9], [9, 0], [0, 9]]}", "1:41: no polygon: it crosses or touches itself near"),
        ("{polygon: [[1], [2], [3]]}", "1:42: expected a point [latitude, longitude], found 1 numbers"),
        ("{circle: {center: [1, 2], radius_m: 0}}", "1:67: 'radius_m' must be more than 0"),
        ("{circle: {center: [1, 2]}}", "1:40: 'circle' needs 'radius_m'"),
    ],
)
def test_mistakes_in_a_rule_are_located(zone: str, expected: str) -> None:
    """Line and column of what is wrong."""
    found = problems(f"rules: [{{id: a, match: {{zone: {zone}}}}}]")
    assert any(each.startswith(expected) for each in found), found


def test_mistakes_in_zone_files_are_located() -> None:
    """Duplicates and unknown names, with the nearest."""
    with pytest.raises(RuleFileError) as caught:
        read_rules({"a": ZONES.encode(), "b": b"zones: {city: [gate]}", "c": b"rules: [{id: r, match: {zone: cty}}]"})
    assert [str(each) for each in caught.value.problems] == [
        "b:1:9: zone 'city' is defined already at a:2:3",
        "b:1:16: no zone 'gate'; did you mean 'gates'?",
        "c:1:31: no zone 'cty'; did you mean 'city'?",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "FeatureCollection"}',
        '{"type": "FeatureCollection", "features": [1]}',
        '{"type": "Feature", "properties": null, "geometry": null}',
        '{"type": "Feature", "id": "a", "geometry": {"type": "LineString", "coordinates": []}}',
        '{"type": "Feature", "id": "a", "geometry": {"type": "Polygon", "coordinates": []}}',
        '{"type": "Feature", "id": "a", "geometry": {"type": "MultiPolygon", "coordinates": []}}',
        '{"type": "Feature", "id": "a", "geometry": {"type": "Point", "coordinates": [1, 2]}}',
        '{"type": "Feature", "id": "a", "geometry": {"type": "Polygon", "coordinates": [[[1, 99], [2, 2], [3, 1]]]}}',
    ],
)
def test_broken_geojson_is_refused(text: str) -> None:
    """Each mistake has its place."""
    assert all(each.startswith("1:") for each in problems(text))


def test_a_folder_of_rules_has_its_zones(tmp_path: Path) -> None:
    """Zone files beside the rules are read with them, and a change of one is seen."""
    (tmp_path / "r.yml").write_text("rules: [{id: r, match: {zone: city}}]")
    (tmp_path / "map.geojson").write_text(GEOJSON)
    assert [each.id for each in load_rules([tmp_path]).rules] == ["r"]
    book = RuleBook(tmp_path, tmp_path / "none")
    book.load()
    assert book.engine.evaluate(at(52.5, 13.5), {}).alerts
    (tmp_path / "map.geojson").write_text(GEOJSON.replace("city", "town"))
    with pytest.raises(RuleFileError, match="no zone 'city'"):
        book.refresh()
    (tmp_path / "map.geojson").write_text(GEOJSON.replace("[13, 53]", "[13, 52.1]"))
    assert book.refresh()
    assert not book.engine.evaluate(at(52.9, 13.2), {}).alerts


def calendar(schedule: str, event: Sighting, more: str = "") -> bool:
    """Whether a schedule holds, given calendars."""
    text = dedent(f"""\
        calendars: {{office: [2026-01-05, 12-25], empty: []}}
        rules: [{{id: r, match: {{schedule: {schedule}}}}}]
        """)
    return bool(Engine(read_rules({"r": (text + more).encode()})).evaluate(event, {}).alerts)


@pytest.mark.parametrize(
    ("captured_at", "expected"),
    [
        ("2026-01-05T12:00:00Z", False),
        ("2026-01-06T12:00:00Z", True),
        ("2031-12-25T12:00:00Z", False),
        ("2027-01-05T12:00:00Z", True),
    ],
)
def test_calendars_are_excepted(captured_at: str, expected: bool) -> None:
    """A date without a year is meant every year."""
    assert calendar("{days: every_day, except: office}", sighting(captured_at=captured_at)) is expected
    assert calendar("{days: every_day, except: [empty, office]}", sighting(captured_at=captured_at)) is expected


def test_mistakes_in_calendars_are_located() -> None:
    """Dates that are none, and calendars that nobody defines."""
    assert problems("calendars: {a: [2026-02-30, 02-29, 13-01]}") == [
        "1:17: expected a date such as 2026-12-25, or 12-25 for every year, found '2026-02-30'"
    ]
    text = "calendars: {office: 12-25}\nrules: [{id: a, match: {schedule: {days: mon, except: offic}}}]"
    assert problems(text) == ["2:55: no calendar 'offic'; did you mean 'office'?"]


@pytest.mark.parametrize(
    ("extras", "expected"),
    [
        ({"time_zone": "America/New_York"}, True),
        ({"time_zone": "UTC"}, False),
        ({}, False),
        ({"time_zone": "../x"}, False),
    ],
)
def test_the_time_zone_of_the_site(extras: dict[str, str], expected: bool) -> None:
    """Where the sighting tells it; where it does not, or tells nonsense, the schedule is unknown."""
    event = sighting(captured_at="2026-01-05T03:00:00Z", extras=extras)
    assert fires("{schedule: {days: sun, time_zone: site}}", event) is expected
    known = extras.get("time_zone", "../x") != "../x"
    assert fires("{not: {schedule: {days: sun, time_zone: site}}}", event) is (known and not expected)


def test_what_is_expected_needs_a_time_zone() -> None:
    """A plate that does not come brings no time zone."""
    text = "rules: [{id: a, correlation: {type: expected, plates: [A1], schedule: {days: mon, time_zone: site}}}]"
    assert problems(text) == ["1:71: 'expected' waits without a sighting: its schedule needs a time zone of its own"]


def test_no_rules_but_definitions_are_a_file() -> None:
    """A file of zones alone is whole."""
    assert read_rules({"z": ZONES.encode(), "g": GEOJSON.replace("city", "town").encode()}) == RuleSet((), ("z", "g"))
