"""The input of the worker under test and what must come of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from schemas.errors import SchemaError

GAP = 10
"""Reads of a key that are closer than this belong together."""


@dataclass(frozen=True, slots=True)
class Read:
    """A read: an id, a key and a time."""

    number: int
    key: bytes
    time: int

    def encode(self) -> bytes:
        """Value bytes."""
        return b"%d|%s|%d" % (self.number, self.key, self.time)

    @classmethod
    def decode(cls, value: bytes | None) -> "Read":
        """From value bytes.

        Raises:
            SchemaError: they are no read.
        """
        try:
            number, key, time = (value or b"").split(b"|")
            return cls(int(number), key, int(time))
        except ValueError as error:
            raise SchemaError(f"not a read: {error}") from error

    def is_new_after(self, last: int) -> bool:
        """Whether it begins a new event after a read at `last`."""
        return self.time - last > GAP


def event_id_of(read: Read) -> bytes:
    """Id of the event that begins with a read: the same for the same input."""
    return b"event-%d" % read.number


def make_reads(count: int, keys: int, seed: int = 7) -> list[Read]:
    """Reads in the order of time, of random keys."""
    dice = Random(seed)
    return [Read(number, b"key-%d" % dice.randrange(keys), number // 50) for number in range(count)]


def expected(reads: Iterable[Read]) -> tuple[set[bytes], dict[bytes, int]]:
    """Ids of the events, and the last time of each key, by plain reading in order."""
    last: dict[bytes, int] = {}
    events: set[bytes] = set()
    for read in reads:
        if read.key not in last or read.is_new_after(last[read.key]):
            events.add(event_id_of(read))
        last[read.key] = read.time
    return events, last


def partition_of(read: Read, partitions: int = 4) -> int:
    """A fixed spread, so that the reads of a key keep their order."""
    return partition_of_key(read.key, partitions)


def partition_of_key(key: bytes, partitions: int = 4) -> int:
    """The same for a key."""
    return int(key.rsplit(b"-", 1)[1]) % partitions


def spread(reads: Sequence[Read]) -> dict[int, list[Read]]:
    """Reads by partition."""
    lanes: dict[int, list[Read]] = {}
    for read in reads:
        lanes.setdefault(partition_of(read), []).append(read)
    return lanes
