"""Rows of a run's partition in the order of their keys, with what the run has changed so far lying over the table's."""

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from typing import Protocol

from streams.run import Run


class OrderedTable(Protocol):
    """What this module needs of a `streams.table.RunTable`."""

    def get_many(self, run: Run, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """Values of keys in the run's partition."""

    def scan(self, run: Run, start: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Rows of the run's partition in key order."""


class RunRows:
    """A table bound to a run. Later records of the run see what earlier ones changed.

    Args:
        table: holds what finished runs have changed.
        run: in hand.

    Attributes:
        changes: what is to be written with the run; None deletes.
    """

    def __init__(self, table: OrderedTable, run: Run) -> None:
        self.changes: dict[bytes, bytes | None] = {}
        self._read: dict[bytes, bytes | None] = {}
        self._table = table
        self._run = run

    def prefetch(self, keys: Iterable[bytes]) -> None:
        """Read rows at once that `get_many` will be asked for one by one."""
        missing = [key for key in dict.fromkeys(keys) if key not in self.changes and key not in self._read]
        if missing:
            self._read.update(self._table.get_many(self._run, missing))

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """Values of keys; None for one that is not there."""
        keys = list(keys)
        self.prefetch(keys)
        return {key: self.changes[key] if key in self.changes else self._read[key] for key in keys}

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows from `start` up to, not including, `stop`. Changes that are applied while it runs may be seen or not."""
        changes = self.changes
        changed = ((key, changes[key]) for key in sorted(key for key in changes if start <= key < stop))
        stored = ((key, value) for key, value in self._table.scan(self._run, start, stop) if key not in changes)
        # no key is in both, so values are never compared
        return merge(stored, ((key, value) for key, value in changed if value is not None))

    def apply(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Take changes in."""
        self.changes.update(changes)
