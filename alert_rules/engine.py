"""The engine: sightings in, alerts out. Pure: the same rules, sightings and memory give the same alerts, byte for byte.

Time is the sightings' event time. Deciding takes two steps, so that a caller with many sightings reads memory once:
`Engine.match` says which rules match and which keys of memory that touches (none for most sightings), `Engine.decide`
turns that into alerts and changes of memory. `Engine.evaluate` does both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from alert_rules.alerts import build_alert
from alert_rules.conditions.permit import asks_for_permits
from alert_rules.correlations.explanation import explain_rule
from alert_rules.correlations.realert import Realert, Silence
from alert_rules.facts import Facts, NotCounted
from alert_rules.finding import Finding
from alert_rules.loading import RuleSet
from alert_rules.memory import Counted, Quiet, counted_key, expiry_key, quiet_key
from alert_rules.permits import QuotaUse
from alert_rules.quotas import Counting, deciding, key_of
from alert_rules.rule import Rule
from alert_rules.rule_index import RuleIndex
from alert_rules.watchlists import Watchlists
from schemas.events import Alert, Sighting

Memory = Mapping[bytes, bytes | None]
"""What the engine remembers (`alert_rules.memory`); a missing key and None mean the same."""


@dataclass(frozen=True, slots=True)
class Match:
    """A sighting and the rules that it matches, before anything is remembered.

    Attributes:
        keys: the keys of memory that `Engine.decide` will ask for.
        on_quota: ids of rules that match or not by what is left of a permit's quota.
    """

    facts: Facts
    rules: tuple[Rule, ...]
    keys: tuple[bytes, ...]
    on_quota: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a sighting led to.

    Attributes:
        alerts: in the order of the rules.
        changes: of memory; None deletes.
        held_back: ids of rules that matched but are in their suppression.
    """

    alerts: tuple[Alert, ...] = ()
    changes: Mapping[bytes, bytes | None] = field(default_factory=dict)
    held_back: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a rule makes of a sighting."""

    rule: Rule
    finding: Finding


class Engine:
    """A rule set at work.

    Args:
        rules: those that are enabled count.
        watchlists: looked up anew at each sighting, so entries may come and go.
    """

    def __init__(self, rules: RuleSet, watchlists: Watchlists | None = None) -> None:
        self.rules = rules
        self.watchlists = watchlists if watchlists is not None else Watchlists()
        # a correlation decides over several sightings: `alert_rules.correlations`
        self._rules = tuple(rule for rule in rules.enabled if rule.correlation is None)
        self._index = RuleIndex(self._rules)
        self._with_permits = frozenset(rule.id for rule in self._rules if asks_for_permits(rule.match))

    def match(self, sighting: Sighting) -> Match | None:
        """The rules that a sighting matches; None for none, as for most sightings."""
        facts = Facts(sighting, self.watchlists)
        candidates = self._index.candidates(facts)
        if self._with_permits:
            return self._match_permits(facts, candidates)
        matched = tuple(rule for rule in candidates if rule.match.holds(facts))
        return self._matched(facts, matched) if matched else None

    def _match_permits(self, facts: Facts, candidates: list[Rule]) -> Match | None:
        """`match` where some rules ask for permits, whose quotas only memory knows."""
        matched: list[Rule] = []
        uses: dict[str, tuple[QuotaUse, ...]] = {}
        for rule in candidates:
            if rule.id not in self._with_permits:
                if rule.match.holds(facts):
                    matched.append(rule)
                continue
            may_hold, deciding_uses = deciding(rule, facts)
            if may_hold:
                matched.append(rule)
            if deciding_uses:
                uses[rule.id] = deciding_uses
        if not matched:
            return None
        found = self._matched(facts, tuple(matched))
        keys = [key_of(rule_id, use) for rule_id, each in uses.items() for use in each]
        return replace(found, keys=(*found.keys, *keys), on_quota=frozenset(uses)) if uses else found

    def _matched(self, facts: Facts, matched: tuple[Rule, ...]) -> Match:
        sighting = facts.sighting
        keys = [counted_key(sighting)]
        keys += [quiet_key(rule.id, rule.suppress.by.of(sighting)) for rule in matched if rule.suppress is not None]
        return Match(facts, matched, tuple(keys))

    def decide(self, match: Match, memory: Memory) -> Decision:
        """Alerts and changes of memory for a match.

        A rule counts a sighting once, whatever its revision. Within a rule's suppression a match is counted and held
        back; the count is in the proof of the next alert.

        Args:
            match: from `match`.
            memory: holds `Match.keys`, with the changes of earlier decisions applied.
        """
        sighting = match.facts.sighting
        counted_at = counted_key(sighting)
        counted = Counted.decode(memory.get(counted_at))
        changes: dict[bytes, bytes | None] = {}
        alerts: list[Alert] = []
        held_back: list[str] = []
        newly: list[str] = []
        for rule in match.rules:
            if rule.id in counted.rules:
                continue
            if rule.id in match.on_quota:
                match.facts.quotas = Counting(rule.id, sighting.event_id, memory, changes)
                if not rule.match.holds(match.facts):
                    continue
            elif self._with_permits:
                match.facts.quotas = NotCounted()
            newly.append(rule.id)
            suppressed = _suppress(rule, sighting, memory, changes)
            if suppressed is None:
                held_back.append(rule.id)
            else:
                alerts.append(build_alert(rule, match.facts, suppressed))
        if newly:
            changes[counted_at] = Counted(tuple(sorted((*counted.rules, *newly)))).encode()
        return Decision(tuple(alerts), changes, tuple(held_back))

    def evaluate(self, sighting: Sighting, memory: Memory) -> Decision:
        """`match` and `decide` in one."""
        match = self.match(sighting)
        return Decision() if match is None else self.decide(match, memory)

    def explain(self, sighting: Sighting) -> list[Explanation]:
        """What each enabled rule makes of a sighting, condition by condition; memory is left out."""
        facts = Facts(sighting, self.watchlists)
        return [Explanation(rule, explain_rule(rule, facts)) for rule in self.rules.enabled]


def _suppress(rule: Rule, sighting: Sighting, memory: Memory, changes: dict[bytes, bytes | None]) -> int | None:
    """Apply a rule's suppression.

    Returns:
        How many matches were held back before this alert; None where this one is held back too.
    """
    if rule.suppress is None:
        return 0
    key, at_us, for_us = quiet_key(rule.id, rule.suppress.by.of(sighting)), sighting.captured_at, rule.suppress.for_us
    realert = Realert(for_us, rule.suppress.max_us)
    quiet = Quiet.decode(changes.get(key, memory.get(key)))
    if quiet.covers(at_us, for_us, realert.silence_us(quiet.doublings)):
        changes[key] = Quiet(quiet.fired, quiet.held_back + 1, quiet.doublings).encode()
        return None
    after = quiet.after_alert(at_us, _doublings(quiet, realert, at_us))
    if quiet.fired:
        changes[_expiry(key, quiet, realert)] = None
    changes[_expiry(key, after, realert)] = b""
    changes[key] = after.encode()
    return quiet.held_back


def _expiry(key: bytes, quiet: Quiet, realert: Realert) -> bytes:
    """Key of the mark that says when a state with alerts means nothing any more."""
    last_us = quiet.fired[-1]
    if realert.max_us is None:
        return expiry_key(key, last_us, realert.for_us)
    return expiry_key(key, last_us, realert.over_us(Silence(last_us, quiet.doublings)) - last_us)


def _doublings(quiet: Quiet, realert: Realert, at_us: int) -> int:
    """Doublings after a new alert; one that comes late, before the last, changes nothing about the last one's."""
    if not quiet.fired:
        return 0
    if at_us < quiet.fired[-1]:
        return quiet.doublings
    return realert.next_doublings(Silence(quiet.fired[-1], quiet.doublings), at_us)
