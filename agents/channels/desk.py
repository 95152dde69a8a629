"""The notifier's desk: takes runs of alerts, hands each notification to the dispatcher and keeps the books.

A run is finished after a short turn, whatever the receivers do: what is settled by then gets its receipt, what is not
is handed over to a durable row and goes on beside the stream. Its outcome is booked with the partition's next run;
a wake, an empty record on a topic partitioned like the alerts, makes sure that there is one (tables can only be
written while a run is in hand).
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from agents.channels.dispatch import Delivery, Dispatcher
from agents.channels.port import Address, AtMostOnce, Notification
from agents.channels.settings import NotifySettings
from agents.decisions.notification import (
    DELIVERED,
    FAILED,
    REFUSED,
    Settled,
    find,
    fresh_until,
    notify,
    plan,
    receipt_of,
    retry_until,
)
from schemas.clock import MICROS_PER_MS, MICROS_PER_S, Micros, now_us
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import Alert, Receipt
from schemas.topics import ALERTS, NOTIFICATIONS
from streams.guard import DeadLetterGuard, retry_count
from streams.retry import retrying
from streams.run import Output, Record, Run, Signal
from tables.notifications import (
    BytesTable,
    KeptRecord,
    Pending,
    Rows,
    all_pending,
    delivered,
    delivered_rows,
    forgotten_rows,
    pending,
    pending_row,
    settled_row,
)
from telemetry import metrics
from telemetry.log import get_logger

UNEXPECTED = "unexpected error; its dead letter has the traceback"
log = get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Case:
    """A delivery with the alert's record, for its dead letter and its row."""

    delivery: Delivery
    record: KeptRecord


@dataclass(slots=True)
class _Books:
    """What a run will hand over."""

    sent: Rows = field(default_factory=dict)
    pending: Rows = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    booked: list[Receipt] = field(default_factory=list)


@dataclass(slots=True)
class _Partition:
    """What goes on beside the stream for one partition, since the last rebalance."""

    epoch: Signal | None = None
    ours_from: int = 0  # offset: what stands before it may have been handled by the partition's last owner
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    beside: dict[str, _Case] = field(default_factory=dict)
    woken: bool = False


