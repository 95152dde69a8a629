"""How the correlations stand with a sighting, worked out from what came before it: what a window holds, what lacks."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.offline import Correlations
from alert_rules.correlations.plan import Plan
from alert_rules.facts import Facts
from alert_rules.rule import Rule
from alert_rules.watchlists import Watchlists
from schemas.events import Alert, Sighting


@dataclass(frozen=True, slots=True)
class Standing:
    """A rule's group with a sighting.

    Attributes:
        group: the group's key.
        words: what is looked for and what is there.
        alerts: what the group raised with the sighting.
    """

    rule: Rule
    group: str
    words: str
    alerts: tuple[Alert, ...]


def standings(
    rules: Iterable[Rule], watchlists: Watchlists, history: Iterable[Sighting], sighting: Sighting
) -> list[Standing]:
    """The groups of correlations that a sighting counts for.

    Args:
        rules: any; those without a correlation are passed over.
        watchlists: the lists in force.
        history: sightings, in any order; those after the sighting, and itself, are passed over.
        sighting: what is asked about.
    """
    plan = Plan(rules)
    facts = Facts(sighting, watchlists)
    counting = [
        (rule, group)
        for rule in plan.rules
        if sighting.merged_into is None and rule.match.holds(facts) and _is_tagged(rule, facts)
        for group in plan.groups(rule, facts)
    ]
    if not counting:
        return []
    at_us = sighting.captured_at
    before = [each for each in history if each.captured_at <= at_us and each.event_id != sighting.event_id]
    correlations = Correlations(dict.fromkeys(rule for rule, _ in counting), watchlists)
    correlations.advance(min((each.captured_at for each in before), default=at_us) - 1)
    for each in before:
        correlations.take(each)
    correlations.advance(at_us - 1)
    correlations.take(sighting)
    alerts = correlations.advance(at_us).alerts
    return [
        Standing(rule, group, correlations.explain(rule.id, group), tuple(_of(alerts, rule, sighting)))
        for rule, group in counting
    ]


def _of(alerts: Iterable[Alert], rule: Rule, sighting: Sighting) -> Iterable[Alert]:
    """The alerts of a rule that a sighting has a part in."""
    return (alert for alert in alerts if alert.rule.id == rule.id and sighting.event_id in alert.proof.event_ids)


def _is_tagged(rule: Rule, facts: Facts) -> bool:
    correlation = rule.correlation
    assert correlation is not None
    return not correlation.only_tagged or bool(correlation.tags(facts))
