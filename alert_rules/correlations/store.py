"""What correlations need of a table, and their rows in it.

Rows, by the first byte of the key (times are sortable, so that the oldest come first):

- ``w``: the watermarks of the partition's sources, the time that has been decided on, and up to when admissions are
  forgotten;
- ``a`` time event: where an event has been admitted to, so that a later revision finds it;
- ``d`` time slot event: an event that waits for its time; without an event: a group's timer. Everything that is due
  at a watermark is one range;
- ``s`` slot: the state of a group (`alert_rules.correlations.group`).
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from alert_rules.correlations.event import Plain, Seen, from_text, to_text
from alert_rules.correlations.watermarks import PartitionTime

WATERMARKS, ADMITTED, DUE, STATE = b"w", b"a", b"d", b"s"
_SHIFT = 1 << 63
_SLOT_BYTES = 16


class OrderedStore(Protocol):
    """Rows in the order of their keys: what a `streams.table.RunTable` is for one partition."""

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """Values of keys; None for one that is not there."""

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows from `start` up to, not including, `stop`."""


class Working:
    """A store with the changes that have not been written yet.

    Attributes:
        changes: to be written; None deletes.
        time: of the partition, once it has been read.
    """

    def __init__(self, store: OrderedStore) -> None:
        self._store = store
        self._read: dict[bytes, bytes | None] = {}
        self.changes: dict[bytes, bytes | None] = {}
        self.time: PartitionTime | None = None

    def prefetch(self, keys: Iterable[bytes]) -> None:
        """Read keys at once that `get` will ask for."""
        wanted = [key for key in dict.fromkeys(keys) if key not in self.changes and key not in self._read]
        if wanted:
            self._read.update(self._store.get_many(wanted))

    def get(self, key: bytes) -> Plain:
        """A row's value; None where there is none."""
        if key in self.changes:
            value = self.changes[key]
        else:
            self.prefetch((key,))
            value = self._read[key]
        return None if value is None else from_text(value.decode())

    def get_text(self, key: bytes) -> str | None:
        """A row's value as it stands."""
        if key not in self.changes:
            self.prefetch((key,))
        value = self.changes[key] if key in self.changes else self._read[key]
        return None if value is None else value.decode()

    def put_text(self, key: bytes, value: str) -> None:
        """Change a row to a value in JSON."""
        self.changes[key] = value.encode()

    def put(self, key: bytes, value: Plain) -> None:
        """Change a row."""
        self.changes[key] = to_text(value).encode()

    def delete(self, key: bytes) -> None:
        """Remove a row."""
        self.changes[key] = None

    def scan(self, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, str]]:
        """The first rows of a range, in order, changes included; values as they stand."""
        changed = sorted(key for key in self.changes if start <= key < stop)
        rows: dict[bytes, bytes] = {}
        for key, value in self._store.scan(start, stop):
            if key not in self.changes:
                rows[key] = value
                if len(rows) == limit:
                    break
        last = max(rows) if len(rows) == limit else None
        for key in changed:
            value_or_none = self.changes[key]
            if value_or_none is not None and (last is None or key <= last):
                rows[key] = value_or_none
        return [(key, rows[key].decode()) for key in sorted(rows)[:limit]]


class MemoryStore:
    """Rows in memory, for tests and the offline commands."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """Values of keys."""
        return {key: self.rows.get(key) for key in keys}

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows in order."""
        keys = self._keys
        for index in range(bisect_left(keys, start), bisect_left(keys, stop)):
            yield keys[index], self.rows[keys[index]]

    def apply(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Write changes."""
        for key, value in changes.items():
            if value is not None:
                if key not in self.rows:
                    insort(self._keys, key)
                self.rows[key] = value
            elif self.rows.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]

    def copy(self) -> "MemoryStore":
        """A store with the same rows, as a checkpoint."""
        made = MemoryStore()
        made.apply(self.rows)
        return made


def admitted_key(at_us: int, event_id: str) -> bytes:
    """Row of an admitted event."""
    return ADMITTED + sortable(at_us) + event_id.encode()


def due_key(at_us: int, slot: bytes, event_id: str | None = None) -> bytes:
    """Row of a waiting event; without an event id that of a timer, which comes after the events of its instant."""
    tail = b"\x01" if event_id is None else b"\x00" + event_id.encode()
    return DUE + sortable(at_us) + slot + tail


_EVENT = ',"e":'
"""Where the event begins in a `waiting_row`; within a text of JSON the quotes would be escaped."""


def waiting_row(rule_id: str, number: int, group: str, event: Seen | None = None) -> str:
    """Value of a due row: whose it is, and the event that waits; None for a timer."""
    head = to_text({"r": rule_id, "n": number, "g": group})
    return head if event is None else f"{head[:-1]}{_EVENT}{event.text()}}}"


def parted(row: str) -> tuple[Plain, str | None]:
    """Whose a due row is, and the event's text; events of one sighting often are the same text."""
    head, found, event = row.partition(_EVENT)
    return from_text(head + "}" if found else row), event[:-1] if found else None


def state_key(slot: bytes) -> bytes:
    """Row of a group's state."""
    return STATE + slot


def between(kind: bytes, after_us: int | None, until_us: int) -> tuple[bytes, bytes]:
    """The range of rows of a kind after a time, up to another, inclusive.

    A look begins where the last one ended: before that lie only deleted rows, which RocksDB would read over.
    """
    return kind if after_us is None else kind + sortable(after_us + 1), kind + sortable(until_us + 1)


def time_of(key: bytes) -> int:
    """The time in a key of `ADMITTED` or `DUE`."""
    return int.from_bytes(key[1:9], "big") - _SHIFT


def slot_of(key: bytes) -> bytes:
    """The slot in a key of `DUE`."""
    return key[9 : 9 + _SLOT_BYTES]


def sortable(micros: int) -> bytes:
    """A time whose bytes sort as the time does."""
    return min(max(micros + _SHIFT, 0), 2 * _SHIFT - 1).to_bytes(8, "big")
