"""How far a role is behind: the ends of its partitions, asked from the broker, against what is committed."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError  # type: ignore[import-untyped]  # it ships no types
from faust.exceptions import ConsumerNotStarted
from mode import Service

from telemetry.log import get_logger

if TYPE_CHECKING:
    from streams.role_app import RoleApp

ASK_TIMEOUT_S = 5.0
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lag:
    """A measurement.

    Attributes:
        records: (topic, partition) -> records between the committed offset and the end of the partition.
        measured_at: `time.monotonic` seconds; minus infinity before the first.
    """

    records: dict[tuple[str, int], int] = field(default_factory=dict)
    measured_at: float = float("-inf")

    @property
    def total(self) -> int:
        """Over all partitions."""
        return sum(self.records.values())

    def by_topic(self) -> dict[str, int]:
        """Sum of the partitions of each topic."""
        topics: dict[str, int] = {}
        for (topic, _), records in self.records.items():
            topics[topic] = topics.get(topic, 0) + records
        return topics


class LagWatch(Service):
    """Measures a role's lag every few seconds and shows it as metrics.

    The broker is asked for the ends of the partitions: what the fetcher last saw grows old exactly when an agent is
    stuck and nothing is fetched.

    Args:
        app: the role.
        interval_s: seconds between two measurements.
    """

    def __init__(self, app: "RoleApp", interval_s: float, **kwargs: Any) -> None:
        self.app = app
        self.interval_s = interval_s
        self.latest = Lag()
        self._asking: asyncio.Task[Lag | None] | None = None
        super().__init__(**kwargs)

    @property
    def is_known(self) -> bool:
        """Whether the latest measurement is fresh."""
        return monotonic() - self.latest.measured_at < 3 * self.interval_s + ASK_TIMEOUT_S

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(self.interval_s)
            if self._asking is None or self._asking.done():  # an unanswered question is not asked again
                self._asking = asyncio.ensure_future(self._measure())
            try:
                measured = await asyncio.wait_for(asyncio.shield(self._asking), ASK_TIMEOUT_S)
            except (KafkaError, ConsumerNotStarted, TimeoutError) as error:
                log.debug("lag unknown", role=self.app.role.name, error=repr(error))
                continue
            if measured is not None:
                self.latest = measured
                consumer = self.app.run_consumer
                consumer.metrics.lag(measured.records)
                consumer.metrics.staged_keys.set(consumer.staged_keys())
                consumer.metrics.unacknowledged.set(consumer.outbox.unacknowledged)

    async def on_stop(self) -> None:
        """Drop a question that is still open."""
        if self._asking is not None:
            self._asking.cancel()

    async def _measure(self) -> Lag | None:
        app, consumer = self.app, self.app.run_consumer
        if not consumer.started or app.rebalancing:
            return None
        partitions = {tp for tp in consumer.assignment() if tp.topic not in app.tables.changelog_topics}
        if not partitions:
            return Lag({}, monotonic())
        ends = await consumer.highwaters(*partitions)
        committed = {tp: consumer.committed(tp) for tp in partitions}
        unread = [tp for tp, offset in committed.items() if offset is None]
        starts = await consumer.earliest_offsets(*unread) if unread else {}
        records = {
            (tp.topic, tp.partition): max(0, (ends.get(tp) or 0) - (committed[tp] or starts.get(tp) or 0))
            for tp in partitions
        }
        return Lag(records, monotonic())
