"""Watchlist entries, packed: a million of them fit into some 300 MB and are found by a few hash look-ups.

An entry is kept as JSON bytes under its id, and its id under the plate's folded text. Entries become objects only when
a read comes near their plate. Patterns are asked together (`alert_rules.pattern_set`).
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, KeysView
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

from alert_rules.length_slips import slips
from alert_rules.pattern_set import PatternSet
from alert_rules.permit_terms import terms_of
from alert_rules.plate_patterns import PlatePattern
from alert_rules.plate_reads import PlateReads
from schemas.builders import builder
from schemas.events import WatchlistEntry
from schemas.identity import fold

EntryId = bytes
"""List and entry id in one piece."""
_PACKED = tuple(field for field in fields(WatchlistEntry) if field.name not in ("list_id", "entry_id"))
_DEFAULTS = tuple(field.default for field in _PACKED)
_SITES = next(place for place, field in enumerate(_PACKED) if field.name == "sites")
_values = attrgetter(*(field.name for field in _PACKED))
_FRESH_AT_LEAST = 16
_make = builder(WatchlistEntry)
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class EntryTable:
    """Entries of any lists, by id and by plate."""

    def __init__(self, entries: Iterable[WatchlistEntry] = ()) -> None:
        self.sizes: dict[str, int] = {}
        self._rows: dict[EntryId, bytes] = {}
        self._by_fold: dict[str, EntryId | tuple[EntryId, ...]] = {}
        self._lengths: Counter[int] = Counter()
        self._patterns = _Patterns()
        for entry in entries:
            self.put(entry)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[WatchlistEntry]:
        return (self.entry(key) for key in self._rows)

    def ids(self) -> KeysView[EntryId]:
        """The ids of all entries."""
        return self._rows.keys()

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def put(self, entry: WatchlistEntry) -> EntryId:
        """Add an entry, or replace the one with its ids.

        Raises:
            ValueError: its plate is neither a plate nor a pattern, or the terms of a permit cannot be read; nothing
                has changed then.
        """
        pattern = PlatePattern.parse(entry.plate)
        terms_of(entry)
        key = id_of(entry.list_id, entry.entry_id)
        if key in self._rows:
            self.remove(key)
        self._rows[key] = _pack(entry)
        self.sizes[entry.list_id] = self.sizes.get(entry.list_id, 0) + 1
        if pattern.is_wildcard:
            self._patterns.put(key, pattern)
            return key
        folded = fold(pattern.text)
        known = self._by_fold.get(folded)
        if known is None:
            self._by_fold[folded] = key
            self._lengths[len(folded)] += 1
        else:
            self._by_fold[folded] = (*((known,) if isinstance(known, bytes) else known), key)
        return key

    def remove(self, key: EntryId) -> None:
        """Take an entry out; nothing happens where it is not there."""
        if key not in self._rows:
            return
        entry = self.entry(key)
        del self._rows[key]
        self.sizes[entry.list_id] -= 1
        if not self.sizes[entry.list_id]:
            del self.sizes[entry.list_id]
        pattern = PlatePattern.parse(entry.plate)
        if pattern.is_wildcard:
            self._patterns.remove(key)
            return
        folded = fold(pattern.text)
        known = self._by_fold[folded]
        kept = () if isinstance(known, bytes) else tuple(each for each in known if each != key)
        if kept:
            self._by_fold[folded] = kept
        else:
            del self._by_fold[folded]
            self._lengths -= Counter((len(folded),))

    def entry(self, key: EntryId) -> WatchlistEntry:
        """The entry of an id that is there."""
        return _unpack(key, self._rows[key])

    def near(self, reads: PlateReads, exact: bool, *, any_length: bool = False) -> Iterator[tuple[EntryId, str, str]]:
        """Entries that the reads may stand for: id, plate or pattern as listed, and the plate that it stands for here.

        Args:
            reads: of a sighting.
            exact: leaves out what only the reader's doubts lead to.
            any_length: also plates with a character that the reader missed or added; not where `exact`.
        """
        folds: Iterable[str] = reads.folds if exact else (*reads.folds, *reads.near_folds)
        if any_length and not exact:
            folds = dict.fromkeys((*folds, *[slip for text in reads.folds for slip in slips(text, self._lengths)]))
        for folded in folds:
            known = self._by_fold.get(folded)
            if known is not None:
                for key in (known,) if isinstance(known, bytes) else known:
                    plate = PlatePattern.parse(json.loads(self._rows[key])[0]).text
                    yield key, plate, plate
        if self._patterns:
            for text in reads.texts:
                yield from self._patterns.filled(text)


class _Patterns:
    """Plate patterns with wildcards. Those that are new since the automaton was made are asked one by one."""

    def __init__(self) -> None:
        self._patterns: dict[EntryId, PlatePattern] = {}
        self._fresh: dict[EntryId, None] = {}
        self._sorted: list[EntryId] = []
        self._set = PatternSet(())

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def put(self, key: EntryId, pattern: PlatePattern) -> None:
        self._patterns[key] = pattern
        self._fresh[key] = None

    def remove(self, key: EntryId) -> None:
        del self._patterns[key]
        self._fresh.pop(key, None)

    def filled(self, text: str) -> Iterator[tuple[EntryId, str, str]]:
        """Id, pattern and filled-in plate of the patterns that a text matches."""
        if len(self._fresh) > _FRESH_AT_LEAST + len(self._sorted) // 10:
            self._sort()
        keys = dict.fromkeys(self._sorted[number] for number in self._set.may_match(fold(text)))
        for key in (*keys, *(key for key in self._fresh if key not in keys)):
            pattern = self._patterns.get(key)
            plate = pattern.fill(text) if pattern is not None else None
            if pattern is not None and plate is not None:
                yield key, pattern.text, plate

    def _sort(self) -> None:
        self._sorted = list(self._patterns)
        self._set = PatternSet([pattern.folded_regex for pattern in self._patterns.values()])
        self._fresh.clear()


def id_of(list_id: str, entry_id: str) -> EntryId:
    """The ids of an entry in one piece; those of a list start with `list_prefix`."""
    return list_prefix(list_id) + entry_id.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=1024)
def list_prefix(list_id: str) -> bytes:
    """What the ids of a list's entries start with, and no others."""
    written = list_id.encode("utf-8", "surrogatepass")
    return b"%d:%s" % (len(written), written)


def _pack(entry: WatchlistEntry) -> bytes:
    """The fields but for the ids, without the defaults at the end."""
    values = list(_values(entry))
    while len(values) > 1 and values[-1] == _DEFAULTS[len(values) - 1]:
        values.pop()
    return _ENCODE(values).encode("utf-8", "surrogatepass")


def _unpack(key: EntryId, row: bytes) -> WatchlistEntry:
    size, _, ids = key.partition(b":")
    values: list[Any] = json.loads(row.decode("utf-8", "surrogatepass"))
    values += _DEFAULTS[len(values) :]
    values[_SITES] = tuple(values[_SITES])
    list_id, name = ids[: int(size)], ids[int(size) :]
    return _make(list_id.decode("utf-8", "surrogatepass"), name.decode("utf-8", "surrogatepass"), *values)