class Desk:
    """Handles the runs of the notify role.

    Args:
        dispatcher: delivers.
        guard: makes dead letters.
        codec: reads alerts, writes receipts.
        sent: table ``sent_notifications``.
        waiting: table ``pending_notifications``.
        settings: of the notifier.
        wake: asks for a run of a partition, soon.
        end_of: next offset of a partition of the alerts, now; raises `Unavailable`.
        environment: where ``${NAME}`` is looked up, at send time.
        clock: wall clock in microseconds.
    """

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        guard: DeadLetterGuard,
        codec: EventCodec,
        sent: BytesTable,
        waiting: BytesTable,
        settings: NotifySettings,
        wake: Callable[[int], None],
        end_of: Callable[[int], Awaitable[int]],
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], Micros] = now_us,
    ) -> None:
        self._dispatcher = dispatcher
        self._guard = guard
        self._codec = codec
        self._sent = sent
        self._waiting = waiting
        self._settings = settings
        self._wake = wake
        self._end_of = end_of
        self._environment = environment
        self._clock = clock
        self._partitions: defaultdict[int, _Partition] = defaultdict(_Partition)
        self._watches: set[asyncio.Task[None]] = set()
        self._watched: Signal | None = None

    async def handle(self, run: Run) -> None:
        """One run, of alerts or of wakes, from decoding to `Run.finish`.

        Raises:
            RunRevoked: the partition goes to another worker while the registry does not answer.
        """
        partition = self._partitions[run.tp.partition]
        async with partition.lock:  # the two topics share the partition's rows
            if run.stale:
                return
            await retrying(self._prepare, run=run, what="schema registry")
            partition.woken = False
            books = _Books()
            if partition.epoch is not run.revoking:
                await self._begin_epoch(partition, run, books)
            cases = await self._take(partition, run, books) if run.tp.topic == ALERTS.name else []
            await self._dispatcher.turn([case.delivery for case in cases])
            handed_over = [
                case for case in cases if not case.delivery.result.done() or case.delivery.result.cancelled()
            ]
            ended = [case for case in (*partition.beside.values(), *cases) if case.delivery.is_settled]
            for case in ended:
                self._book(case, books)
            for case in handed_over:
                books.pending |= pending_row(_row(case))
            kept = await run.finish({self._sent: books.sent, self._waiting: books.pending}, books.outputs)  # type: ignore[dict-item]  # a BytesTable is a RunTable, or a test's
            if not kept:
                return
            self._count(books)
            for case in ended:
                partition.beside.pop(case.delivery.notification.notification_id, None)
            self._hand_over(partition, run.tp.partition, handed_over)

    # -- what comes in

    async def _prepare(self) -> None:
        self._codec.prepare(NOTIFICATIONS)
        self._guard.prepare()

    async def _take(self, partition: _Partition, run: Run, books: _Books) -> list[_Case]:
        """Decide about the alerts of a run, and start what is to be sent."""

        async def decode() -> tuple[list[tuple[Record, Alert]], list[Output]]:
            return self._guard.decode_run(run, lambda record: self._codec.decode(ALERTS, record.value))

        alerts, letters = await retrying(decode, run=run, what="schema registry")
        books.outputs += letters
        plans = []
        for record, alert in alerts:
            now = max(self._clock(), record.timestamp * MICROS_PER_MS)
            with self._guard.watch(record, books.outputs):
                planned = plan(
                    alert,
                    now=now,
                    freshness_s=self._settings.freshness_s,
                    channels=self._dispatcher.channels,
                    environment=self._environment,
                )
                plans.append((record, alert, planned))
        ids = [n.notification_id for _, _, planned in plans for n in planned.notifications]
        ids += [r.notification_id for _, _, planned in plans for r in planned.receipts]
        known = delivered(self._sent, run, ids) | pending(self._waiting, run, ids)
        cases = []
        for record, alert, planned in plans:
            for receipt in planned.receipts:
                if receipt.notification_id not in known:  # a replay does not overwrite "delivered" by "stale"
                    self._add_receipt(receipt, books)
            for notification in planned.notifications:
                if notification.notification_id in known:
                    continue
                known.add(notification.notification_id)
                deadline = retry_until(alert, self._clock(), self._settings.retry_total_s, self._settings.freshness_s)
                channel = self._dispatcher.channels[notification.channel]
                if isinstance(channel, AtMostOnce):
                    deadline = channel.valid_until(notification)
                    reasons = self._refusal(channel, notification, partition, record)
                    if reasons:
                        self._settle_for_good(notification, Settled(REFUSED, 0, reasons, self._clock()), books)
                        continue
                cases.append(_Case(self._dispatcher.start(notification, deadline), KeptRecord.of(record)))
        if alerts:
            newest = min(self._clock(), max(alert.captured_at for _, alert in alerts))
            books.sent |= forgotten_rows(self._sent, run, newest)
        return cases

    def _refusal(self, channel: AtMostOnce, notification: Notification, partition: _Partition, record: Record) -> str:
        """Why an alert must not move anything; empty when it may, or has just done so."""
        if self._dispatcher.known(notification):
            return ""
        reasons = []
        if record.offset < partition.ours_from:
            reasons.append("replayed: recorded before this notifier took over, so it may have been handled")
        if retry_count(record):
            reasons.append("replayed: sent back from the dead letters")
        return "; ".join([*reasons, *filter(None, [channel.refusal(notification, self._clock())])])

    def _settle_for_good(self, notification: Notification, settled: Settled, books: _Books) -> None:
        """Book an outcome, and remember it as a delivery is: it is not decided again."""
        books.sent |= self._remembered(notification)
        self._add_receipt(receipt_of(notification, settled), books)

    def _remembered(self, notification: Notification) -> Rows:
        # at least as long as its gate is open: a replay passes the gate until then
        remembered_until = notification.alert.captured_at + round(self._settings.remember_s * MICROS_PER_S)
        forget_at = max(remembered_until, fresh_until(notification.alert, self._settings.freshness_s))
        return delivered_rows(notification.notification_id, forget_at)

    async def _begin_epoch(self, partition: _Partition, run: Run, books: _Books) -> None:
        """The first run since a start or a rebalance: go on with what the table says is waiting."""
        partition.beside.clear()

        async def end() -> int:
            return await self._end_of(run.tp.partition)

        partition.ours_from = await retrying(end, run=run, what="Kafka")
        for row in all_pending(self._waiting, run):

            async def decode(row: Pending = row) -> Alert:
                alert: Alert = self._codec.decode(ALERTS, row.record.value)
                return alert

            try:
                alert = await retrying(decode, run=run, what="schema registry")
            except SchemaError as error:  # it was readable when it was written: the codec has changed
                books.outputs.append(self._guard.dead_letter(row.record, error))
                books.pending |= settled_row(row.notification_id)
                continue
            notification = find(row.notification_id, alert, self._dispatcher.channels, self._environment)
            if notification is None:
                gone = notify(alert, row.channel, Address("", row.recipient, "", ""))
                settled = Settled(FAILED, row.attempts, "its recipient is no longer configured", self._clock())
                receipt = replace(receipt_of(gone, settled), notification_id=row.notification_id)
                self._add_receipt(receipt, books)
                books.pending |= settled_row(row.notification_id)
                continue
            once = isinstance(self._dispatcher.channels[row.channel], AtMostOnce)
            if once and not self._dispatcher.known(notification):
                reasons = "interrupted: it may have been sent before the restart, so it is not repeated"
                self._settle_for_good(notification, Settled(REFUSED, row.attempts, reasons, self._clock()), books)
                books.pending |= settled_row(row.notification_id)
                continue
            delivery = self._dispatcher.start(notification, row.deadline, row.attempts)
            case = _Case(delivery, row.record)
            self._hand_over(partition, run.tp.partition, [case])
        partition.epoch = run.revoking
        if self._watched is not run.revoking:
            self._watched = run.revoking
            watch = asyncio.create_task(self._rest_when(run.revoking))
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)

    async def _rest_when(self, revoking: Signal) -> None:
        await revoking.wait()
        self._dispatcher.rest()

    # -- what goes out

    def _book(self, case: _Case, books: _Books) -> None:
        """Receipt, row and dead letter of a delivery that has ended."""
        notification = case.delivery.notification
        settled: Settled | None = None
        with self._guard.watch(case.record, books.outputs):  # a channel's defect ends as a dead letter
            settled = case.delivery.result.result()
        if settled is None:
            settled = Settled(FAILED, case.delivery.attempts, UNEXPECTED, self._clock())
        if settled.error is not None:
            books.outputs.append(self._guard.dead_letter(case.record, settled.error))
        once = isinstance(self._dispatcher.channels.get(notification.channel), AtMostOnce)
        if settled.outcome == DELIVERED or once:
            books.sent |= self._remembered(notification)
        if settled.outcome == DELIVERED:
            since_record_s = (settled.settled_at - case.record.timestamp * MICROS_PER_MS) / MICROS_PER_S
            metrics.SIGHTING_TO_DELIVERY_SECONDS.labels(notification.channel).observe(max(0.0, since_record_s))
        books.pending |= settled_row(notification.notification_id)
        self._add_receipt(receipt_of(notification, settled), books)

    def _add_receipt(self, receipt: Receipt, books: _Books) -> None:
        if receipt.outcome == FAILED and not receipt.attempts:
            log.error(
                "notification impossible",
                alert_id=receipt.alert_id,
                rule_id=receipt.rule_id,
                channel=receipt.channel,
                recipient=receipt.recipient,
                reason=receipt.detail,
            )
        value = self._codec.encode(NOTIFICATIONS, receipt)
        books.outputs.append(Output(NOTIFICATIONS.name, receipt.alert_id.encode(), value))
        books.booked.append(receipt)

    def _count(self, books: _Books) -> None:
        for receipt in books.booked:
            channel = receipt.channel if receipt.channel in self._dispatcher.channels else "unknown"
            metrics.NOTIFICATIONS.labels(channel, receipt.outcome).inc()
            age_s = (receipt.settled_at - receipt.captured_at) / MICROS_PER_S
            metrics.NOTIFY_SECONDS.labels(channel).observe(max(0.0, age_s))

    def _hand_over(self, partition: _Partition, number: int, cases: Iterable[_Case]) -> None:
        """Let deliveries go on beside the stream; the end of each asks for a run to be booked in."""
        for case in cases:
            partition.beside[case.delivery.notification.notification_id] = case
            case.delivery.result.add_done_callback(lambda _: self._ask_for_run(partition, number))

    def _ask_for_run(self, partition: _Partition, number: int) -> None:
        if not partition.woken and any(case.delivery.is_settled for case in partition.beside.values()):
            partition.woken = True
            self._wake(number)


def _row(case: _Case) -> Pending:
    delivery = case.delivery
    notification = delivery.notification
    return Pending(
        notification.notification_id,
        notification.channel,
        notification.address.shown,
        case.record,
        delivery.attempts,
        delivery.deadline,
    )
