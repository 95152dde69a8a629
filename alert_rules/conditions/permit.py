"""The vehicle is permitted: by an entry of kind ``permit`` that holds here and now."""

from dataclasses import dataclass
from typing import Any

from alert_rules.conditions.boolean import AllOf, AnyOf, Not
from alert_rules.conditions.plate import observed_plate
from alert_rules.facts import Facts
from alert_rules.finding import Condition, Finding, Truth
from alert_rules.permits import MIN_ODDS, Grant, Verdict

UNKNOWN, REFUSED = "unknown", "refused"
AMBIGUOUS = (UNKNOWN, REFUSED)
MAX_REASONS = 3


@dataclass(frozen=True, slots=True)
class PermitMatch:
    """``permit: NAME`` or ``permit: {list: [..], likelihood: 0.8, odds: 3, ambiguous: unknown}``.

    Attributes:
        list_ids: lists that are looked through (`alert_rules.permits`).
        likelihood: least one; None for the entries' own.
        odds: how many times as likely as the next plate the permitted one must be.
        ambiguous: what a read is that may be a permitted plate or another: ``unknown``, or ``refused``.
    """

    list_ids: tuple[str, ...]
    likelihood: float | None = None
    odds: float = MIN_ODDS
    ambiguous: str = UNKNOWN

    def holds(self, facts: Facts) -> Truth:
        """Whether a permit holds and its quota is left; unknown for an unreadable or ambiguous plate."""
        if not facts.reads.texts:
            return None
        return self._decided(facts, self._verdict(facts))[0]

    def explain(self, facts: Facts) -> Finding:
        """The permit, or why there is none."""
        expected = ", ".join(self.list_ids)
        if not facts.reads.texts:
            return Finding(None, "permit", "has", expected, observed_plate(facts, None))
        verdict = self._verdict(facts)
        holds, grant = self._decided(facts, verdict)
        if grant is not None:
            entry, hit = grant.entry, grant.hit
            expected = f"{entry.list_id}: {hit.listed}" + (f" ({entry.reason})" if entry.reason else "")
            quota = "" if grant.use is None else f"; {facts.quotas.words(grant.use)}"
            return Finding(holds, "permit", "has", expected, observed_plate(facts, hit) + quota, hit)
        used_up = [f"{each.entry.list_id}: {each.hit.listed} {facts.quotas.words(each.use)}"
                   for each in verdict.grants if each.use is not None]  # fmt: skip
        reasons = [*used_up, *verdict.doubts, *verdict.refusals][:MAX_REASONS] or ["unknown plate"]
        return Finding(holds, "permit", "has", expected, f"{observed_plate(facts, None)}: {'; '.join(reasons)}")

    def canonical(self) -> Any:
        """Order and repetition mean nothing."""
        return ["permit", sorted(set(self.list_ids)), self.likelihood, self.odds, self.ambiguous]

    def _verdict(self, facts: Facts) -> Verdict:
        return facts.permit(self.list_ids, self.likelihood, self.odds)

    def _decided(self, facts: Facts, verdict: Verdict) -> tuple[Truth, Grant | None]:
        for grant in verdict.grants:
            if grant.use is None or facts.quotas.left(grant.use):
                return True, grant
        return (None if verdict.doubts and self.ambiguous == UNKNOWN else False), None


def asks_for_permits(condition: Condition) -> bool:
    """Whether a condition, or one below it, is about permits."""
    if isinstance(condition, Not):
        return asks_for_permits(condition.part)
    if isinstance(condition, AllOf | AnyOf):
        return any(map(asks_for_permits, condition.parts))
    return isinstance(condition, PermitMatch)
