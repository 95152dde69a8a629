"""Delivery with patience: concurrent, bounded per channel and destination, backed off while a destination is down.

A destination that does not answer is tried by one notification at a time at growing intervals (a circuit breaker with
half-open probes; M. Nygard, "Release It!", 2007); the others for it wait. Other destinations notice nothing. A
recipient that takes nothing for now is left alone in the same way; rate limits (`agents.channels.rate_limits`) pace the
rest.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import random
from time import monotonic

from agents.channels.port import Channel, Notification, RecipientUnavailable, Refused
from agents.channels.rate_limits import RateLimits
from agents.channels.settings import NotifySettings
from agents.decisions.notification import DELIVERED, FAILED, REFUSED, Settled
from schemas.clock import MICROS_PER_S, Micros, now_us
from schemas.errors import AlprError, SinkRejected, SinkUnavailable
from streams.retry import Backoff
from telemetry import metrics
from telemetry.log import get_logger

REMEMBERED = 10_000
_NEWEST = 0.3  # weight of the newest answer in an average
log = get_logger(__name__)


@dataclass(eq=False, slots=True)
class Delivery:
    """A notification on its way.

    Attributes:
        notification: what is delivered.
        deadline: when it is given up, wall clock.
        attempts: tries so far.
        result: how it ended; what it raises is a defect of a channel.
        parked: set while it waits for its destination: no use in waiting with it.
    """

    notification: Notification
    deadline: Micros
    attempts: int
    result: "asyncio.Task[Settled]" = field(init=False)
    parked: asyncio.Event = field(default_factory=asyncio.Event)
    trying: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether the outcome is known."""
        return self.result.done() and not self.result.cancelled()


