"""All stages of the correlations in one process, for backtests, tests in rule files and property tests."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from alert_rules.correlations.driver import Correlator, Input, Passed, Step, Tick
from alert_rules.correlations.plan import Plan
from alert_rules.correlations.store import MemoryStore
from alert_rules.rule import Rule
from alert_rules.watchlists import Watchlists
from schemas.events import Alert, Sighting

SOURCE = "all"


@dataclass(slots=True)
class Outcome:
    """What sightings and time led to."""

    alerts: list[Alert] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)


class Correlations:
    """The correlations of a rule set, with memory that starts empty.

    Args:
        rules: those that are on.
        watchlists: looked up at each sighting.
    """

    def __init__(self, rules: Iterable[Rule], watchlists: Watchlists) -> None:
        plan = Plan(rules)
        self.is_empty = not plan.rules
        self._stages = [Correlator(plan, watchlists, stage) for stage in range(plan.stages)]
        self._stores = [MemoryStore() for _ in self._stages]

    def take(self, sighting: Sighting) -> Outcome:
        """A sighting, in any order; what it leads to comes with `advance`, but for one that is late."""
        return self._run([sighting])

    def advance(self, watermark_us: int) -> Outcome:
        """Let time pass: nothing more comes from up to this time, inclusive."""
        return self._run([Tick(SOURCE, watermark_us)])

    def explain(self, rule_id: str, group: str) -> str:
        """What a rule knows of a group, in words; of its first operator, where it has several."""
        for correlator, store in zip(self._stages, self._stores, strict=True):
            words = correlator.explain(store, rule_id, group)
            if words:
                return words
        return ""

    def _run(self, inputs: Iterable[Input]) -> Outcome:
        outcome = Outcome()
        if self.is_empty:
            return outcome
        for correlator, store in zip(self._stages, self._stores, strict=True):
            step = correlator.step(store, inputs)
            store.apply(step.changes)
            _add(outcome, step)
            inputs = [Tick(SOURCE, each.watermark_us) if isinstance(each, Passed) else each for each in step.outputs]
        outcome.alerts.sort(key=lambda alert: (alert.fired_at, alert.rule.id, alert.key, alert.alert_id))
        return outcome


def _add(outcome: Outcome, step: Step) -> None:
    outcome.alerts += step.alerts
    outcome.held_back += step.held_back.elements()
    outcome.late += step.late.elements()
