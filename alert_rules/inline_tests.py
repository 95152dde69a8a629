"""Runs the tests that stand in rule files, with the same engine that runs live."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from alert_rules.correlations.offline import Correlations
from alert_rules.engine import Engine
from alert_rules.errors import Place
from alert_rules.loading import RuleSet
from alert_rules.reading.rule_tests import BASE_US
from alert_rules.rule import ExpectedAlert, Rule, RuleTest
from alert_rules.watchlists import Watchlists
from schemas.clock import to_iso
from schemas.events import Alert


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """The outcome of one test.

    Attributes:
        failures: places and what was different there; empty when the test passed.
    """

    rule: Rule
    test: RuleTest
    failures: tuple[tuple[Place, str], ...]

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.failures


def run_tests(rules: RuleSet) -> Iterator[TestOutcome]:
    """Run every inline test; each sees its own rule, switched on, and its own watchlists."""
    for rule in rules.rules:
        for test in rule.tests:
            failures = differences(test.alerts, test.place, _run(rule, test))
            yield TestOutcome(rule, test, tuple(failures))


def _run(rule: Rule, test: RuleTest) -> list[Alert]:
    rules, watchlists = RuleSet((replace(rule, enabled=True),)), Watchlists(test.watchlists)
    if rule.correlation is not None:
        return _run_correlation(Correlations(rules.rules, watchlists), test)
    engine = Engine(rules, watchlists)
    memory: dict[bytes, bytes | None] = {}
    alerts: list[Alert] = []
    for sighting in test.events:
        decision = engine.evaluate(sighting, memory)
        memory.update(decision.changes)
        alerts.extend(decision.alerts)
    return alerts


def _run_correlation(correlations: Correlations, test: RuleTest) -> list[Alert]:
    times = [event.captured_at for event in test.events]
    correlations.advance(min([BASE_US, *times]) - 1)
    for sighting in test.events:
        correlations.take(sighting)
    return correlations.advance(max(times, default=BASE_US) + test.until_us).alerts


def differences(
    expected: tuple[ExpectedAlert, ...] | int, place: Place, alerts: list[Alert]
) -> Iterator[tuple[Place, str]]:
    """Places and what is different there, between the alerts that a rule was to raise and those that it raised.

    Args:
        expected: in the order of the alerts; or how many.
        place: of the expectation.
        alerts: of one rule.
    """
    wanted_count = expected if isinstance(expected, int) else len(expected)
    if len(alerts) != wanted_count:
        fired = "; ".join(f"{to_iso(alert.fired_at)} {alert.message!r:.80}" for alert in alerts[:5]) or "none"
        yield place, f"expected {wanted_count} alerts, {len(alerts)} fired: {fired}"
        return
    if not isinstance(expected, int):
        for wanted, alert in zip(expected, alerts, strict=True):
            for difference in _differences(wanted, alert):
                yield wanted.place, difference


def _differences(wanted: ExpectedAlert, alert: Alert) -> Iterator[str]:
    if wanted.at_us is not None and wanted.at_us != alert.fired_at:
        yield f"expected at {to_iso(wanted.at_us)}, fired at {to_iso(alert.fired_at)}"
    seen = {
        "key": alert.key,
        "severity": alert.severity,
        "message": alert.message,
        "matched_plate": alert.proof.matched_plate or "",
        "suppressed": str(alert.proof.suppressed),
        "camera_id": alert.camera_id or "",
        "site_id": alert.site_id or "",
        "plate_text": alert.plate_text or "",
        "event_id": alert.proof.event_ids[-1] if alert.proof.event_ids else "",
    }
    for name, value in wanted.fields.items():
        if seen[name] != value:
            yield f"expected {name} {value!r:.100}, found {seen[name]!r:.100}"
