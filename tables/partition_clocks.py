"""State of the clock of a partition: the newest clock record that was applied, and where the log was."""

from dataclasses import dataclass

from schemas.clock import Micros
from tables.serde import Serde, record

CLOCK_KEY = b"clock"
"""There is one clock in a partition."""


@dataclass(frozen=True, slots=True)
class PartitionClock:
    """The time of a partition's log.

    It is written with every run that changes anything, so what a process remembers of a partition beside the tables is
    true as long as this value is the one that it wrote last.

    Attributes:
        offset: last record that was applied.
        recorded_at_ms: newest Kafka timestamp among the applied records; tells a topic made anew from a replay.
        at: newest time of the clock records; 0 before the first.
        full_at: `at` of the last tick that listed all cameras.
    """

    offset: int = -1
    recorded_at_ms: int = -1
    at: Micros = 0
    full_at: Micros = 0

    def is_known(self, offset: int, recorded_at_ms: int) -> bool:
        """Whether the record at this place was applied before."""
        return offset <= self.offset and recorded_at_ms <= self.recorded_at_ms


CLOCK: Serde[PartitionClock] = record(PartitionClock)
