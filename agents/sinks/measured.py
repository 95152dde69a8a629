"""A sink with its metrics: the same for every store, so no store counts for itself."""

from collections.abc import Sequence
from time import perf_counter
from typing import Generic, TypeVar

from agents.sinks.port import Rejection, Sink
from schemas.errors import SinkUnavailable
from telemetry import metrics

Event = TypeVar("Event")


class MeasuredSink(Generic[Event]):
    """Passes everything on and counts it under the sink's name.

    Args:
        sink: the store.
    """

    def __init__(self, sink: Sink[Event]) -> None:
        self._sink = sink
        self.name = sink.name

    async def setup(self) -> None:
        """See `Sink.setup`."""
        await self._sink.setup()

    async def write(self, batch: Sequence[Event]) -> list[Rejection]:
        """See `Sink.write`."""
        started = perf_counter()
        try:
            rejections = await self._sink.write(batch)
        except SinkUnavailable:
            metrics.SINK_UNAVAILABLE.labels(self.name).inc()
            metrics.SINK_UP.labels(self.name).set(0)
            raise
        metrics.SINK_WRITE_SECONDS.labels(self.name).observe(perf_counter() - started)
        metrics.SINK_UP.labels(self.name).set(1)
        metrics.SINK_RECORDS.labels(self.name, "written").inc(len(batch) - len(rejections))
        if rejections:
            metrics.SINK_RECORDS.labels(self.name, "rejected").inc(len(rejections))
        return rejections

    async def healthy(self) -> bool:
        """See `Sink.healthy`."""
        return await self._sink.healthy()

    async def close(self) -> None:
        """See `Sink.close`."""
        await self._sink.close()
