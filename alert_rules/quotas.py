"""Counts what sightings use of the quotas of permits, rule by rule.

A quota is about entries, and what an entry is the rule says: a sighting uses a quota in a rule where the quota decides
about the rule, the other conditions of which it meets. So the same permit may be asked for at the gate, where it
counts, and on the street, where it does not. Only the first that a sighting finds left is used.
"""

from collections.abc import Mapping

from alert_rules.facts import Facts, NotCounted
from alert_rules.memory import Used, used_key
from alert_rules.permits import QuotaUse
from alert_rules.rule import Rule


class Supposed:
    """Supposes that quotas are left, or used up, and remembers which were asked for.

    Args:
        is_left: what is supposed.
    """

    def __init__(self, *, is_left: bool) -> None:
        self.asked: dict[QuotaUse, None] = {}
        self._is_left = is_left

    def left(self, use: QuotaUse) -> bool:
        """What is supposed."""
        self.asked[use] = None
        return self._is_left

    def words(self, use: QuotaUse) -> str:
        """The quota alone."""
        return f"quota {use.words()}"


class Counting:
    """Quotas as a rule remembers them; what a sighting uses is counted.

    Args:
        rule_id: of the rule.
        event_id: of the sighting: its revisions use a quota once.
        memory: holds the keys of the uses.
        changes: of memory so far; what is used is added.
    """

    def __init__(
        self,
        rule_id: str,
        event_id: str,
        memory: Mapping[bytes, bytes | None],
        changes: dict[bytes, bytes | None],
    ) -> None:
        self._rule_id = rule_id
        self._event_id = event_id
        self._memory = memory
        self._changes = changes
        self._used: dict[QuotaUse, Used] = {}

    def left(self, use: QuotaUse) -> bool:
        """Whether the sighting may use the quota; it has then used it."""
        used = self._used_of(use)
        if self._event_id in used.event_ids:
            return True
        if len(used.event_ids) >= use.quota.entries:
            return False
        self._used[use] = used = Used((*used.event_ids, self._event_id))
        self._changes[key_of(self._rule_id, use)] = used.encode()
        return True

    def words(self, use: QuotaUse) -> str:
        """How much is used."""
        number = len(self._used_of(use).event_ids)
        state = "quota used up" if self._event_id not in self._used_of(use).event_ids else "quota"
        return f"{state}: {number} of {use.words()}"

    def _used_of(self, use: QuotaUse) -> Used:
        if use not in self._used:
            key = key_of(self._rule_id, use)
            self._used[use] = Used.decode(self._changes.get(key, self._memory.get(key)))
        return self._used[use]


def key_of(rule_id: str, use: QuotaUse) -> bytes:
    """Key of memory for what is used."""
    return used_key(rule_id, use.use, f"{use.quota.per} {use.period}", use.over_us)


def deciding(rule: Rule, facts: Facts) -> tuple[bool, tuple[QuotaUse, ...]]:
    """Whether a rule may hold, and the quotas that decide about it; none where they do not matter.

    Args:
        rule: one with permits.
        facts: of the sighting.
    """
    free, spent = Supposed(is_left=True), Supposed(is_left=False)
    facts.quotas = free
    if_left = rule.match.holds(facts) is True
    if not free.asked:
        facts.quotas = NotCounted()
        return if_left, ()
    facts.quotas = spent
    if_spent = rule.match.holds(facts) is True
    facts.quotas = NotCounted()
    if if_left == if_spent:
        return if_left, ()
    return True, tuple(dict.fromkeys((*free.asked, *spent.asked)))
