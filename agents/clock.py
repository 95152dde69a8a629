"""Time enters by the log: once a second the worker writes the time into every partition of detections that it owns.

A clock record stands among the detections, so a replay sees the same time at the same place. The time that it gives is
never ahead of the raw detections that are still to be routed: what waits in the log is not silence.
"""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Protocol

from faust.types import TP

from schemas.clock import MICROS_PER_MS, Micros, now_us
from schemas.codec import EventCodec
from schemas.errors import Unavailable
from schemas.events import Clock
from schemas.record_kinds import kind_header
from schemas.topics import CLOCKS, DETECTED, ROUTED
from streams.outbox import DeliveryError
from streams.role_app import RoleApp
from streams.run import Output
from telemetry.log import get_logger

QUIET_AFTER_S = 60.0
"""So long after the last detection the clock goes slower."""
log = get_logger(__name__)


class Progress(Protocol):
    """What the clock asks of the role."""

    def partitions(self, topic: str) -> Iterable[int]:
        """Partitions of a topic that this worker owns and has recovered; none while it has not."""

    def routed_until(self, now: Micros) -> Micros | None:
        """Time up to which the raw detections are routed: `now` where nothing waits; None where nobody knows."""

    async def send(self, outputs: Iterable[Output]) -> None:
        """Send records beside the runs."""


class ClockWriter:
    """Writes clock records.

    Args:
        progress: of the role.
        codec: encodes them.
        quiet_s: seconds between two while no detection comes.
        last_detection: `time.monotonic` of the last one.
        now: wall clock, microseconds.
        pass_s: `time.monotonic`.
    """

    def __init__(
        self,
        progress: Progress,
        codec: EventCodec,
        quiet_s: float,
        last_detection: Callable[[], float],
        now: Callable[[], Micros] = now_us,
        pass_s: Callable[[], float] = monotonic,
    ) -> None:
        self._progress = progress
        self._codec = codec
        self._quiet_s = quiet_s
        self._last_detection = last_detection
        self._now = now
        self._pass_s = pass_s
        self._written_at = float("-inf")

    async def write(self) -> None:
        """Write the time into each partition, if it is time to."""
        at_s = self._pass_s()
        is_quiet = at_s - self._last_detection() > QUIET_AFTER_S
        if is_quiet and at_s - self._written_at < self._quiet_s:
            return
        partitions = list(self._progress.partitions(ROUTED.name))
        until = self._progress.routed_until(self._now())
        if not partitions or until is None:
            return
        try:
            value = self._codec.encode(CLOCKS, Clock(at=until))
            headers = (kind_header(Clock),)
            await self._progress.send([Output(ROUTED.name, None, value, number, headers) for number in partitions])
        except (Unavailable, DeliveryError) as error:  # the next checkpoint deals with a failed delivery
            log.warning("no clock record written", error=str(error))
            return
        self._written_at = at_s


class RoleProgress:
    """The progress of a role of this process.

    Args:
        app: the role.
    """

    def __init__(self, app: RoleApp) -> None:
        self._app = app

    def partitions(self, topic: str) -> list[int]:
        """See `Progress.partitions`."""
        if not self._app.is_running or not self._app.is_recovered:
            return []
        return sorted(tp.partition for tp in self._app.run_consumer.assignment() if tp.topic == topic)

    def routed_until(self, now: Micros) -> Micros | None:
        """See `Progress.routed_until`."""
        times = [self._until(TP(DETECTED.name, number), now) for number in self.partitions(DETECTED.name)]
        known = [at for at in times if at is not None]
        return min(known, default=now) if len(known) == len(times) else None

    def _until(self, tp: TP, now: Micros) -> Micros | None:
        consumer = self._app.run_consumer
        oldest_ms = consumer.ledger.oldest_ms(tp)
        if oldest_ms is not None:
            return min(now, oldest_ms * MICROS_PER_MS)
        end, place = consumer.highwater(tp), consumer.ledger.positions.get(tp, consumer.committed(tp))
        if place is None:  # nothing was ever routed: the broker was asked whether there is something
            is_done = self._app.lag.latest.records.get((tp.topic, tp.partition)) == 0
        else:
            is_done = end is not None and place >= end
        return now if is_done else None

    async def send(self, outputs: Iterable[Output]) -> None:
        """See `Progress.send`."""
        self._app.outbox.put(outputs)
        await self._app.outbox.pump()
