"""The port that every store of events has: idempotent batches, refusals record by record.

The division of errors follows Quix Streams' sinks (a typed back-pressure error that asks for a pause), with the
refusals of single records as a return value: one batch can have both, many that were written and some that never
will be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from schemas.errors import SinkRejected

Event_contra = TypeVar("Event_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that a store refuses for good.

    Attributes:
        index: of the record in the batch.
        error: why; its message names the field where the store does.
    """

    index: int
    error: SinkRejected


class Sink(Protocol[Event_contra]):
    """A store of events.

    Contract of `write`, which `tests.unit.agents.sinks.conformance` checks on every implementation:

    - Writing a batch twice is writing it once.
    - An event with a version (a sighting's revision) replaces a lower one; a lower or equal one is success without
      change. Inside a batch the versions may stand in any order.
    - A record that never can be written is returned as a `Rejection`; all others of its batch are written.
    - Where the store does not answer or asks for a pause, `SinkUnavailable` is raised. Part of the batch may have been
      written: the caller writes the whole batch again.
    - Every call ends in bounded time, and a cancelled call leaves the sink usable.
    """

    name: str

    async def setup(self) -> None:
        """Bring tables, templates or buckets into being, where they are not. `write` calls it when it has to.

        Raises:
            SinkUnavailable: the store does not answer.
        """

    async def write(self, batch: Sequence[Event_contra]) -> list[Rejection]:
        """Keep the events.

        Returns:
            The refused ones, by index; empty when all were written.

        Raises:
            SinkUnavailable: not now. Nothing is known of the batch; write it again.
        """

    async def healthy(self) -> bool:
        """Whether the store answers now. Never raises."""

    async def close(self) -> None:
        """Let go of connections. A later `write` opens them again."""
