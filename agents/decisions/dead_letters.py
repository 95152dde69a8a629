"""Accounting for dead letters: pure sums over the records of ``alpr.dlq``."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from schemas.events import DeadLetter
from tables.dead_letters import LetterCount, LetterEntry, kind_of

INDEX_SLOTS = 1000
"""Latest letters that are kept per partition: letter n stands in slot n modulo this, so the index never grows."""


class LetterRecord(Protocol):
    """Where a letter stands in ``alpr.dlq``."""

    @property
    def offset(self) -> int:
        """Offset."""

    @property
    def timestamp(self) -> int:
        """Kafka timestamp, milliseconds."""


def add_letters(
    counts: Mapping[str, LetterCount | None], letters: Iterable[tuple[LetterRecord, DeadLetter]]
) -> dict[str, LetterCount]:
    """The counts after some more letters; those that had been counted before change nothing.

    Args:
        counts: known counts by `kind_of`.
        letters: in the order of the log.

    Returns:
        The counts that changed.
    """
    changed: dict[str, LetterCount] = {}
    for record, letter in letters:
        kind = kind_of(letter)
        known = changed.get(kind) or counts.get(kind)
        if known is None:
            changed[kind] = LetterCount(1, letter.failed_at, letter.failed_at, record.offset, record.timestamp)
        elif record.offset > known.offset or record.timestamp > known.recorded_at_ms:
            changed[kind] = LetterCount(
                known.count + 1,
                min(known.first_failed_at, letter.failed_at),
                max(known.last_failed_at, letter.failed_at),
                record.offset,
                max(known.recorded_at_ms, record.timestamp),
            )
    return changed


def index_letters(letters: Iterable[tuple[LetterRecord, DeadLetter]]) -> dict[int, LetterEntry]:
    """Entries of the index by slot."""
    return {record.offset % INDEX_SLOTS: LetterEntry.of(letter, record.offset) for record, letter in letters}
