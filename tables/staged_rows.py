"""Rows of a table while a run is worked through: what the run has changed lies over what the table holds.

Some states are too many rows to be read up front (every open visit of a car park), and a later record of a run must
see what an earlier one changed. A journal notes what rows were before, so that a step can be taken back.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Scan = Callable[[bytes, bytes], Iterator[tuple[bytes, bytes]]]
"""(first key, key after the last) -> rows of the table in key order"""
Get = Callable[[bytes], bytes | None]
Journal = dict[bytes, bytes | None]
"""key -> what it was before, None: it was not there"""


class StagedRows:
    """Rows with the changes of one run.

    Args:
        get: reads a row of the table.
        scan: reads a range of them.

    Attributes:
        changes: what is to be written with the run.
    """

    def __init__(self, get: Get, scan: Scan) -> None:
        self.changes: dict[bytes, bytes | None] = {}
        self._get = get
        self._scan = scan
        self._read: dict[bytes, bytes | None] = {}
        self._keys: list[bytes] = []  # of the changes, sorted
        self._journal: Journal | None = None
        self._attempt: Journal | None = None

    def load(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Take in rows that were read with one call."""
        self._read.update(rows)

    def get(self, key: bytes) -> bytes | None:
        """The row as it is now."""
        if key in self.changes:
            return self.changes[key]
        if key not in self._read:
            self._read[key] = self._get(key)
        return self._read[key]

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set a row; None deletes it."""
        if self._journal is not None and key not in self._journal:
            self._journal[key] = self.get(key)
        if self._attempt is not None and key not in self._attempt:
            self._attempt[key] = self.get(key)
        if key not in self.changes:
            insort(self._keys, key)
        self.changes[key] = value

    def scan(self, start: bytes, stop: bytes) -> list[tuple[bytes, bytes]]:
        """Rows from `start` up to, not including, `stop`, in key order."""
        rows: dict[bytes, bytes | None] = dict(self._scan(start, stop))
        staged = self._keys[bisect_left(self._keys, start) : bisect_left(self._keys, stop)]
        if not staged:
            return [(key, value) for key, value in rows.items() if value is not None]
        rows.update((key, self.changes[key]) for key in staged)
        return [(key, value) for key in sorted(rows) if (value := rows[key]) is not None]

    def begin(self) -> None:
        """Note from here on what rows were before."""
        self._journal = {}

    def end(self) -> Journal:
        """Stop noting; what `undo` needs to take everything since `begin` back."""
        journal, self._journal = self._journal or {}, None
        return {key: before for key, before in journal.items() if before != self.get(key)}

    def undo(self, journal: Journal) -> None:
        """Take back what a journal noted. Journals are undone in the opposite order of their making."""
        for key, before in journal.items():
            self.put(key, before)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Take back everything that a piece of work has changed when it raises, and pass the exception on."""
        self._attempt = {}
        try:
            yield
        except BaseException:
            before, self._attempt, self._journal = self._attempt, None, None
            self.undo(before)
            raise
        finally:
            self._attempt = None
