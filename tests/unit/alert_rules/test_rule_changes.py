"""A rule changes at an event time: what came before is for the old version, whenever it is decided."""

import random
from dataclasses import replace

import pytest

from alert_rules.backtest import backtest
from alert_rules.engine import Engine
from alert_rules.errors import RuleFileError
from alert_rules.loading import RuleSet
from schemas.clock import MICROS_PER_S
from schemas.events import Alert, Sighting
from tests.unit.alert_rules.builders import START_US, rules, sighting

HOUR_S = 3600
OLD = """\
rules:
  - {id: gate, match: {cameras: gate-1}, suppress: 30m}
"""
OLD_ENDS = """\
rules:
  - {id: gate, match: {cameras: gate-1}, suppress: 30m, valid_until: "2026-01-05T10:00:00Z"}
"""
CHANGED = (
    OLD_ENDS
    + """\
  - {id: gate, match: {cameras: [gate-1, gate-2]}, suppress: 30m, severity: high, valid_from: "2026-01-05T10:00:00Z"}
"""
)
COUNTING = "rules:\n  - {{id: often, timespan: 10m, correlation: {{type: event_count, condition: {{gte: 3}}}}{}}}\n"
CHANGE_S = 10 * HOUR_S


def versions(alerts: list[Alert]) -> set[str]:
    """Versions of the rule that fired."""
    return {alert.rule.version for alert in alerts}


def traffic(seed: int) -> list[Sighting]:
    """Sightings at two gates over twenty hours, some of them late by minutes."""
    chosen = random.Random(seed)
    events = [
        sighting(f"e{number}", number * 90, camera_id=f"gate-{chosen.randint(1, 2)}", plate_text=f"AB{number % 7}")
        for number in range(800)
    ]
    order = sorted(range(len(events)), key=lambda number: number + chosen.choice((0, 0, 0, 12)))
    return [events[number] for number in order]


def live(texts: list[tuple[int, str]], events: list[Sighting]) -> list[Alert]:
    """A worker that takes each text before the record of a number, and keeps its memory."""
    memory: dict[bytes, bytes | None] = {}
    alerts: list[Alert] = []
    engine = Engine(RuleSet())
    for number, event in enumerate(events):
        for at, text in texts:
            if at == number:
                engine = Engine(rules(text))
        decision = engine.evaluate(event, memory)
        memory.update(decision.changes)
        alerts += decision.alerts
    return alerts


@pytest.mark.parametrize("seed", range(5))
def test_a_backtest_over_a_change_gives_the_alerts_of_the_live_run(seed: int) -> None:
    """When exactly a worker takes the changed file does not matter, as long as it comes before its time."""
    events = traffic(seed)
    first_after = next(n for n, event in enumerate(events) if event.captured_at >= START_US + CHANGE_S * MICROS_PER_S)
    past = [alert for _, decision in backtest(Engine(rules(CHANGED)), events) for alert in decision.alerts]
    for taken_at in (1, first_after // 2, first_after):
        alerts = live([(0, OLD_ENDS), (taken_at, CHANGED)], events)
        assert alerts == past
    assert len(versions(past)) == 2
    late = [alert for alert in live([(0, CHANGED)], events[first_after:]) if alert.severity == "medium"]
    assert all(alert.captured_at < START_US + CHANGE_S * MICROS_PER_S for alert in late)


def test_suppression_goes_on_over_a_change() -> None:
    """The new version is quiet for what the old one has told, and tells how much it held back."""
    events = [
        sighting(f"e{number}", CHANGE_S + at_s, camera_id="gate-1", plate_text="AB1")
        for number, at_s in enumerate((-600, 600, 1300))
    ]
    alerts = live([(0, CHANGED)], events)
    assert [(alert.severity, alert.proof.suppressed) for alert in alerts] == [("medium", 0), ("high", 1)]


def test_an_end_that_is_set_voids_no_window() -> None:
    """A correlation counts on when it is told when to end, and does not count what comes after."""
    ends = rules(COUNTING.format(', valid_until: "2026-01-05T10:00:00Z"'))
    plain = rules(COUNTING.format(""))
    assert ends.rules[0].match.canonical() == plain.rules[0].match.canonical()
    assert ends.rules[0].version != plain.rules[0].version

    def fired(*at_s: int) -> int:
        events = [sighting(f"e{number}", CHANGE_S + at, plate_text="AB1") for number, at in enumerate(at_s)]
        return sum(len(decision.alerts) for _, decision in backtest(Engine(ends), events))

    assert fired(-120, -60, -1) == 1
    assert fired(-120, -60, 0) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OLD + OLD_ENDS.removeprefix("rules:\n"), "rule id 'gate' is taken by"),
        (CHANGED.replace('until: "2026-01-05T10', 'until: "2026-01-05T11'), "in part of its time"),
        ('rules: [{id: a, match: {cameras: x}, valid_from: soon}]', "'valid_from': expected a time"),
        (
            'rules: [{id: a, match: {cameras: x}, valid_from: "2026-01-02", valid_until: "2026-01-02"}]',
            "must lie before",
        ),
        (
            "rules: [{id: a, timespan: 1h, correlation: {type: flatline}, valid_from: 2026-01-02}]",
            "not for a correlation that fires by time alone",
        ),
        (
            COUNTING.format(', valid_from: "2026-01-02"')
            + COUNTING.format(', valid_until: "2026-01-02"').removeprefix("rules:\n"),
            "versions of a correlation need ids of their own",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_a_change_is_refused(text: str, words: str) -> None:
    """Versions that overlap, times that are none, and correlations whose silence would be taken for an event."""
    with pytest.raises(RuleFileError, match=words):
        rules(text)


def test_the_proof_tells_the_validity() -> None:
    """The alert of a version says from when on it is in force."""
    event = replace(sighting("e1", CHANGE_S, camera_id="gate-2", plate_text="AB1"))
    [alert] = live([(0, CHANGED)], [event])
    assert [each.expected for each in alert.proof.conditions if each.field == "captured_at"] == [
        "from 2026-01-05T10:00:00.000000Z"
    ]
