"""Tests in rule files fail when the rule does something else, and say what."""

import pytest

from alert_rules.inline_tests import TestOutcome as Outcome
from alert_rules.inline_tests import run_tests
from tests.unit.alert_rules.builders import rules

FILE = """
rules:
  - id: r
    enabled: false
    match: [{{field: vehicle_color, op: equals, value: red}}, {{not: {{watchlist: permits}}}}]
    suppress: 10m
    severity: high
    message: "{{plate_text}} at {{camera_id}}"
    tests:
      - name: t
        watchlists: {{permits: [CD2]}}
        events:
          - {{at: 0s, plate_text: AB1, vehicle_color: red, camera_id: gate}}
          - {{at: 5m, plate_text: AB1, vehicle.color: Red}}
          - {{at: 5m, plate_text: CD2, vehicle: {{color: red}}}}
          - {{at: 10m, plate: {{text: AB1, confidence: 0.5}}, vehicle_color: red, event_id: last}}
        alerts: {alerts}
"""


def outcome(alerts: str) -> Outcome:
    """The outcome when these alerts are expected."""
    [found] = run_tests(rules(FILE.format(alerts=alerts)))
    return found


@pytest.mark.parametrize(
    "alerts",
    [
        "2",
        "[{}, {}]",
        "[{at: 0s}, {at: 10m}]",
        "[{message: AB1 at gate, severity: high, key: A81}, {suppressed: 1, event_id: last, plate_text: AB1}]",
        "[{at: 2026-01-05T00:00:00Z, camera_id: gate}, {camera_id: camera}]",
    ],
)
def test_what_is_expected_passes(alerts: str) -> None:
    """Only what is named is compared; a rule that is switched off is tested all the same."""
    assert outcome(alerts).failures == ()


@pytest.mark.parametrize(
    ("alerts", "difference"),
    [
        ("0", "expected 0 alerts, 2 fired: 2026-01-05T00:00:00.000000Z 'AB1 at gate'; 2026-01-05T00:10"),
        ("[{}]", "expected 1 alerts, 2 fired"),
        ("3", "expected 3 alerts, 2 fired"),
        ("[{at: 1s}, {}]", "expected at 2026-01-05T00:00:01.000000Z, fired at 2026-01-05T00:00:00.000000Z"),
        ("[{}, {suppressed: 0}]", "expected suppressed '0', found '1'"),
        ("[{message: AB1}, {}]", "expected message 'AB1', found 'AB1 at gate'"),
        ("[{matched_plate: AB1}, {}]", "expected matched_plate 'AB1', found ''"),
    ],
)
def test_what_is_different_is_said(alerts: str, difference: str) -> None:
    """A failure has its place and both sides."""
    [(place, text)] = outcome(alerts).failures
    assert text.startswith(difference)
    assert place.source == "rules.yml"
