"""The engine: once per event and rule, suppression in event time, groups, proof, explanations."""

from alert_rules.alerts import alert_key
from alert_rules.engine import Engine
from alert_rules.memory import COUNTED, EXPIRY, KEEP_US, QUIET, Counted, Quiet, expiry_range, forgotten_by
from schemas import keys
from schemas.clock import MICROS_PER_S
from tests.unit.alert_rules.builders import START_US, engine, rule, rules, run, sighting

RED = "{field: vehicle_color, op: equals, value: red}"
ANY = "{field: reads, op: '>=', value: 1}"


def test_a_rule_counts_an_event_once() -> None:
    """A later revision of the same event does not fire the rule again."""
    events = [sighting("e1", revision=1, vehicle_color="red"), sighting("e1", revision=2, vehicle_color="red", reads=9)]
    assert len(run(engine(RED), events)) == 1


def test_a_later_revision_fires_what_did_not_fire_before() -> None:
    """A colour that is learned later, or a corrected identity, makes the alert then, with the id it would have had."""
    events = [sighting("e1", revision=1), sighting("e1", revision=2, vehicle_color="red")]
    [late] = run(engine(RED), events)
    [early] = run(engine(RED), events[1:])
    assert late.alert_id == early.alert_id == keys.alert_id("r", events[0].match_key, "e1")
    corrected = [
        sighting("e1", revision=1, plate_text="XY1", match_key="XY1"),
        sighting("e1", revision=2, plate_text="XY7", match_key="XY1", resolved_text="XY7"),
    ]
    assert [alert.key for alert in run(engine("{plate: XY7}"), corrected)] == ["XY1"]


def test_a_suppressed_event_is_counted_too() -> None:
    """Its revisions are not counted again, so the next alert reports it once."""
    made = engine(ANY, suppress="10m")
    events = [sighting("e1", 0, plate_text="A1"), *[sighting("e2", 60, plate_text="A1", revision=n) for n in (1, 2, 3)]]
    [first, second] = run(made, [*events, sighting("e3", 600, plate_text="A1")])
    assert (first.proof.suppressed, second.proof.suppressed) == (0, 1)


def test_suppression_is_per_key_and_ends_when_it_ends() -> None:
    """Exactly at its end the next match alerts; another plate is not held back."""
    made = engine(ANY, suppress="{for: 10m}")
    events = [
        sighting("e1", 0, plate_text="A1"),
        sighting("e2", 599.999, plate_text="A1"),
        sighting("e3", 600, plate_text="A1"),
        sighting("e4", 0, plate_text="B2"),
    ]
    assert [alert.proof.event_ids[0] for alert in run(made, events)] == ["e1", "e3", "e4"]


def test_held_back_matches_do_not_lengthen_the_suppression() -> None:
    """Suppression counts from the last alert, so a vehicle that stays alerts again and again, at its pace."""
    made = engine(ANY, suppress="10m")
    events = [sighting(f"e{n}", n * 300, plate_text="A1") for n in range(7)]
    alerts = run(made, events)
    assert [alert.proof.event_ids[0] for alert in alerts] == ["e0", "e2", "e4", "e6"]
    assert [alert.proof.suppressed for alert in alerts] == [0, 1, 1, 1]


def test_late_sightings_are_judged_at_their_own_time() -> None:
    """A sighting that comes late is held back only near an alert in event time, before or after it."""
    made = engine(ANY, suppress="10m")
    events = [
        sighting("now", 86_400, plate_text="A1"),
        sighting("near", 86_400 - 300, plate_text="A1"),
        sighting("far", 0, plate_text="A1"),
        sighting("far2", 60, plate_text="A1"),
    ]
    assert [alert.proof.event_ids[0] for alert in run(made, events)] == ["now", "far"]


def test_suppression_by_another_key() -> None:
    """by: names what must be the same; the group of the alert is another matter."""
    made = engine(ANY, suppress="{for: 10m, by: [plate, camera_id]}", group_by="site_id")
    events = [
        sighting("e1", 0, plate_text="A1", camera_id="in", site_id="s"),
        sighting("e2", 1, plate_text="A1", camera_id="out", site_id="s"),
        sighting("e3", 2, plate_text="A1", camera_id="in", site_id="s"),
    ]
    alerts = run(made, events)
    assert [alert.proof.event_ids[0] for alert in alerts] == ["e1", "e2"]
    assert {alert.key for alert in alerts} == {"s"}
    assert {alert_key(alert) for alert in alerts} == {b"r|s"}


