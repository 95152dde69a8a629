"""What the rules remember, as a table of bytes: the alerts role owns it, `alert_rules.memory` lays it out.

Partitioned like the sightings: everything that is remembered about a plate lies with the plate's sightings.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

from streams.run import Run

NAME = "rule_memory"
HELP = "Which rules have counted a sighting, and since when a rule is quiet"
FORGET_AT_ONCE = 500
"""Rows that one run forgets at most: forgetting must not hold up an alert."""


class OrderedBytes(Protocol):
    """What this module needs of a `streams.table.RunTable`."""

    def get_many(self, run: Run, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """Values of keys in the run's partition."""

    def scan(self, run: Run, start: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Rows of the run's partition in key order."""


def keys_between(table: OrderedBytes, run: Run, start: bytes, stop: bytes) -> list[bytes]:
    """Keys from `start` up to, not including, `stop`; the first `FORGET_AT_ONCE` of them."""
    return [key for key, _ in islice(table.scan(run, start, stop), FORGET_AT_ONCE)]
