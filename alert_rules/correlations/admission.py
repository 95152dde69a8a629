"""Which correlations a sighting counts for, and in which groups."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from alert_rules.conditions.boolean import AllOf, AnyOf
from alert_rules.correlations.alert import LIKELIHOOD, MATCHED_PLATE
from alert_rules.correlations.event import Seen, sighting_text
from alert_rules.correlations.plan import Part, Plan
from alert_rules.facts import Facts
from alert_rules.rule import Rule
from alert_rules.rule_index import RuleIndex
from alert_rules.watchlists import Watchlists
from schemas.events import Sighting


@dataclass(frozen=True, slots=True)
class Admitted:
    """A sighting counts for a group of a rule."""

    part: Part
    group: str
    event: Seen


class Admission:
    """Matches sightings against the correlation rules.

    Args:
        plan: the rules.
        watchlists: looked up at each sighting.
    """

    def __init__(self, plan: Plan, watchlists: Watchlists) -> None:
        self._plan = plan
        self._watchlists = watchlists
        self._index = RuleIndex(_narrowed(rule) for rule in plan.rules)

    def admit(self, sighting: Sighting) -> Iterable[Admitted]:
        """Where a sighting counts: nowhere, if it was merged into another one."""
        if sighting.merged_into is not None:
            return
        facts = Facts(sighting, self._watchlists)
        text: str | None = None
        for candidate in self._index.candidates(facts):
            part = self._plan.part(candidate.id, 0)
            assert part is not None
            rule = part.rule
            assert rule.correlation is not None
            if not rule.match.holds(facts):
                continue
            tags = rule.correlation.tags(facts)
            if rule.correlation.only_tagged and not tags:
                continue
            if text is None:
                text = sighting_text(sighting)
            notes = _notes(rule, facts) if rule.id in self._plan.naming else {}
            event = Seen.of(sighting, text, tags, notes)
            for group in self._plan.groups(rule, facts):
                yield Admitted(part, group, event)


def _narrowed(rule: Rule) -> Rule:
    """The rule as the index sees it: where only tagged events count, one of the conditions must hold."""
    correlation = rule.correlation
    if correlation is None or not correlation.only_tagged:
        return rule
    return replace(rule, match=AllOf((rule.match, AnyOf(tuple(condition for _, condition in correlation.conditions)))))


def _notes(rule: Rule, facts: Facts) -> dict[str, str]:
    """The listed plate that the match hit."""
    hits = rule.match.explain(facts).hits()
    hit = min(hits, key=lambda hit: (-hit.likelihood, hit.listed), default=None)
    return {} if hit is None else {MATCHED_PLATE: hit.listed, LIKELIHOOD: f"{hit.likelihood:.6g}"}
