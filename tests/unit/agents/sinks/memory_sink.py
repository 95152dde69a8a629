"""The fake: a sink in memory, for tests of what stands above the port."""

from collections.abc import Sequence

from agents.sinks.batching import Refused, write_newest
from agents.sinks.port import Rejection
from agents.sinks.storable import check_storable, moment
from schemas.errors import SinkRejected, SinkUnavailable
from schemas.events import Sighting

BAD_CAMERA = "bad"


class MemorySink:
    """Keeps sightings in a dict. Refuses those of camera ``bad``.

    Attributes:
        rows: event id to sighting.
        is_up: False: it does not answer.
        retry_after_s: the pause that it then asks for.
        writes: how many batches it was given.
    """

    name = "memory"

    def __init__(self) -> None:
        self.rows: dict[str, Sighting] = {}
        self.is_up = True
        self.retry_after_s: float | None = None
        self.writes = 0

    async def setup(self) -> None:
        """See `Sink.setup`."""
        if not self.is_up:
            raise SinkUnavailable("the memory is away", self.retry_after_s)

    async def write(self, batch: Sequence[Sighting]) -> list[Rejection]:
        """See `Sink.write`."""
        self.writes += 1
        await self.setup()

        async def put(chosen: dict[int, Sighting]) -> Refused:
            refused: Refused = {}
            for index, event in chosen.items():
                try:
                    check_storable(event)
                    moment(event.captured_at, "captured_at")
                    if event.camera_id == BAD_CAMERA:
                        raise SinkRejected("a bad camera")
                except SinkRejected as error:
                    refused[index] = error
                    continue
                standing = self.rows.get(event.event_id)
                if standing is None or standing.revision < event.revision:
                    self.rows[event.event_id] = event
            return refused

        refused = await write_newest(
            dict(enumerate(batch)), key=lambda event: event.event_id, version=lambda event: event.revision, write=put
        )
        return [Rejection(index, error) for index, error in sorted(refused.items())]

    async def healthy(self) -> bool:
        """See `Sink.healthy`."""
        return self.is_up

    async def close(self) -> None:
        """See `Sink.close`."""
