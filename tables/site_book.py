"""Visits as rows of a table, small ones of one site each: a full car park must not be one growing value.

Keys are ``<length>:<site>``, a letter for the kind of row, and what tells rows of the kind apart, with the unit
separator (ASCII 31) between them; the length keeps a site apart from one whose name begins with it. Numbers in keys are
16 hexadecimal digits that sort as the number does.

| kind | rest of the key | value |
|---|---|---|
| h | | `SiteHead` |
| v | visit | `VisitState` |
| i | folded plate, visit | + or - (inside or not), since when, plate: finds visits by plate |
| d | time, visit | empty: when an open visit expires |
| f | time, visit | empty: when a closed visit is forgotten |
| n | | number of open visits |
| p | visit | `Published`: the revision that was sent last |
| e | event | `KnownEvent`: what has been heard of a sighting |
| t | time, event | `LogEntry`: a sighting that may still be reordered, with what it changed |
"""

import json
from collections.abc import Iterator

from schemas.clock import Micros
from schemas.identity import fold
from tables import serde
from tables.staged_rows import Journal, StagedRows
from tables.visits import GateRead, KnownEvent, LogEntry, PlateEntry, Published, SiteHead, VisitState

MARK = "\x1f"
_INSIDE, _GONE = b"+", b"-"
_HEAD, _VISIT = serde.record(SiteHead), serde.record(VisitState)
_PUBLISHED, _KNOWN, _READ = serde.record(Published), serde.record(KnownEvent), serde.record(GateRead)


class PartitionBook:
    """What a partition of the table holds beside the rows of its sites: which sites there are, and how late it is.

    Keys of sites begin with a digit, these with a letter.

    Args:
        rows: of the table partition, with the changes of the run.
    """

    def __init__(self, rows: StagedRows) -> None:
        self.rows = rows

    def add_site(self, site_id: str) -> None:
        """Note that a site has rows here."""
        key = f"s{MARK}{site_id}".encode()
        if self.rows.get(key) is None:
            self.rows.put(key, b"")

    def sites(self) -> list[str]:
        """Sites that have rows here."""
        prefix = f"s{MARK}".encode()
        return [key.removeprefix(prefix).decode() for key, _ in self.rows.scan(prefix, _end(prefix))]

    def note_watermark(self, partition: int, watermark: Micros) -> Micros:
        """Note how far a partition of detections is.

        Returns:
            How far all of them are. It never goes back.
        """
        data = self.rows.get(b"w")
        known: dict[str, int] = {} if data is None else json.loads(data)
        known[str(partition)] = max(watermark, known.get(str(partition), watermark))
        self.rows.put(b"w", json.dumps(known).encode())
        return min(known.values())


