"""How records become runs: where a fetch is cut, and how long small fetches may pile up."""

from collections.abc import Iterator, Sequence

from streams.run import Record


class FetchPace:
    """How long to let small fetches pile up.

    At live rates a fetch brings a handful of records and the wake-ups cost more than the work. The delay doubles
    while fetches stay small and is forgotten after a large or an empty one, so a lone record is never delayed.

    Args:
        max_s: longest delay, seconds; 0 turns it off.
        small: fetches with fewer records than this count as small.
    """

    FIRST_S = 0.002

    def __init__(self, max_s: float, small: int = 500) -> None:
        self.max_s = max_s
        self.small = small
        self._delay_s = 0.0

    def after(self, records: int) -> float:
        """Seconds to wait after a fetch that brought so many records."""
        if records == 0 or records >= self.small:
            self._delay_s = 0.0
        else:
            self._delay_s = min(self.max_s, self._delay_s * 2 or self.FIRST_S)
        return self._delay_s


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
