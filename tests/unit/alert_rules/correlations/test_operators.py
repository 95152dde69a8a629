"""What each type of correlation fires on, at its edges."""

from itertools import pairwise

import pytest

from schemas.events import Sighting
from tests.unit.alert_rules.builders import sighting
from tests.unit.alert_rules.correlations.streams import alerts, at_s, ids, letters, observed


def every(step_s: float, count: int, start_s: float = 0.0, **fields: object) -> list[Sighting]:
    """Events at a steady pace, each with an id of its own."""
    return [
        sighting(f"e{start_s:g}-{number}", at_s=start_s + number * step_s, **{"plate_text": "X1", **fields})
        for number in range(count)
    ]


@pytest.mark.parametrize(("condition", "fired"), [("gte: 3", 2), ("gt: 3", 1), ("eq: 2", 3), ("gte: 7", 0)])
def test_event_count_uses_events_up(condition: str, fired: int) -> None:
    """Six events are two alerts of three: none counts twice."""
    found = alerts(f"{{type: event_count, condition: {{{condition}}}}}", every(1, 6))
    assert len(found) == fired
    counted = [event_id for alert in found for event_id in alert.proof.event_ids]
    assert len(set(counted)) == len(counted)


def test_a_proof_names_the_first_events_and_the_trigger() -> None:
    """Of many events twenty are named, and all are counted."""
    [alert] = alerts("{type: event_count, condition: {gte: 50}}", every(0.1, 50))
    assert len(alert.proof.event_ids) == 20
    assert alert.proof.event_ids[-1] == "e0-49"
    assert observed(alert, "events") == "50"


def test_events_of_one_moment_are_taken_in_order_of_their_ids() -> None:
    """The trigger is the same whichever came first."""
    twins = [sighting(name, at_s=1, plate_text="X1") for name in ("b", "a")]
    for order in (twins, twins[::-1]):
        assert ids(alerts("{type: event_count, condition: {gte: 2}}", order)) == ["a b"]


def test_value_count_takes_confusable_plates_for_one() -> None:
    """AB0 and A80 are one vehicle; the third other one fires."""
    plates = ["AB0", "A80", "CX1", "CX1", "EF2"]
    stream = [sighting(f"e{n}", at_s=n, plate_text=plate) for n, plate in enumerate(plates)]
    found = alerts("{type: value_count, field: plate_text, condition: {gte: 3}}", stream, group_by="camera_id")
    assert ids(found) == ["e1 e3 e4"]


@pytest.mark.parametrize(("until_s", "fired"), [(59, []), (60, [60.0]), (500, [60.0])])
def test_flatline_of_one_is_silence(until_s: float, fired: list[float]) -> None:
    """A minute after the last event, once."""
    assert at_s(alerts("{type: flatline}", every(1, 1), until_s)) == fired


def test_flatline_ends_when_enough_come_again() -> None:
    """Two a minute is too few; it is told again only after three came within a minute."""
    stream = [*every(20, 4), *every(50, 3, 100), *every(5, 3, 400)]
    found = alerts("{type: flatline, condition: {lt: 3}}", stream, until_s=1000)
    assert at_s(found) == [80.0, 460.0]
    assert [observed(alert, "flatline")[0] for alert in found] == ["2", "2"]


def test_an_expected_camera_that_never_was_seen_is_silent() -> None:
    """The alert has the camera as its key, and knows nothing else."""
    [alert] = alerts("{type: flatline, expect: [c1]}", [], until_s=60, group_by="camera_id")
    assert (alert.key, alert.camera_id, alert.proof.event_ids, alert.plate_text) == ("c1", None, (), None)
    assert "none ever" in alert.message


def test_absence_counts_from_the_first_begin() -> None:
    """A second begin changes nothing; an end settles both; what comes after begins anew."""
    kind = "{type: absence, begin: {cameras: a}, end: {cameras: b}}"
    assert at_s(alerts(kind, letters("a1 a2"), until_s=500)) == [60.0]
    assert alerts(kind, letters("a1 a2 b"), until_s=500) == []
    assert at_s(alerts(kind, letters("a1 b a2"), until_s=500)) == [62.0]


