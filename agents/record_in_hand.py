"""The record that is being handled, for who watches a whole run instead of each record of it."""

from streams.run import Headers, Record


class InHand:
    """Stands for one record of a run after another.

    A context manager for each record costs as much as a good part of the work on it. One around all of them has to know
    which of them has failed.

    Args:
        record: the first one.

    Attributes:
        record: the one in hand.
    """

    __slots__ = ("record",)

    def __init__(self, record: Record) -> None:
        self.record = record

    @property
    def topic(self) -> str:
        """Topic it stands in."""
        return self.record.topic

    @property
    def partition(self) -> int:
        """Partition it stands in."""
        return self.record.partition

    @property
    def offset(self) -> int:
        """Offset in the partition."""
        return self.record.offset

    @property
    def timestamp(self) -> int:
        """Kafka's timestamp, milliseconds."""
        return self.record.timestamp

    @property
    def key(self) -> bytes | None:
        """Key, as it came."""
        return self.record.key

    @property
    def value(self) -> bytes | None:
        """Value, as it came."""
        return self.record.value

    @property
    def headers(self) -> Headers:
        """Record headers."""
        return self.record.headers
