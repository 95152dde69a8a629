"""Properties of the engine that hold for any sightings: determinism, once per event, suppression."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_rules.backtest import backtest
from alert_rules.engine import Engine
from schemas.clock import MICROS_PER_S
from schemas.events import Alert, Sighting
from schemas.records import to_record
from tests.unit.alert_rules.builders import rules, sighting

pytestmark = pytest.mark.thorough

RULES = rules("""
rules:
  - {id: red, match: {field: vehicle_color, op: equals, value: red}, suppress: 60s}
  - {id: listed, match: {plate: [AB01, "X?*"]}}
  - {id: camera, match: {not: {cameras: c2}}, group_by: camera_id, suppress: {for: 30s, by: [camera_id, vehicle_color]}}
  - {id: sure, match: [{field: plate_confidence, op: between, value: [0.5, 1]}, {field: reads, op: in, value: [1, 3]}]}
""")


def _sightings() -> st.SearchStrategy[Sighting]:
    fields = st.fixed_dictionaries(
        {
            "plate_text": st.sampled_from(["AB01", "A8O1", "X1", "XX2", "ZZ9", ""]),
            "vehicle_color": st.sampled_from(["red", "blue", None]),
            "plate_confidence": st.sampled_from([0.2, 0.5, 0.9]),
            "camera_id": st.sampled_from(["c1", "c2"]),
            "reads": st.integers(1, 3),
            "revision": st.integers(1, 3),
        }
    )

    def make(number: int, other: dict[str, object]) -> Sighting:
        # captured_at and match_key are frozen over the revisions of an event, so they follow from its number
        return sighting(f"e{number}", at_s=(number * 7919) % 200, match_key=f"k{number % 3}", **other)

    return st.builds(make, st.integers(0, 15), fields)


STREAMS = st.lists(_sightings(), max_size=40)
QUICK = settings(max_examples=15, deadline=None)


def _run(stream: list[Sighting]) -> list[Alert]:
    return [alert for _, decision in backtest(Engine(RULES), stream) for alert in decision.alerts]


@QUICK
@given(STREAMS)
def test_the_same_stream_gives_the_same_alerts(stream: list[Sighting]) -> None:
    """Two runs agree in every field."""
    assert [to_record(alert) for alert in _run(stream)] == [to_record(alert) for alert in _run(stream)]


@QUICK
@given(STREAMS)
def test_no_event_fires_a_rule_twice(stream: list[Sighting]) -> None:
    """Whatever the revisions, an event and a rule make one alert at most, and alert ids are unique."""
    alerts = _run(stream)
    assert max(Counter((alert.rule.id, alert.proof.event_ids) for alert in alerts).values(), default=1) == 1
    assert len({alert.alert_id for alert in alerts}) == len(alerts)


@QUICK
@given(STREAMS, st.integers(0, 40))
def test_reading_records_again_changes_nothing(stream: list[Sighting], cut: int) -> None:
    """After a crash the tail is read again, with the memory that is there: no alert more, none less."""
    engine = Engine(RULES)
    memory: dict[bytes, bytes | None] = {}
    ids = []
    for event in [*stream, *stream[cut:]]:
        decision = engine.evaluate(event, memory)
        memory.update(decision.changes)
        ids += [alert.alert_id for alert in decision.alerts]
    assert ids == [alert.alert_id for alert in _run(stream)]


@QUICK
@given(STREAMS)
def test_alerts_of_a_group_keep_their_distance(stream: list[Sighting]) -> None:
    """No two alerts of one rule and key lie nearer than the suppression, in event time."""
    times = defaultdict(list)
    for alert in _run(stream):
        if alert.rule.id == "red":
            times[alert.key].append(alert.fired_at)
    for fired in times.values():
        fired.sort()
        assert all(later - earlier >= 60 * MICROS_PER_S for earlier, later in pairwise(fired))


@QUICK
@given(STREAMS)
def test_every_match_is_an_alert_or_counted(stream: list[Sighting]) -> None:
    """Alerts and held-back matches of a rule add up to the events that matched it."""
    engine = Engine(RULES)
    matched = defaultdict(set)
    for event in stream:
        match = engine.match(event)
        for rule in match.rules if match else ():
            matched[rule.id].add(event.event_id)
    counts: Counter[str] = Counter()
    for _, decision in backtest(engine, stream):
        counts.update(alert.rule.id for alert in decision.alerts)
        counts.update(decision.held_back)
    assert counts == {rule_id: len(events) for rule_id, events in matched.items()}


@QUICK
@given(STREAMS)
def test_a_rule_s_neighbours_do_not_matter(stream: list[Sighting]) -> None:
    """A rule alone gives the alerts that it gives among others."""
    alone = Engine(type(RULES)(RULES.rules[:1]))
    expected = [alert for alert in _run(stream) if alert.rule.id == "red"]
    assert [alert for _, decision in backtest(alone, stream) for alert in decision.alerts] == expected


@QUICK
@given(STREAMS)
def test_holds_and_explain_agree(stream: list[Sighting]) -> None:
    """The fast way and the explaining way come to the same truth."""
    engine = Engine(RULES)
    for event in stream:
        match = engine.match(event)
        fired = {rule.id for rule in match.rules} if match else set()
        assert {each.rule.id for each in engine.explain(event) if each.finding.holds} == fired
