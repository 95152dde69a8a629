"""The plate is on a watchlist."""

from dataclasses import dataclass
from typing import Any

from alert_rules.conditions.plate import observed_plate
from alert_rules.facts import Facts
from alert_rules.finding import Finding, Truth
from alert_rules.watchlists import WatchlistHit


@dataclass(frozen=True, slots=True)
class WatchlistMatch:
    """``watchlist: NAME`` or ``watchlist: {list: [..], likelihood: 0.5, exact: false}``.

    Attributes:
        list_ids: lists that are looked through.
        threshold: least likelihood; None for the defaults (`alert_rules.plate_patterns`).
        exact: only the same text counts.
    """

    list_ids: tuple[str, ...]
    threshold: float | None = None
    exact: bool = False

    def holds(self, facts: Facts) -> Truth:
        """Whether an entry that applies here and now is hit; unknown for an unreadable plate."""
        if not facts.reads.texts:
            return None
        return facts.watchlist_hit(self.list_ids, self.threshold, self.exact) is not None

    def explain(self, facts: Facts) -> Finding:
        """The most likely entry, with its reason and what contradicts it."""
        found = facts.watchlist_hit(self.list_ids, self.threshold, self.exact)
        hit = found.hit if found is not None else None
        holds = None if not facts.reads.texts else found is not None
        expected = ", ".join(self.list_ids)
        observed = observed_plate(facts, hit)
        if found is not None:
            expected, observed = _entry_words(found), observed + _contradictions(found, facts)
        return Finding(holds, "watchlist", "has", expected, observed, hit)

    def canonical(self) -> Any:
        """Order and repetition mean nothing."""
        return ["watchlist", sorted(set(self.list_ids)), self.threshold, self.exact]


def _entry_words(found: WatchlistHit) -> str:
    entry = found.entry
    return f"{entry.list_id}: {found.hit.listed}" + (f" ({entry.reason})" if entry.reason else "")


def _contradictions(found: WatchlistHit, facts: Facts) -> str:
    """What the vehicle looks like where the entry expects something else: a misread, or a plate on a wrong car."""
    vehicle = facts.sighting.vehicle
    if vehicle is None:
        return ""
    pairs = (("colour", found.entry.vehicle_color, vehicle.color), ("make", found.entry.vehicle_make, vehicle.make))
    return "".join(
        f"; {name} {seen}, expected {listed}"
        for name, listed, seen in pairs
        if listed and seen and listed.casefold() != seen.casefold()
    )