def test_a_spike_needs_a_past_and_a_height() -> None:
    """Two a minute, then six: one alert when three times as many are reached, none without a full window before."""
    calm, busy = every(30, 5), every(2, 10, 150)
    found = alerts("{type: spike, height: 3, min_current: 6}", [*calm, *busy])
    assert len(found) == 1
    assert observed(found[0], "spike").startswith("6 against 2")
    assert alerts("{type: spike, height: 3, min_current: 6}", [*every(30, 2), *every(2, 10, 60)]) == []
    assert alerts("{type: spike, height: 3, min_current: 99}", [*calm, *busy]) == []


def test_a_spike_down_is_seen_by_time_alone() -> None:
    """Traffic that stops is told once, in the slice in which the ratio is reached."""
    found = alerts("{type: spike, height: 4, direction: down, min_baseline: 4}", every(10, 19), until_s=500)
    assert len(found) == 1
    assert 180 < at_s(found)[0] < 240
    assert found[0].captured_at == found[0].fired_at


def test_new_term_learns_first() -> None:
    """A group's first value is not new, nor is one within the time of learning; a forgotten one is new again."""
    kind = "{type: new_term, field: camera_id, learn: 3s}"
    assert ids(alerts(kind, letters("a1 b a2 a3 c1 c2"))) == ["c1"]
    kind = "{type: new_term, field: camera_id}"
    assert ids(alerts(kind, letters("a1 b1 a2 b2"), timespan="1s")) == ["b1", "a2", "b2"]
    assert ids(alerts(kind, letters("a1 b1 a2 b2"), timespan="2s")) == ["b1"]
    assert ids(alerts(kind, letters("a1 b1 - - a2"), timespan="2s")) == ["b1"]


def test_change_compares_with_the_last_known_value() -> None:
    """What is unknown changes nothing, nor does case."""
    colours = ["red", None, "Red", "blue", None, "blue", "red"]
    stream = [sighting(f"e{n}", at_s=n, plate_text="X1", vehicle_color=colour) for n, colour in enumerate(colours)]
    assert ids(alerts("{type: change, field: vehicle_color}", stream)) == ["e2 e3", "e5 e6"]


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("avg", 4), ("min", 1), ("max", 9), ("sum", 16), ("median", 3), ("percentile, percentile: 75", 3)],
)
def test_aggregates(aggregate: str, value: float) -> None:
    """Each is what its name says; the percentile is the nearest rank."""
    stream = [sighting(f"e{n}", at_s=n, plate_text="X1", reads=reads) for n, reads in enumerate([3, 1, 9, 3])]
    kind = (
        f"{{type: metric_aggregation, field: reads, aggregate: {aggregate}, condition: {{eq: {value}}}, min_events: 4}}"
    )
    assert ids(alerts(kind, stream)) == ["e0 e1 e2 e3"]


def test_an_aggregate_fires_when_it_comes_into_the_bounds() -> None:
    """While it stays there it is silent; when it has been out it fires again."""
    reads = [1, 5, 5, 5, 1, 1, 1, 5, 5, 5]
    stream = [sighting(f"e{n}", at_s=20 * n, plate_text="X1", reads=each) for n, each in enumerate(reads)]
    found = alerts("{type: metric_aggregation, field: reads, aggregate: avg, condition: {gte: 4}}", stream)
    assert at_s(found) == [60.0, 180.0]


def test_a_share_leaves_out_what_is_unknown() -> None:
    """Of ten events six say something, four of them red."""
    colours = ["red", None, "blue", "red", None, None, "blue", None, "red", "red"]
    stream = [sighting(f"e{n}", at_s=n, plate_text="X1", vehicle_color=colour) for n, colour in enumerate(colours)]
    red = "{field: vehicle_color, op: equals, value: red}"
    kind = f"{{type: percentage_match, share_of: {red}, condition: {{gt: 66}}, min_events: 4}}"
    [alert] = alerts(kind, stream)
    assert observed(alert, "percentage").startswith("66.6667 % over 6")