class SiteBook:
    """The rows of one site, with types.

    Args:
        site_id: whose.
        rows: of the table partition, with the changes of the run.
    """

    def __init__(self, site_id: str, rows: StagedRows) -> None:
        self.site_id = site_id
        self.rows = rows
        self._prefix = f"{len(site_id)}:{site_id}{MARK}"

    def first_keys(self, event_id: str) -> tuple[bytes, ...]:
        """Keys that a sighting touches before anything else, to be read with one call."""
        return self._key("h"), self._key("n"), self._key("e", event_id)

    # -- the site

    def head(self) -> SiteHead:
        """Its place in the log."""
        data = self.rows.get(self._key("h"))
        return SiteHead() if data is None else _HEAD.decode(data)

    def put_head(self, head: SiteHead) -> None:
        """Change it."""
        self.rows.put(self._key("h"), _HEAD.encode(head))

    @property
    def occupancy(self) -> int:
        """Open visits."""
        return int(self.rows.get(self._key("n")) or 0)

    # -- visits

    def visit(self, visit_id: str) -> VisitState | None:
        """A visit that is remembered."""
        data = self.rows.get(self._key("v", visit_id))
        return None if data is None else _VISIT.decode(data)

    def change(self, before: VisitState | None, after: VisitState | None) -> None:
        """Put a visit in another's place, with everything that finds it; None: there is none."""
        old, new = self._finders(before), self._finders(after)
        for key in old.keys() - new.keys():
            self.rows.put(key, None)
        for key, value in new.items():
            if old.get(key) != value:
                self.rows.put(key, value)
        entered = (after is not None and after.is_open) - (before is not None and before.is_open)
        if entered:
            self.rows.put(self._key("n"), b"%d" % (self.occupancy + entered))

    def with_plate(self, text: str) -> list[VisitState]:
        """Visits that are remembered with a plate equal up to confusables, the latest first."""
        prefix = self._key("i", fold(text)) + MARK.encode()
        found = [self.visit(key.removeprefix(prefix).decode()) for key, _ in self._scan(prefix)]
        visits = [visit for visit in found if visit is not None]
        return sorted(visits, key=lambda visit: (visit.started_at, visit.visit_id), reverse=True)

    def open_plates(self) -> Iterator[PlateEntry]:
        """Plates of all open visits."""
        for key, value in self._scan(self._key("i") + MARK.encode()):
            if value.startswith(_INSIDE):
                since, _, text = value[1:].decode().partition(MARK)
                yield PlateEntry(key.decode().rpartition(MARK)[2], text, int(since))

    def due(self, since: Micros, now: Micros) -> list[VisitState]:
        """Open visits that expire in this time, in the order of their times.

        Ranges of times have a begin, here and below, because RocksDB reads over rows that were deleted: without one, a
        look at what is due would read over every visit that ever was.
        """
        found = [self.visit(visit_id) for _, visit_id in self._timed("d", since, now)]
        return [visit for visit in found if visit is not None]

    def forgettable(self, since: Micros, now: Micros) -> list[tuple[Micros, str]]:
        """Visits that nothing after this time can ask for, with the time that was set for it."""
        return self._timed("f", since, now)

    def forget_later(self, visit_id: str, at: Micros) -> None:
        """Let a visit that is not there any more be asked about."""
        self.rows.put(self._key("f", _digits(at), visit_id), b"")

    def forget(self, visit_id: str, at: Micros) -> None:
        """Remove everything about a visit whose time it is; one that has another time by now is left alone."""
        self.rows.put(self._key("f", _digits(at), visit_id), None)
        visit = self.visit(visit_id)
        if visit is not None and visit.forget_at != at:
            return
        self.put_published(visit_id, None)
        if visit is not None:
            for event_id in visit.event_ids:
                self.put_known(event_id, None)
            self.change(visit, None)

    # -- what was sent

    def published(self, visit_id: str) -> Published | None:
        """The last revision that was sent."""
        data = self.rows.get(self._key("p", visit_id))
        return None if data is None else _PUBLISHED.decode(data)

    def put_published(self, visit_id: str, published: Published | None) -> None:
        """Note what is sent now; None: nobody will ask."""
        self.rows.put(self._key("p", visit_id), None if published is None else _PUBLISHED.encode(published))

    # -- sightings

    def known(self, event_id: str) -> KnownEvent | None:
        """What has been heard of a sighting."""
        data = self.rows.get(self._key("e", event_id))
        return None if data is None else _KNOWN.decode(data)

    def put_known(self, event_id: str, known: KnownEvent | None) -> None:
        """Change it; None: forget it."""
        self.rows.put(self._key("e", event_id), None if known is None else _KNOWN.encode(known))

    def entry(self, order: Micros, event_id: str) -> LogEntry | None:
        """A sighting that may still be reordered."""
        key = self._entry_key(order, event_id)
        data = self.rows.get(key)
        return None if data is None else _read_entry(order, data)

    def entries(self, start: Micros | None = None, stop: Micros | None = None, after: str = "") -> list[LogEntry]:
        """Sightings that may still be reordered, in order.

        Args:
            start: from this time on.
            stop: before this time.
            after: at the time `start`, only sightings whose id is greater.
        """
        prefix = self._key("t") + MARK.encode()
        first = prefix if start is None else self._entry_key(start, after) + (b"\x00" if after else b"")
        last = _end(prefix) if stop is None else prefix + _digits(stop).encode()
        return [_read_entry(_time_in(key, prefix), value) for key, value in self.rows.scan(first, last)]

    def put_entry(self, entry: LogEntry) -> None:
        """Keep a sighting with what it changed."""
        journal = {key.decode(): None if before is None else before.decode() for key, before in entry.journal.items()}
        parts = (_READ.encode(entry.read), json.dumps([entry.visit_id, journal], ensure_ascii=False).encode())
        self.rows.put(self._entry_key(entry.order, entry.read.event_id), b"\n".join(parts))

    def drop_entry(self, entry: LogEntry) -> None:
        """Its place among the others is settled."""
        self.rows.put(self._entry_key(entry.order, entry.read.event_id), None)

    def visits_in(self, journal: Journal) -> set[str]:
        """Visits whose rows a journal speaks of."""
        prefix = self._key("v") + MARK.encode()
        return {key.removeprefix(prefix).decode() for key in journal if key.startswith(prefix)}

    # -- keys

    def _finders(self, visit: VisitState | None) -> dict[bytes, bytes]:
        """All rows that a visit has, itself included."""
        if visit is None:
            return {}
        made = {self._key("v", visit.visit_id): _VISIT.encode(visit)}
        texts = [visit.plate_text or "", *([visit.exit_plate_text] if visit.exit_plate_text else [])]
        for text in reversed(texts):  # two texts that fold alike are found by the visit's own
            state = _INSIDE if visit.is_open else _GONE
            made[self._key("i", fold(text), visit.visit_id)] = state + f"{visit.inside_since}{MARK}{text}".encode()
        if visit.is_open and visit.due_at is not None:
            made[self._key("d", _digits(visit.due_at), visit.visit_id)] = b""
        if not visit.is_open and visit.forget_at is not None:
            made[self._key("f", _digits(visit.forget_at), visit.visit_id)] = b""
        return made

    def _timed(self, kind: str, since: Micros, now: Micros) -> list[tuple[Micros, str]]:
        prefix = self._key(kind) + MARK.encode()
        keys = [key for key, _ in self.rows.scan(prefix + _digits(since).encode(), prefix + _digits(now + 1).encode())]
        return [(_time_in(key, prefix), key[len(prefix) + 17 :].decode()) for key in keys]

    def _entry_key(self, order: Micros, event_id: str) -> bytes:
        return self._key("t", _digits(order), event_id)

    def _key(self, kind: str, *parts: str) -> bytes:
        return (self._prefix + MARK.join((kind, *parts))).encode()

    def _scan(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        return self.rows.scan(prefix, _end(prefix))


def _digits(number: int) -> str:
    return serde.ordered_int(number).hex()


def _time_in(key: bytes, prefix: bytes) -> Micros:
    return serde.from_ordered_int(bytes.fromhex(key[len(prefix) : len(prefix) + 16].decode()))


def _read_entry(order: Micros, data: bytes) -> LogEntry:
    read, _, rest = data.partition(b"\n")
    visit_id, journal = json.loads(rest)
    before = {key.encode(): None if value is None else value.encode() for key, value in journal.items()}
    return LogEntry(order, _READ.decode(read), visit_id, before)


def _end(prefix: bytes) -> bytes:
    """The first key after all that begin with the prefix (which ends with the unit separator)."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
