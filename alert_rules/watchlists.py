"""Watchlists: named lists of plates and patterns, looked up by index. Entries come from files and from the topic."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alert_rules.plate_patterns import PlateHit, PlateIndex, PlatePattern
from alert_rules.plate_reads import PlateReads
from schemas.events import Sighting, WatchlistEntry


@dataclass(frozen=True, slots=True)
class WatchlistHit:
    """An entry that a sighting hit."""

    entry: WatchlistEntry
    hit: PlateHit


class Watchlists:
    """All watchlists of a process. Entries are replaced by their list and entry id."""

    def __init__(self, entries: Iterable[WatchlistEntry] = ()) -> None:
        self._entries: dict[tuple[str, str], tuple[WatchlistEntry, PlatePattern]] = {}
        self._lists: dict[str, PlateIndex[WatchlistEntry]] = {}
        self._sizes: dict[str, int] = {}
        for entry in entries:
            self.put(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[WatchlistEntry]:
        return (entry for entry, _ in self._entries.values())

    @property
    def sizes(self) -> dict[str, int]:
        """List id to number of entries."""
        return dict(self._sizes)

    def put(self, entry: WatchlistEntry) -> None:
        """Add an entry, or replace the one with its ids.

        Raises:
            ValueError: its plate is neither a plate nor a pattern; nothing has changed then.
        """
        pattern = PlatePattern.parse(entry.plate)
        self.remove(entry.list_id, entry.entry_id)
        self._entries[entry.list_id, entry.entry_id] = (entry, pattern)
        self._lists.setdefault(entry.list_id, PlateIndex()).add(pattern, entry)
        self._sizes[entry.list_id] = self._sizes.get(entry.list_id, 0) + 1

    def remove(self, list_id: str, entry_id: str) -> None:
        """Take an entry out; nothing happens where it is not there."""
        known = self._entries.pop((list_id, entry_id), None)
        if known is not None:
            entry, pattern = known
            self._lists[list_id].remove(pattern, entry)
            self._sizes[list_id] -= 1
            if not self._sizes[list_id]:
                del self._sizes[list_id], self._lists[list_id]

    def best_hit(
        self, list_ids: Iterable[str], sighting: Sighting, reads: PlateReads, threshold: float | None, exact: bool
    ) -> WatchlistHit | None:
        """The most likely entry of some lists; None where none is hit.

        An entry counts while it is valid at the sighting's capture, at its sites, and for its region where the reader
        saw one. Equal likelihoods are ordered by the entry's ids, so that the same input gives the same alert.
        """
        best: WatchlistHit | None = None
        best_rank: tuple[float, bool, str, str] | None = None
        for list_id in list_ids:
            index = self._lists.get(list_id)
            if index is None:
                continue
            for hit, entry in index.hits(reads, threshold, exact):
                if not applies(entry, sighting):
                    continue
                rank = (-hit.likelihood, not hit.exact, entry.list_id, entry.entry_id)
                if best_rank is None or rank < best_rank:
                    best, best_rank = WatchlistHit(entry, hit), rank
        return best


def applies(entry: WatchlistEntry, sighting: Sighting) -> bool:
    """Whether an entry counts for a sighting: time, site and region."""
    at = sighting.captured_at
    if entry.valid_from is not None and at < entry.valid_from:
        return False
    if entry.valid_until is not None and at >= entry.valid_until:
        return False
    if entry.sites and sighting.site_id not in entry.sites:
        return False
    seen = sighting.plate.region if sighting.plate is not None else None
    return entry.region is None or seen is None or _same_region(entry.region, seen)


def _same_region(listed: str, seen: str) -> bool:
    """``de`` covers ``de-by`` and the other way round: one of them merely says less."""
    a, b = listed.casefold(), seen.casefold()
    return a == b or a.startswith(b + "-") or b.startswith(a + "-")