def test_temporal_takes_any_order() -> None:
    """All three in a minute, in whatever order; one event may be two of them."""
    kind = "{type: temporal, of: [{match: {cameras: a}}, {match: {cameras: b}}, {match: {cameras: [a, c]}}]}"
    assert ids(alerts(kind, letters("b a"))) == ["b a"]
    assert ids(alerts(kind, letters("c b b2 c2 a"))) == ["b2 a"]


def test_loitering_counts_the_stay_at_a_camera() -> None:
    """A sighting lasts until it was last seen; the stay is told once."""
    stay = {"plate_text": "X1", "last_seen_at": "2026-01-05T00:00:50Z"}
    stream = [sighting("e0", at_s=0, **stay), sighting("e1", at_s=60, plate_text="X1"), *every(5, 3, 61)]
    assert ids(alerts("{type: loitering, pause: 10s}", stream)) == ["e0 e1"]
    assert alerts("{type: loitering, pause: 9s}", stream) == []


def test_an_expected_plate_is_missed_at_the_end_of_each_span() -> None:
    """Spans that had begun when the rule took effect do not count; holidays are no days."""
    kind = "{type: expected, plates: [X1], schedule: {from: '00:00', to: '06:00', except: [2026-01-07]}}"
    found = alerts(kind, [sighting("e", at_s=24 * 3600 + 60, plate_text="X1")], until_s=4 * 86_400, timespan=None)
    assert at_s(found) == [3600.0 * 6, 3600.0 * (72 + 6)]
    assert found[1].proof.event_ids == ("e",)
    assert [alert.key for alert in found] == ["X1", "X1"]


def test_daylight_saving_moves_a_span() -> None:
    """Seven o'clock in Berlin is six and then five o'clock UTC."""
    kind = "{type: expected, plates: [X1], schedule: {from: '06:00', to: '07:00', time_zone: Europe/Berlin}}"
    found = alerts(kind, [], until_s=90 * 86_400, timespan=None)
    gaps = {(later - earlier) / 3600 for earlier, later in pairwise(at_s(found))}
    assert gaps == {24.0, 23.0}


def test_occupancy_forgives_one_misread_character() -> None:
    """An exit that fits exactly one vehicle inside but for one character is that vehicle's."""
    kind = "{type: occupancy, entry: {cameras: i}, exit: {cameras: o}, condition: {gt: 1}}"

    def stream(leaves: str) -> list[Sighting]:
        plates = [("i", "AX11"), ("o", leaves), ("i", "CX22")]
        return [sighting(f"e{n}", at_s=n, camera_id=c, site_id="s", plate_text=p) for n, (c, p) in enumerate(plates)]

    assert alerts(kind, stream("AX17")) == []
    assert len(alerts(kind, stream("AX77"))) == 1


def test_somebody_missed_going_out_does_not_stay_for_ever() -> None:
    """After the time span nobody is inside any more."""
    kind = "{type: occupancy, entry: {cameras: i}, exit: {cameras: o}, condition: {gt: 1}}"
    stream = [sighting(f"e{n}", at_s=61 * n, camera_id="i", site_id="s", plate_text=f"X{n}") for n in range(5)]
    assert alerts(kind, stream) == []


BERLIN, POTSDAM = {"lat": 52.52, "lon": 13.405}, {"lat": 52.39, "lon": 13.066}


def pair(minutes: float, **other: object) -> list[Sighting]:
    """A plate in Berlin, and some minutes later in Potsdam, 27 km away."""
    here = {"plate_text": "BXY12", "plate_confidence": 0.95, "camera_id": "b", "location": BERLIN}
    there = {**here, "camera_id": "p", "location": POTSDAM, **other}
    return [sighting("e0", at_s=0, **here), sighting("e1", at_s=60 * minutes, **there)]


