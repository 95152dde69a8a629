"""What was looked up for the latest sightings, kept for whoever asks next: plain rules and correlations ask the same.

Working out a plate's doubts and asking the lists for them is most of what a sighting costs that matches no rule.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alert_rules.plate_reads import PlateReads
from schemas.events import Sighting

if TYPE_CHECKING:
    from alert_rules.watchlists import WatchlistHit

REMEMBERED = 1_024
"""Sightings; a run of records has some hundred."""


@dataclass(slots=True)
class Lookups:
    """Of one sighting.

    Attributes:
        hits: by lists, threshold and whether only exact texts count.
    """

    sighting: Sighting
    reads: PlateReads
    hits: "dict[tuple[tuple[str, ...], float | None, bool], WatchlistHit | None]" = field(default_factory=dict)


class RecentHits:
    """The latest lookups. A sighting is told by identity: another object is looked up anew."""

    def __init__(self) -> None:
        self._by_id: dict[int, Lookups] = {}

    def of(self, sighting: Sighting) -> Lookups:
        """Those of a sighting, empty at first."""
        found = self._by_id.get(id(sighting))
        if found is None or found.sighting is not sighting:
            if len(self._by_id) >= REMEMBERED:
                self._by_id.clear()
            found = self._by_id[id(sighting)] = Lookups(sighting, PlateReads.of(sighting))
        return found

    def clear(self) -> None:
        """Forget all: the lists have changed."""
        self._by_id.clear()
