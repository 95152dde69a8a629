"""Which correlations a sighting counts for, and in which groups."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_rules.correlations.alert import LIKELIHOOD, MATCHED_PLATE
from alert_rules.correlations.event import Seen
from alert_rules.correlations.plan import Part, Plan
from alert_rules.facts import Facts
from alert_rules.rule import Rule
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

    def admit(self, sighting: Sighting) -> Iterable[Admitted]:
        """Where a sighting counts: nowhere, if it was merged into another one."""
        if sighting.merged_into is not None:
            return
        facts = Facts(sighting, self._watchlists)
        for rule in self._plan.rules:
            assert rule.correlation is not None
            if not rule.match.holds(facts):
                continue
            tags = rule.correlation.tags(facts)
            if rule.correlation.only_tagged and not tags:
                continue
            part = self._plan.part(rule.id, 0)
            assert part is not None
            event = Seen(sighting, tags, _notes(rule, facts) if rule.id in self._plan.naming else {})
            for group in self._plan.groups(rule, facts):
                yield Admitted(part, group, event)


def _notes(rule: Rule, facts: Facts) -> dict[str, str]:
    """The listed plate that the match hit."""
    hits = rule.match.explain(facts).hits()
    hit = min(hits, key=lambda hit: (-hit.likelihood, hit.listed), default=None)
    return {} if hit is None else {MATCHED_PLATE: hit.listed, LIKELIHOOD: f"{hit.likelihood:.6g}"}