@pytest.mark.parametrize(
    ("minutes", "other", "fires"),
    [
        (5, {}, True),
        (30, {}, False),
        (11.8, {}, False),
        (5, {"plate_confidence": 0.5}, False),
        (5, {"location": None}, False),
        (5, {"plate_text": "8XY12"}, False),
        (0, {}, True),
    ],
)
def test_impossible_travel(minutes: float, other: dict[str, object], fires: bool) -> None:
    """Too fast for anybody, with both reads sure, the same text and both places known."""
    found = alerts("{type: impossible_travel}", pair(minutes, **other), timespan="1h")
    assert bool(found) is fires
    if found:
        assert float(observed(found[0], "probability")) == pytest.approx(0.9, abs=0.01)
        assert float(observed(found[0], "misread")) == pytest.approx(0.1, abs=0.01)


def test_a_table_of_travel_times_goes_before_the_distance() -> None:
    """27 km may take half a minute in the table, or an hour."""

    def kind(least: str) -> str:
        return f"{{type: impossible_travel, travel_times: [{{from: b, to: p, at_least: {least}}}]}}"

    assert alerts(kind("30s"), pair(1), timespan="1h") == []
    assert len(alerts(kind("1h"), pair(30), timespan="1h")) == 1


def test_clock_skew_is_subtracted() -> None:
    """Two cameras whose clocks may differ by ten minutes prove less."""
    assert alerts("{type: impossible_travel, clock_skew: 10m}", pair(2), timespan="1h") == []


@pytest.mark.parametrize(
    ("vehicles", "fires"),
    [
        (({"make": "VW", "color": "red"}, {"make": "Fiat", "color": "blue"}), True),
        (({"make": "VW", "color": "red"}, {"make": "vw", "color": "blue"}), False),
        (({"make": "VW"}, {"color": "blue"}), False),
    ],
)
def test_a_clone_is_told_by_its_looks(vehicles: tuple[dict[str, str], dict[str, str]], fires: bool) -> None:
    """Another make and colour are two vehicles; another colour alone may be the light, the unknown is no difference."""
    stream = [
        sighting(f"e{n}", at_s=n * 1800, camera_id=f"c{n}", plate_text="X12", plate_confidence=0.98,
                 vehicle={**vehicle, "confidence": 0.97})
        for n, vehicle in enumerate(vehicles)
    ]  # fmt: skip
    assert bool(alerts("{type: cloned_plate}", stream, timespan="1d")) is fires
    assert alerts("{type: impossible_travel}", stream, timespan="1d") == []


def test_a_convoy_names_both_plates_and_all_sightings() -> None:
    """Key, proof and message tell who and where."""
    stream = []
    for number, camera in enumerate("abc"):
        stream += [
            sighting(f"x{number}", at_s=100 * number, camera_id=camera, plate_text="XX1"),
            sighting(f"y{number}", at_s=100 * number + 9, camera_id=camera, plate_text="YY2"),
        ]
    [alert] = alerts("{type: convoy, together: 9s, condition: {gte: 3}}", stream, timespan="10m")
    assert alert.key == "XX1+YY2"
    assert alert.proof.event_ids == ("x0", "y0", "x1", "y1", "x2", "y2")
    assert alerts("{type: convoy, together: 8s, condition: {gte: 3}}", stream, timespan="10m") == []


def test_a_crowd_makes_a_bounded_number_of_pairs() -> None:
    """Of a hundred vehicles at once each is paired with the latest twelve."""
    stream = [
        sighting(f"e{camera}{n}", at_s=n * 0.01 + 100 * number, camera_id=camera, plate_text=f"X{n}")
        for number, camera in enumerate("ab")
        for n in range(100)
    ]
    found = alerts("{type: convoy, together: 30s, condition: {gte: 2}}", stream, timespan="10m")
    assert 0 < len(found) <= 12 * 100
