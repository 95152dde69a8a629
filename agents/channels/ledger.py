"""The notifier's ledger: what becomes of a notification is written down, as receipts, dead letters and rows."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from agents.channels.dispatch import Delivery, Dispatcher
from agents.channels.port import AtMostOnce, Notification
from agents.channels.settings import NotifySettings
from agents.decisions.notification import DELIVERED, FAILED, Settled, fresh_until, receipt_of
from agents.decisions.told import Told
from schemas.clock import MICROS_PER_MS, MICROS_PER_S, Micros
from schemas.codec import EventCodec
from schemas.events import Receipt
from schemas.topics import ALERTS, NOTIFICATIONS
from streams.guard import DeadLetterGuard
from streams.run import Output
from tables.notifications import KeptRecord, Rows, delivered_rows, settled_row
from telemetry import metrics
from telemetry.log import get_logger

NO_RECORD = KeptRecord(ALERTS.name, 0, -1, 0, None, None)
"""Stands for the record of a message that is no alert's, such as a digest."""
UNEXPECTED = "unexpected error; its dead letter has the traceback"
log = get_logger(__name__)


@dataclass(eq=False, slots=True)
class Case:
    """A delivery with what it tells, for its receipts, dead letters and row."""

    delivery: Delivery
    told: Told


@dataclass(slots=True)
class Books:
    """What a run will hand over.

    Attributes:
        sent: rows of ``sent_notifications``.
        pending: rows of ``pending_notifications``.
        outputs: receipts, dead letters and alerts that are sent on.
        booked: the receipts, to be counted when the run is finished.
        decided: ids of notifications that are settled, under way or decided about.
    """

    sent: Rows = field(default_factory=dict)
    pending: Rows = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    booked: list[Receipt] = field(default_factory=list)
    decided: set[str] = field(default_factory=set)


class Ledger:
    """Writes into the books of runs.

    Args:
        dispatcher: knows the channels.
        guard: makes dead letters.
        codec: writes receipts.
        settings: of the notifier.
        clock: wall clock in microseconds.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        guard: DeadLetterGuard,
        codec: EventCodec,
        settings: NotifySettings,
        clock: Callable[[], Micros],
    ) -> None:
        self._dispatcher = dispatcher
        self._guard = guard
        self._codec = codec
        self._settings = settings
        self._clock = clock

    def book(self, case: Case, books: Books) -> None:
        """Receipts, row and dead letters of a delivery that has ended."""
        notification, told = case.delivery.notification, case.told
        records = [part.record for part in told.parts if part.record is not None]
        settled: Settled | None = None
        with self._guard.watch(records[0] if records else NO_RECORD, books.outputs):
            settled = case.delivery.result.result()  # a channel's defect ends as a dead letter
        if settled is None:
            settled = Settled(FAILED, case.delivery.attempts, UNEXPECTED, self._clock())
        if settled.error is not None:
            books.outputs += [self._guard.dead_letter(record, settled.error) for record in records]
        once = isinstance(self._dispatcher.channels.get(notification.channel), AtMostOnce)
        if len(told.parts) > 1:
            also = f"with {len(told.parts) - 1} others in message {notification.notification_id}"
            settled = replace(settled, detail=f"{settled.detail} ({also})")
        for _, each in told.of_parts(notification):
            if settled.outcome == DELIVERED or once:
                books.sent |= self._remembered(each)
            self.add_receipt(receipt_of(each, settled), books)
        if settled.outcome == DELIVERED and told.is_plain:
            since_record_s = (settled.settled_at - records[0].timestamp * MICROS_PER_MS) / MICROS_PER_S
            metrics.SIGHTING_TO_DELIVERY_SECONDS.labels(notification.channel).observe(max(0.0, since_record_s))
        books.pending |= settled_row(notification.notification_id)

    def add_receipt(self, receipt: Receipt, books: Books, *, once: bool = False) -> None:
        """Write a receipt; with `once` only if nothing has been decided about its notification."""
        if once and receipt.notification_id in books.decided:
            return
        books.decided.add(receipt.notification_id)
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

    def count(self, books: Books) -> None:
        """The run is finished: count its receipts."""
        for receipt in books.booked:
            channel = receipt.channel if receipt.channel in self._dispatcher.channels else "unknown"
            metrics.NOTIFICATIONS.labels(channel, receipt.outcome).inc()
            age_s = (receipt.settled_at - receipt.captured_at) / MICROS_PER_S
            metrics.NOTIFY_SECONDS.labels(channel).observe(max(0.0, age_s))

    def settle_for_good(self, notification: Notification, settled: Settled, books: Books) -> None:
        """Book an outcome, and remember it as a delivery is: it is not decided again."""
        log.info(
            "notification refused",
            notification_id=notification.notification_id,
            alert_id=notification.alert.alert_id,
            channel=notification.channel,
            recipient=notification.address.shown,
            reasons=settled.detail,
        )
        books.sent |= self._remembered(notification)
        self.add_receipt(receipt_of(notification, settled), books)

    def _remembered(self, notification: Notification) -> Rows:
        # at least as long as its gate is open: a replay passes the gate until then
        remembered_until = notification.alert.captured_at + round(self._settings.remember_s * MICROS_PER_S)
        forget_at = max(remembered_until, fresh_until(notification.alert, self._settings.freshness_s))
        return delivered_rows(notification.notification_id, forget_at)