def test_misreads_stay_in_their_plate_s_group() -> None:
    """A plate and its confusable misread are one vehicle to grouping and suppression."""
    made = engine(ANY, suppress="10m", group_by="plate_text")
    assert len(run(made, [sighting("e1", plate_text="AB0"), sighting("e2", plate_text="A8O")])) == 1


def test_rules_are_independent() -> None:
    """Each rule has its own suppression and its own alert."""
    made = Engine(
        rules("""
        rules:
          - {id: a, match: {field: reads, op: ">=", value: 1}, suppress: 1h}
          - {id: b, match: {field: reads, op: ">=", value: 1}}
          - {id: c, enabled: false, match: {field: reads, op: ">=", value: 1}}
        """)
    )
    alerts = run(made, [sighting("e1", 0, plate_text="A1"), sighting("e2", 1, plate_text="A1")])
    assert [(alert.rule.id, alert.proof.event_ids[0]) for alert in alerts] == [("a", "e1"), ("b", "e1"), ("b", "e2")]
    assert len({alert.alert_id for alert in alerts}) == 3


def test_what_does_not_match_touches_no_memory() -> None:
    """Most sightings cost no read and no write."""
    made = engine(RED)
    assert made.match(sighting(vehicle_color="blue")) is None
    assert dict(made.evaluate(sighting(vehicle_color="blue"), {}).changes) == {}


def test_match_names_the_memory_that_decide_asks_for() -> None:
    """With nothing but the named keys, deciding gives what it gives with everything."""
    made = engine(ANY, suppress="10m")
    memory: dict[bytes, bytes | None] = {}
    for event in [sighting("e1", 0, plate_text="A1"), sighting("x", 0, plate_text="B2")]:
        memory.update(made.evaluate(event, memory).changes)
    match = made.match(sighting("e2", 60, plate_text="A1"))
    assert match is not None
    assert made.decide(match, {key: memory.get(key) for key in match.keys}) == made.decide(match, memory)


def test_the_alert_carries_its_proof() -> None:
    """Event, each condition with what it saw, images, actions, severity, freshness and the trigger's fields."""
    made = engine(
        f"{{all: [{RED}, {{not: {{sites: office}}}}, {{any: [{{plate: XX1}}, {{plate: AB0123}}]}}]}}",
        severity="critical", freshness="5m", actions="[{type: email, to: a@example.org}]", name="Red car",
        runbook="https://wiki/red", description="d",
    )  # fmt: skip
    event = sighting(plate_text="ABO123", vehicle_color="Red", site_id="depot", plate_image_url="s3://b/k.jpg")
    [alert] = run(made, [event])
    assert [(each.field, each.operator, each.expected, each.observed) for each in alert.proof.conditions] == [
        ("vehicle_color", "equals", "red", "Red"),
        ("site_id", "not in", "office", "depot"),
        ("plate", "is", "AB0123", "ABO123, likelihood 0.02955 (O for 0 at 3)"),
    ]
    assert alert.proof.event_ids == ("e1",)
    assert alert.proof.matched_plate == "AB0123"
    assert alert.proof.likelihood is not None
    assert 0.02 < alert.proof.likelihood < 0.05
    assert (alert.severity, alert.freshness_s, alert.fired_at) == ("critical", 300.0, START_US)
    assert alert.rule.name == "Red car"
    assert alert.images.plate_url == "s3://b/k.jpg"
    assert [action.params for action in alert.actions] == [{"to": "a@example.org"}]
    assert alert.message == "Red car: ABO123 at gate (depot); listed AB0123, likelihood 0.03 (O for 0 at 3)"
    assert alert.context["vehicle_color"] == "Red"
    assert alert.context["runbook"] == "https://wiki/red"
    assert "vehicle_make" not in alert.context


def test_explain_shows_every_condition() -> None:
    """Also those that did not hold, with the value they saw."""
    made = engine(f"{{all: [{RED}, {{field: vehicle_make, op: equals, value: Volvo}}]}}")
    [explanation] = made.explain(sighting(vehicle_color="blue"))
    assert explanation.finding.holds is False
    assert [(part.holds, part.observed) for part in explanation.finding.parts] == [(False, "blue"), (None, "unknown")]


