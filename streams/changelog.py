"""Changelogs by runs: what recovery and standbys read, applied as one RocksDB batch a run.

Faust delivers a changelog record by record, an event each; that is 15 thousand records a second. A changelog of a run
table is delivered like any topic of runs, but it has no acknowledgement: Faust's recovery keeps the position, which is
the offset of the last record of the last run that was applied.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from faust.types import EventT

from streams.run import Record

Change = tuple[int, dict[bytes, bytes | None]]
"""Offset of the last record, and the latest value of each key (None: deleted)."""


class ChangelogRun:
    """The value of a message that carries consecutive records of a changelog partition.

    Args:
        records: at least one, oldest first.
    """

    __slots__ = ("records",)

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records


def latest_changes(batch: Iterable[EventT[Any]]) -> dict[int, Change]:
    """What a batch of changelog events comes to, by partition.

    Args:
        batch: events whose messages carry a `ChangelogRun`, in the order of each partition.
    """
    found: dict[int, Change] = {}
    for event in batch:
        message = event.message
        run = message.value
        assert isinstance(run, ChangelogRun)
        changes = found[message.partition][1] if message.partition in found else {}
        changes.update([(record.key, record.value) for record in run.records if record.key is not None])
        found[message.partition] = (message.offset, changes)
    return found
