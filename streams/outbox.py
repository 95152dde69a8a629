"""The way out to Kafka that knows what is not acknowledged yet, and never forgets a failed delivery."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable

from schemas.errors import AlprError
from streams.run import Output

OnOffset = Callable[[int, int], None]
"""Called with partition and offset of a delivered record."""


class DeliveryError(AlprError):
    """A record could not be delivered. Sticky: no commit may happen any more in this process."""


class Ticket:
    """Counts the records handed over between two flushes that Kafka has not acknowledged."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open = 0


class Parcel:
    """Records handed over together."""

    __slots__ = ("on_offset", "records", "ticket")

    def __init__(self, records: Iterable[Output], ticket: Ticket, on_offset: OnOffset | None) -> None:
        self.records = deque(records)
        self.ticket = ticket
        self.on_offset = on_offset
        ticket.open += len(self.records)


class Outbox(ABC):
    """Queue, send, wait. Subclasses say how records are sent (`streams.outbox_clients`).

    `put` is synchronous, so a run hands over its outputs and its table changes in one step. `pump` moves records to
    the client in order and is where back-pressure is felt. `flush` returns when Kafka has acknowledged everything
    that was put before it; what agents put meanwhile does not hold it up.

    Args:
        max_unacknowledged: records with the client at once.
    """

    CHUNK = 500  # records between two looks at the event loop
    POLL_S = 0.002

    def __init__(self, max_unacknowledged: int = 50_000) -> None:
        self.max_unacknowledged = max_unacknowledged
        self.with_client = 0
        self.error: BaseException | None = None
        self._queue: deque[Parcel] = deque()
        self._tickets: list[Ticket] = [Ticket()]
        self._pumping = asyncio.Lock()

    @property
    def unacknowledged(self) -> int:
        """Records that were put and that Kafka has not acknowledged."""
        return sum(ticket.open for ticket in self._tickets)

    async def start(self) -> None:  # noqa: B027 - an optional hook
        """Make the client, if it is the outbox's own."""

    async def stop(self) -> None:  # noqa: B027 - an optional hook
        """Let the client go. What was not acknowledged is not retried: `flush` was awaited before."""

    def put(self, records: Iterable[Output], on_offset: OnOffset | None = None) -> None:
        """Hand over records; they leave with the next `pump` or `flush`."""
        self._queue.append(Parcel(records, self._tickets[-1], on_offset))

    def fail(self, error: BaseException) -> None:
        """Note that a delivery failed, by this outbox or beside it. From now on nothing is committed."""
        self.error = self.error or error

    async def pump(self) -> None:
        """Move what was put to the client.

        Raises:
            DeliveryError: a record was refused, now or before.
        """
        async with self._pumping:  # one at a time, or records of one key could overtake each other
            while self._queue:
                self.check()
                room = self.max_unacknowledged - self.with_client
                if room > 0:
                    await self._send(self._queue[0], min(room, self.CHUNK))
                    if not self._queue[0].records:
                        self._queue.popleft()
                    await asyncio.sleep(0)
                else:
                    await asyncio.sleep(self.POLL_S)
                self._serve()

    async def flush(self) -> None:
        """Return when Kafka has acknowledged everything that was put before this call.

        Raises:
            DeliveryError: a record was refused, now or before.
        """
        waiting = list(self._tickets)
        self._tickets = [ticket for ticket in waiting if ticket.open] + [Ticket()]
        await self.pump()
        while any(ticket.open for ticket in waiting):
            self.check()
            await asyncio.sleep(self.POLL_S)
            self._serve()
        self.check()

    def check(self) -> None:
        """Raise if a delivery has ever failed.

        Raises:
            DeliveryError: it has.
        """
        if self.error is not None:
            raise DeliveryError(f"delivery failed: {self.error!r}") from self.error

    def _sent(self, parcel: Parcel) -> None:
        parcel.records.popleft()
        self.with_client += 1

    def _acknowledged(self, parcel: Parcel, error: BaseException | None, partition: int, offset: int) -> None:
        self.with_client -= 1
        parcel.ticket.open -= 1
        if error is not None:
            self.fail(error)
        elif parcel.on_offset is not None:
            parcel.on_offset(partition, offset)

    @abstractmethod
    async def _send(self, parcel: Parcel, limit: int) -> None:
        """Give up to `limit` records of the parcel to the client; count those that it took as `_sent` does.

        A record that the client refuses for good (too large, unknown topic) goes to `fail`; the call returns.
        """

    @abstractmethod
    def _serve(self) -> None:
        """Run the delivery callbacks that are due."""
