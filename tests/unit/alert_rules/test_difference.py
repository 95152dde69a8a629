"""Two runs compared: which alerts appear, vanish, change and stay."""

from alert_rules.difference import RuleCounts, compare
from tests.unit.alert_rules.builders import engine, run, sighting

EVENTS = [
    sighting("e1", 0, plate_text="AB1", vehicle_color="red"),
    sighting("e2", 60, plate_text="C2", vehicle_color="red"),
    sighting("e3", 120, plate_text="D3", vehicle_color="blue"),
]
RED = "{field: vehicle_color, op: equals, value: red}"
NOT_AB1 = "[{not: {plate: AB1}}, {field: vehicle_color, op: in, value: [red, blue]}]"


def test_the_same_rules_differ_in_nothing() -> None:
    """Every alert stays; an edit that only changes the version is no difference."""
    again = "{any: [{field: vehicle_color, op: equals, value: red}, {plate: ZZ99}]}"
    difference = compare(run(engine(RED), EVENTS), run(engine(again), EVENTS[:1]))
    assert [alert.proof.event_ids for alert in difference.vanished] == [("e2",)]
    same = compare(run(engine(RED), EVENTS), run(engine(RED), EVENTS))
    assert not same
    assert same.by_rule == {"r": RuleCounts(same=2)}


def test_what_appears_and_vanishes() -> None:
    """By the alert's id, in the order of event time, with counts by rule."""
    difference = compare(run(engine(RED), EVENTS), run(engine(NOT_AB1), EVENTS))
    assert [alert.proof.event_ids for alert in difference.appeared] == [("e3",)]
    assert [alert.proof.event_ids for alert in difference.vanished] == [("e1",)]
    assert difference.by_rule["r"].appeared == difference.by_rule["r"].vanished == 1
    assert difference


def test_what_reads_differently() -> None:
    """The same trigger with another severity or message names what differs."""
    difference = compare(run(engine(RED), EVENTS), run(engine(RED, severity="high", message="hello"), EVENTS))
    assert [each.parts for each in difference.changed] == [("severity", "message")] * 2
    assert difference.by_rule == {"r": RuleCounts(changed=2)}