@dataclass(eq=False, slots=True)
class _Destination:
    """A server and how it has been doing."""

    channel: str
    slots: asyncio.Semaphore
    failures: int = 0
    next_try_s: float = 0.0  # monotonic, while it is down
    probing: bool = False  # somebody tries whether it is back
    slow: bool = False  # somebody waits longer than a turn for it, now
    usual_s: float = 0.0  # moving average of the time that it takes to answer
    queue: "OrderedDict[Delivery, None]" = field(default_factory=OrderedDict)  # who is not settled; the head probes
    paced: int = 0  # how many wait for a rate limit, and are not in the queue yet
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pause_s(self) -> float:
        """Seconds until somebody may try; 0 for now."""
        return max(0.0, self.next_try_s - monotonic()) if self.failures else 0.0

    def is_open(self, delivery: Delivery) -> bool:
        """Whether a delivery may try now: everybody while it answers, the head of the queue when a pause is over."""
        return not self.failures or (not self.probing and not self.pause_s and self.is_next(delivery))

    def is_next(self, delivery: Delivery) -> bool:
        """Whether the next probe is this delivery's."""
        return next(iter(self.queue)) is delivery

    def requeue(self, delivery: Delivery) -> None:
        """Its try failed: the next probe is another one's."""
        self.queue.move_to_end(delivery)
        self._announce()

    def leave(self, delivery: Delivery) -> None:
        """A delivery is settled, or dropped."""
        del self.queue[delivery]
        self._announce()

    def failed(self, pause_s: float) -> None:
        """It did not answer: nobody tries before the pause is over, then one."""
        if not self.failures:
            metrics.NOTIFY_CIRCUITS_OPEN.labels(self.channel).inc()
        self.failures += 1
        self.next_try_s = monotonic() + pause_s
        self._announce()

    def answered(self, after_s: float) -> None:
        """It did, be it with a refusal: everybody may try."""
        if self.failures:
            metrics.NOTIFY_CIRCUITS_OPEN.labels(self.channel).dec()
        self.failures = 0
        self.slow = False
        self.usual_s += (after_s - self.usual_s) * _NEWEST
        self._announce()

    def probed(self) -> None:
        """The probe is over, however it ended."""
        self.probing = False
        self._announce()

    def _announce(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Dispatcher:
    """Delivers notifications in tasks of their own.

    It remembers what it delivered lately, so that a run that is read again after a rebalance sends nothing twice.

    Args:
        channels: by name.
        settings: limits and pauses.
        close: lets go of what the channels share, after them.
        clock: wall clock in microseconds.
        dice: uniform in 0..1, for jitter.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        settings: NotifySettings,
        *,
        close: Callable[[], Awaitable[None]] | None = None,
        clock: Callable[[], Micros] = now_us,
        dice: Callable[[], float] = random,
    ) -> None:
        self.channels = channels
        self._settings = settings
        self._close = close
        self._clock = clock
        self._dice = dice
        self._backoff = Backoff(settings.backoff_first_s, settings.backoff_max_s)
        self._slots = {name: asyncio.Semaphore(settings.concurrency) for name in channels}
        self._destinations: dict[tuple[str, str], _Destination] = {}
        self._limits = RateLimits(settings.recipient_rates_per_minute, settings.channel_rates_per_minute)
        self._recipients: OrderedDict[tuple[str, str], float] = OrderedDict()  # when to try again, monotonic
        self._deliveries: dict[str, Delivery] = {}
        self._delivered: OrderedDict[str, Delivery] = OrderedDict()

    def start(self, notification: Notification, deadline: Micros, attempts: int = 0) -> Delivery:
        """Begin to deliver, or give the delivery that is under way, or that succeeded lately, under the same id."""
        key = notification.notification_id
        known = self._deliveries.get(key) or self._delivered.get(key)
        if known is not None:
            return known
        delivery = Delivery(notification, deadline, attempts)
        delivery.result = asyncio.create_task(self._settle(delivery), name=f"notification {key}")
        self._deliveries[key] = delivery
        delivery.result.add_done_callback(lambda _: self._ended(delivery))
        return delivery

    async def turn(self, deliveries: Sequence[Delivery]) -> None:
        """Wait until each delivery is settled or parked, for the settings' turn at most.

        The destination of one that takes longer is taken for slow: until it answers, nobody waits for it again. One
        that usually takes longer is not waited for at all.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.turn_s):
                await asyncio.gather(*(_settled_or_parked(delivery) for delivery in deliveries))
        for delivery in deliveries:
            if not delivery.result.done() and not delivery.parked.is_set():
                self._destination(delivery.notification).slow = True

    def known(self, notification: Notification) -> bool:
        """Whether it is under way, or was delivered lately, in this process."""
        return notification.notification_id in self._deliveries or notification.notification_id in self._delivered

    def rest(self) -> None:
        """Drop what waits for its destination, as at a rebalance; a try that is under way comes to its end."""
        for delivery in list(self._deliveries.values()):
            if not delivery.trying:
                delivery.result.cancel()

    async def close(self) -> None:
        """Stop everything and let the channels' connections go."""
        deliveries = list(self._deliveries.values())
        for delivery in deliveries:
            delivery.result.cancel()
        await asyncio.gather(*(delivery.result for delivery in deliveries), return_exceptions=True)
        for channel in self.channels.values():
            await channel.close()
        if self._close is not None:
            await self._close()

    # -- one delivery

    async def _settle(self, delivery: Delivery) -> Settled:
        destination = self._destination(delivery.notification)
        if len(destination.queue) + destination.paced >= self._settings.destination_waiting:
            return self._failed(delivery, SinkUnavailable("too many notifications wait for this receiver"))
        if not await self._pace(delivery, destination):
            return self._gave_up(delivery, SinkUnavailable("the rate limit leaves no room for it in time"))
        destination.queue[delivery] = None
        error: AlprError = SinkUnavailable("the receiver did not answer others")
        try:
            while True:
                left_s = (delivery.deadline - self._clock()) / MICROS_PER_S
                if destination.pause_s > left_s or left_s < 0:
                    return self._gave_up(delivery, error)
                if not destination.is_open(delivery):
                    delivery.parked.set()
                    with suppress(TimeoutError):
                        probes = destination.is_next(delivery) and not destination.probing
                        wait_s = destination.pause_s if probes else left_s
                        await asyncio.wait_for(destination.changed.wait(), wait_s)
                    continue
                left_alone_s = self._left_alone_s(delivery.notification)
                if left_alone_s:
                    if left_alone_s > left_s:
                        return self._gave_up(delivery, error)
                    delivery.parked.set()
                    destination.requeue(delivery)  # somebody else may probe meanwhile
                    await asyncio.sleep(left_alone_s)
                    continue
                if destination.slow or destination.usual_s > self._settings.turn_s:
                    delivery.parked.set()
                async with destination.slots, self._slots[delivery.notification.channel]:
                    if not destination.is_open(delivery):
                        continue  # somebody else found it down meanwhile
                    try:
                        return await self._attempt(delivery, destination)
                    except SinkUnavailable as failure:
                        error = failure
                        destination.requeue(delivery)
                if delivery.attempts >= self._settings.attempts:
                    return self._gave_up(delivery, error)
        finally:
            destination.leave(delivery)

    async def _pace(self, delivery: Delivery, destination: _Destination) -> bool:
        """Wait for the rate limits; once for a notification, however often it is tried. False: it takes too long."""
        notification = delivery.notification
        if not self._limits.has_room(notification):
            metrics.NOTIFY_RATE_LIMITED.labels(notification.channel).inc()
            log.info("notification waits for its rate limit", **_names(notification))
            delivery.parked.set()
        destination.paced += 1
        try:
            return await self._limits.take(notification, (delivery.deadline - self._clock()) / MICROS_PER_S)
        finally:
            destination.paced -= 1

    def _left_alone_s(self, notification: Notification) -> float:
        """Seconds for which its recipient is to be left alone."""
        until_s = self._recipients.get((notification.channel, notification.address.identity), 0.0)
        return max(0.0, until_s - monotonic())

    def _leave_alone(self, notification: Notification, pause_s: float) -> None:
        self._recipients[notification.channel, notification.address.identity] = monotonic() + pause_s
        while len(self._recipients) > REMEMBERED:
            self._recipients.popitem(last=False)

    async def _attempt(self, delivery: Delivery, destination: _Destination) -> Settled:
        """One try. Its outcome is also the destination's."""
        notification = delivery.notification
        delivery.attempts += 1
        delivery.trying = True
        started_s = monotonic()
        probe = destination.probing = destination.failures > 0
        try:
            detail = await self.channels[notification.channel].send(notification)
        except SinkUnavailable as error:
            metrics.NOTIFY_RETRIES.labels(notification.channel).inc()
            if isinstance(error, RecipientUnavailable):
                destination.answered(monotonic() - started_s)
                self._leave_alone(notification, self._pause_s(delivery.attempts, error))
            elif probe or not destination.failures:  # tries that began before it was known to be down count once
                destination.failed(self._pause_s(destination.failures + 1, error))
            log.warning(
                "notification not delivered",
                **_names(notification),
                attempt=delivery.attempts,
                pause_s=round(destination.pause_s, 2),
                error=str(error),
            )
            raise
        except SinkRejected as error:
            destination.answered(monotonic() - started_s)
            return self._failed(delivery, error)
        except Refused as error:
            log.info("notification refused", **_names(notification), reasons=str(error))
            return Settled(REFUSED, delivery.attempts, str(error), self._clock())
        finally:
            delivery.trying = False
            if probe:
                destination.probed()
        destination.answered(monotonic() - started_s)
        log.info("notification delivered", **_names(notification), attempts=delivery.attempts)
        return Settled(DELIVERED, delivery.attempts, detail, self._clock())

    def _pause_s(self, failures: int, error: SinkUnavailable) -> float:
        return self._backoff.pause_s(failures, error.retry_after_s, self._dice)

    def _gave_up(self, delivery: Delivery, error: AlprError) -> Settled:
        tries = f"{delivery.attempts} tries" if delivery.attempts != 1 else "1 try"
        return self._failed(delivery, SinkUnavailable(f"given up after {tries}: {error}"))

    def _failed(self, delivery: Delivery, error: AlprError) -> Settled:
        log.error("notification failed", **_names(delivery.notification), attempts=delivery.attempts, error=str(error))
        return Settled(FAILED, delivery.attempts, str(error), self._clock(), error)

    def _ended(self, delivery: Delivery) -> None:
        key = delivery.notification.notification_id
        self._deliveries.pop(key, None)
        if delivery.result.cancelled() or delivery.result.exception() is not None:
            return
        if delivery.result.result().outcome == DELIVERED:
            self._delivered[key] = delivery
            while len(self._delivered) > REMEMBERED:
                self._delivered.popitem(last=False)

    def _destination(self, notification: Notification) -> _Destination:
        key = (notification.channel, notification.address.destination)
        found = self._destinations.get(key)
        if found is None:
            found = _Destination(notification.channel, asyncio.Semaphore(self._settings.destination_concurrency))
            self._destinations[key] = found
        return found


async def _settled_or_parked(delivery: Delivery) -> None:
    parked = asyncio.ensure_future(delivery.parked.wait())
    try:
        await asyncio.wait({delivery.result, parked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        parked.cancel()


def _names(notification: Notification) -> dict[str, str]:
    return {
        "notification_id": notification.notification_id,
        "alert_id": notification.alert.alert_id,
        "channel": notification.channel,
        "recipient": notification.address.shown,
    }