def test_the_version_is_the_meaning() -> None:
    """Order, spelling, name and comments do not change it; a threshold, an action or a severity do."""
    base = rule("{all: [{field: vehicle_color, op: in, value: [Red, blue]}, {plate: [AB-1, XY*]}]}", suppress="10m")
    same = rule(
        "[{plate: [xy*, ab1]}, {field: vehicle.color, operator: in_list, value: [BLUE, red]}]",
        suppress="{for: 600, by: plate}", name="Other", description="Other", tests="[]",
    )  # fmt: skip
    assert same.version == base.version
    match = "{all: [{field: vehicle_color, op: in, value: [Red, blue]}, {plate: [AB-1, XY*]}]}"
    others = [
        rule(match, suppress="11m"),
        rule(match, suppress="10m", severity="high"),
        rule(match, suppress="10m", actions="[{type: email}]"),
        rule(match.replace("AB-1", "AB-2"), suppress="10m"),
        rule(match.replace("all", "any"), suppress="10m"),
    ]
    assert len({base.version, *[other.version for other in others]}) == len(others) + 1


def test_what_can_be_forgotten_is_found_in_key_order() -> None:
    """After the keeping time a sighting's count, a group's state and its mark lie in the ranges; not before."""
    made = engine(ANY, suppress="10m")
    memory: dict[bytes, bytes | None] = {}
    for event in [sighting("e1", 0, plate_text="A1"), sighting("e2", 3600, plate_text="A1")]:
        memory.update(made.evaluate(event, memory).changes)
    there = {key: value for key, value in memory.items() if value is not None}
    assert sorted(key[:1] for key in there) == [COUNTED, COUNTED, QUIET, EXPIRY]

    def forgettable(now_us: int) -> set[bytes]:
        ranges = [expiry_range(kind, now_us) for kind in (COUNTED, EXPIRY)]
        old = [key for key in there for start, stop in ranges if start <= key < stop]
        return {gone for key in old for gone in forgotten_by(key)}

    assert forgettable(START_US + KEEP_US) == set()
    assert {key[:1] for key in forgettable(START_US + KEEP_US + MICROS_PER_S)} == {COUNTED}
    assert forgettable(START_US + KEEP_US + 3601 * MICROS_PER_S) == set(there)


def test_an_exponential_suppression_doubles_and_rests() -> None:
    """While matches go on the silence doubles up to its bound, what it held back is told; rest halves it again."""
    made = engine(ANY, suppress="{for: 10s, realert: exponential, max: 40s}")
    every_5_s = [sighting(f"e{n}", n * 5, plate_text="AB1") for n in range(40)]
    alerts = run(made, every_5_s)
    assert [round((alert.fired_at - START_US) / MICROS_PER_S) for alert in alerts] == [0, 10, 30, 70, 110, 150, 190]
    assert [alert.proof.suppressed for alert in alerts] == [0, 1, 3, 7, 7, 7, 7]
    rested = run(
        made, [*every_5_s, sighting("l1", 190 + 1000, plate_text="AB1"), sighting("l2", 1200, plate_text="AB1")]
    )
    assert [alert.proof.event_ids[0] for alert in rested[-2:]] == ["l1", "l2"]


def test_a_late_match_leaves_a_growing_silence_alone() -> None:
    """A match between older alerts is judged at its own time and does not change how long the last one is silent."""
    made = engine(ANY, suppress="{for: 10s, realert: exponential, max: 1h}")
    at_s = (0, 11, 1000, 500, 1009, 1011)
    alerts = run(made, [sighting(f"e{n}", at, plate_text="AB1") for n, at in enumerate(at_s)])
    assert [alert.proof.event_ids[0] for alert in alerts] == ["e0", "e1", "e2", "e3", "e5"]


def test_states_survive_their_bytes() -> None:
    """Encoding and decoding give the same state; nothing decodes to an empty one."""
    for state in (Quiet(), Quiet((1, 2), 3), Quiet((1,), 0, 2)):
        assert Quiet.decode(state.encode()) == state
    assert Counted.decode(Counted(("a", "ü")).encode()) == Counted(("a", "ü"))
    assert (Quiet.decode(None), Counted.decode(None)) == (Quiet(), Counted())


def test_long_groups_and_old_times_make_good_keys() -> None:
    """An extra of any length groups; a capture before 1970 sorts before one after it."""
    made = engine(ANY, suppress="{for: 1m, by: extras.text}")
    long = "ü" * 4000
    events = [sighting("e1", extras={"text": long}), sighting("e2", extras={"text": long + "x"})]
    assert len(run(made, events)) == 2
    old = made.match(sighting("e1", captured_at="1950-01-01T00:00:00Z"))
    new = made.match(sighting("e1"))
    assert old is not None
    assert new is not None
    assert old.keys[0] < new.keys[0]
