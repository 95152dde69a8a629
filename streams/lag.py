"""How far a role is behind: the ends of its partitions, asked from the broker, against what is committed."""

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from faust.exceptions import ConsumerNotStarted
from mode import Service

from schemas.errors import Unavailable
from streams.ends import PartitionEnds
from telemetry.log import get_logger

if TYPE_CHECKING:
    from streams.role_app import RoleApp

FRESH_FOR = 3  # intervals
GRACE_S = 1.0
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
        ends: asks the broker.
        interval_s: seconds between two measurements.
    """

    def __init__(self, app: "RoleApp", ends: PartitionEnds, interval_s: float, **kwargs: Any) -> None:
        self.app = app
        self.ends = ends
        self.interval_s = interval_s
        self.latest = Lag()
        super().__init__(**kwargs)

    @property
    def is_known(self) -> bool:
        """Whether the latest measurement is fresh."""
        return monotonic() - self.latest.measured_at < FRESH_FOR * self.interval_s + GRACE_S

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(self.interval_s)
            try:
                measured = await self._measure()
            except (Unavailable, ConsumerNotStarted) as error:
                log.debug("lag unknown", role=self.app.role.name, error=str(error))
                continue
            if measured is not None:
                self.latest = measured
                consumer = self.app.run_consumer
                consumer.metrics.lag(measured.records)
                consumer.metrics.staged_keys.set(consumer.staged_keys())
                consumer.metrics.unacknowledged.set(consumer.outbox.unacknowledged)

    async def _measure(self) -> Lag | None:
        app, consumer = self.app, self.app.run_consumer
        if not consumer.started or app.rebalancing:
            return None
        committed = {
            (tp.topic, tp.partition): consumer.committed(tp)
            for tp in consumer.assignment()
            if tp.topic not in app.tables.changelog_topics
        }
        ends = await self.ends.latest(committed)
        starts = await self.ends.earliest(place for place, offset in committed.items() if offset is None)
        return Lag(
            {
                place: max(0, ends[place] - (starts[place] if offset is None else offset))
                for place, offset in committed.items()
            },
            monotonic(),
        )
