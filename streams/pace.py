"""How records become runs: where a fetch is cut, and how long small fetches may pile up."""

from collections.abc import Iterator, Sequence

from streams.run import Record


class FetchPace:
    """When to let the broker hold a fetch back until more has come in, or `max_wait_s` is over.

    At live rates a fetch would bring a handful of records, and the wake-ups cost more than the work. The broker is the
    one that knows when there is more, so it does the waiting: with ``fetch.min.bytes`` and ``fetch.max.wait.ms``. A
    backlog satisfies the former at once and loses nothing. Fetches are held back only while small ones follow each
    other closely: a lone record is never delayed.

    Args:
        max_wait_s: how long a fetch may be held back, seconds; 0 turns it off.
        small: fetches with fewer records than this count as small.
    """

    MIN_BYTES = 65_536
    CLOSE = 3.0  # small fetches follow each other closely when so many waits or fewer lie between them
    CLOSE_FLOOR_S = 0.025

    def __init__(self, max_wait_s: float, small: int = 500) -> None:
        self.max_wait_s = max_wait_s
        self.small = small
        self.is_patient = False
        self.max_wait_ms = max(1, round(max_wait_s * 1000))
        self._close_s = max(self.CLOSE * max_wait_s, self.CLOSE_FLOOR_S)
        self._last_s = float("-inf")

    def after(self, records: int, now_s: float) -> bool:
        """Whether fetches should be held back from now on.

        Args:
            records: that a fetch brought.
            now_s: when, by a monotonic clock.
        """
        if records == 0 or records >= self.small or self.max_wait_s <= 0:
            self.is_patient = False
        else:
            self.is_patient = now_s - self._last_s <= self._close_s
        if records:
            self._last_s = now_s
        return self.is_patient


def cut(records: Sequence[Record], max_records: int, max_bytes: int) -> Iterator[tuple[Sequence[Record], int]]:
    """Cut the records of one partition into runs.

    Args:
        records: consecutive records.
        max_records: most records of a run.
        max_bytes: most bytes of keys and values of a run; a record that is larger makes a run of its own.

    Yields:
        The records of a run and their size in bytes.
    """
    start = size_bytes = 0
    for index, record in enumerate(records):
        record_bytes = len(record.value or b"") + len(record.key or b"")
        if index > start and (index - start >= max_records or size_bytes + record_bytes > max_bytes):
            yield records[start:index], size_bytes
            start, size_bytes = index, 0
        size_bytes += record_bytes
    if records:
        yield records[start:], size_bytes
