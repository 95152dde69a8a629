"""Search of past sightings for plates: what a list would have found, had it been there.

Found by the index and the likelihoods that decide live. What is found is marked as historical (`schemas.events.Alert`):
it asks for no notification, and the notifier sends none for it, whatever it says.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from alert_rules.alerts import build_alert
from alert_rules.conditions.plate import PlateMatch
from alert_rules.conditions.watchlist import WatchlistMatch
from alert_rules.errors import Place
from alert_rules.facts import Facts
from alert_rules.permit_terms import PERMIT
from alert_rules.plate_patterns import PlatePattern
from alert_rules.rule import Rule
from alert_rules.watchlists import Watchlists
from schemas.events import HISTORICAL, Alert, Sighting

PREFIX = "hunt:"
"""Begin of the rule id of what a search has found; ids of rules have no colon."""


class Hunt:
    """A search for the entries of lists, and for plates.

    An entry's validity does not count: what was listed today may have passed yesterday. Its sites and region do.

    Args:
        watchlists: have the lists.
        list_ids: lists that are searched for; permits are not.
        plates: plates and patterns that are searched for besides.
        threshold: least likelihood; None for the defaults.
        exact: only the same text counts.
    """

    def __init__(
        self,
        watchlists: Watchlists,
        list_ids: Sequence[str] = (),
        plates: Sequence[PlatePattern] = (),
        threshold: float | None = None,
        exact: bool = False,
    ) -> None:
        wanted = frozenset(list_ids)
        self._lists = Watchlists(
            replace(entry, valid_from=None, valid_until=None)
            for entry in watchlists
            if entry.list_id in wanted and entry.kind != PERMIT
        )
        self._rules = [
            Rule(f"{PREFIX}{name}", f"Search for {name}", WatchlistMatch((name,), threshold, exact), _NOWHERE)
            for name in dict.fromkeys(list_ids)
        ]
        if plates:
            match = PlateMatch(tuple(plates), threshold, exact)
            self._rules.append(Rule(f"{PREFIX}plate", "Search for a plate", match, _NOWHERE))

    def __len__(self) -> int:
        """How many entries of lists are searched for."""
        return len(self._lists)

    def search(self, sightings: Iterable[Sighting]) -> Iterator[Alert]:
        """Historical alerts, in the order of the sightings: one for each list and sighting, with its proof.

        The same sighting gives the same alert id in every search for the same list.
        """
        for sighting in sightings:
            if sighting.merged_into is not None:
                continue
            facts = Facts(sighting, self._lists)
            for rule in self._rules:
                if rule.match.holds(facts):
                    yield self._alert(rule, facts)

    def _alert(self, rule: Rule, facts: Facts) -> Alert:
        alert = build_alert(rule, facts, 0)
        words = {HISTORICAL: "true"}
        severity = alert.severity
        if isinstance(rule.match, WatchlistMatch):
            match = rule.match
            found = facts.watchlist_hit(match.list_ids, match.threshold, match.exact)
            assert found is not None
            severity = found.entry.priority
            words |= {"list_id": found.entry.list_id, "entry_id": found.entry.entry_id}
        return replace(alert, severity=severity, context=alert.context | words)


_NOWHERE = Place("alpr rules hunt")
