"""Watchlists: named lists of plates and patterns, looked up by index. Entries come from files and from the topic."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alert_rules.entry_table import EntryId, EntryTable, id_of, list_prefix
from alert_rules.length_slips import worth_a_look
from alert_rules.permit_terms import PERMIT
from alert_rules.plate_patterns import PlateHit, accept
from alert_rules.plate_reads import PlateReads
from alert_rules.recent_hits import RecentHits
from schemas.clock import to_iso
from schemas.events import Sighting, WatchlistEntry


@dataclass(frozen=True, slots=True)
class WatchlistHit:
    """An entry that a sighting hit."""

    entry: WatchlistEntry
    hit: PlateHit

    @property
    def rank(self) -> tuple[float, bool, str, str]:
        """The most likely hit is the least; the ids tell equal ones apart."""
        return (-self.hit.likelihood, not self.hit.exact, self.entry.list_id, self.entry.entry_id)


class Watchlists:
    """All watchlists of a process: entries that come and go one by one, above entries of files, taken as a whole.

    An entry hides the one of the files that has the same list and entry id.

    Args:
        entries: put one by one.

    Attributes:
        recent: what was looked up since the last change.
    """

    def __init__(self, entries: Iterable[WatchlistEntry] = ()) -> None:
        self._own = EntryTable(entries)
        self._filed = EntryTable()
        self.recent = RecentHits()

    def __len__(self) -> int:
        return len(self._own) + len(self._filed) - len(self._own.ids() & self._filed.ids())

    def __iter__(self) -> Iterator[WatchlistEntry]:
        return (table.entry(key) for table, key in self._shown())

    @property
    def sizes(self) -> dict[str, int]:
        """List id to number of entries."""
        hidden = Counter(self._own.entry(key).list_id for key in self._own.ids() & self._filed.ids())
        return dict(Counter(self._own.sizes) + Counter(self._filed.sizes) - hidden)

    def install(self, filed: EntryTable) -> None:
        """Take the entries of the files, all at once, in the place of those before."""
        self.recent.clear()
        self._filed = filed

    def put(self, entry: WatchlistEntry) -> EntryId:
        """Add an entry, or replace the one with its ids.

        Returns:
            What `withdraw` takes.

        Raises:
            ValueError: its plate is neither a plate nor a pattern, or the terms of a permit cannot be read; nothing
                has changed then.
        """
        self.recent.clear()
        return self._own.put(entry)

    def remove(self, list_id: str, entry_id: str) -> None:
        """Take an entry out that was put; nothing happens where there is none."""
        self.withdraw(id_of(list_id, entry_id))

    def withdraw(self, key: EntryId) -> None:
        """`remove` by what `put` returned."""
        self.recent.clear()
        self._own.remove(key)

    def best_hit(
        self, list_ids: Iterable[str], sighting: Sighting, reads: PlateReads, threshold: float | None, exact: bool
    ) -> WatchlistHit | None:
        """The most likely entry of some lists; None where none is hit. Permits are no hits.

        An entry counts while it is valid at the sighting's capture, at its sites, and for its region where the reader
        saw one. Equal likelihoods are ordered by the entry's ids, so that the same input gives the same alert.
        """
        best: WatchlistHit | None = None
        best_rank: tuple[float, bool, str, str] | None = None
        for found in self.hits(list_ids, reads, threshold, exact):
            if found.entry.kind == PERMIT or not applies(found.entry, sighting):
                continue
            rank = found.rank
            if best_rank is None or rank < best_rank:
                best, best_rank = found, rank
        return best

    def hits(
        self, list_ids: Iterable[str], reads: PlateReads, threshold: float | None = None, exact: bool = False
    ) -> Iterator[WatchlistHit]:
        """All entries of some lists whose plate the reads may have come from, whatever else they say."""
        wanted = [list_id for list_id in list_ids if list_id in self._own.sizes or list_id in self._filed.sizes]
        if not wanted:
            return
        prefixes = tuple(map(list_prefix, wanted))
        for table, key, listed, plate in self._near(reads, exact, worth_a_look(threshold)):
            if key.startswith(prefixes):
                hit = accept(reads, listed, plate, threshold, exact)
                if hit is not None:
                    yield WatchlistHit(table.entry(key), hit)

    def _near(self, reads: PlateReads, exact: bool, any_length: bool) -> Iterator[tuple[EntryTable, EntryId, str, str]]:
        for table in (self._own, self._filed):
            if table:
                for key, listed, plate in table.near(reads, exact, any_length=any_length):
                    if table is self._own or key not in self._own:
                        yield table, key, listed, plate

    def _shown(self) -> Iterator[tuple[EntryTable, EntryId]]:
        yield from ((self._own, key) for key in self._own.ids())
        yield from ((self._filed, key) for key in self._filed.ids() if key not in self._own)


def applies(entry: WatchlistEntry, sighting: Sighting) -> bool:
    """Whether an entry counts for a sighting: time, site and region."""
    return objection(entry, sighting) is None


def objection(entry: WatchlistEntry, sighting: Sighting) -> str | None:
    """Why an entry does not count for a sighting, in words; None where it does."""
    at = sighting.captured_at
    if entry.valid_from is not None and at < entry.valid_from:
        return f"not valid before {to_iso(entry.valid_from)}"
    if entry.valid_until is not None and at >= entry.valid_until:
        return f"expired {to_iso(entry.valid_until)}"
    if entry.sites and sighting.site_id not in entry.sites:
        return f"for {', '.join(entry.sites)} only"
    seen = sighting.plate.region if sighting.plate is not None else None
    if entry.region is not None and seen is not None and not _same_region(entry.region, seen):
        return f"region {seen}, not {entry.region}"
    return None


def _same_region(listed: str, seen: str) -> bool:
    """``de`` covers ``de-by`` and the other way round: one of them merely says less."""
    a, b = listed.casefold(), seen.casefold()
    return a == b or a.startswith(b + "-") or b.startswith(a + "-")
