"""The notifier's desk: takes runs of alerts, hands each notification to the dispatcher and keeps the books.

A run is finished after a short turn, whatever the receivers do: what is settled by then gets its receipt, what is not
is handed over to a durable row and goes on beside the stream. Its outcome is booked with the partition's next run;
a wake, an empty record on a topic partitioned like the alerts, makes sure that there is one (tables can only be
written while a run is in hand). The same topic brings alerts to where they are muted, grouped or told late
(`agents.decisions.desk_mail`), and wakes the desk when something that it keeps is due (`agents.alert_life`).
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from agents.alert_life import DIGEST_REMEMBER_S, AlertLife, DueMessages
from agents.channels.dispatch import Delivery, Dispatcher
from agents.channels.port import Address, AtMostOnce, Notification
from agents.channels.settings import NotifySettings
from agents.decisions import desk_mail
from agents.decisions.desk_mail import RAISED, arrived, sent_on
from agents.decisions.notification import (
    DELIVERED,
    FAILED,
    INHIBITED,
    REFUSED,
    SILENCED,
    STALE,
    Plan,
    Settled,
    find,
    fresh_until,
    notify,
    plan,
    receipt_of,
    retry_until,
)
from agents.decisions.told import Part, Told
from schemas.clock import MICROS_PER_MS, MICROS_PER_S, Micros, now_us
from schemas.codec import EventCodec
from schemas.errors import SchemaError, Unavailable
from schemas.events import Alert, Receipt
from schemas.keys import notification_id
from schemas.topics import ALERTS, NOTIFICATIONS
from streams.guard import DeadLetterGuard, retry_count
from streams.retry import retrying
from streams.run import Output, Record, Run, Signal
from tables.alert_life import AlertLifeRows
from tables.notifications import (
    BytesTable,
    KeptMessage,
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
from tables.run_rows import RunRows
from telemetry import metrics
from telemetry.log import get_logger

LONGEST_NAP_S = 30.0
NO_RECORD = KeptRecord(ALERTS.name, 0, -1, 0, None, None)
"""Stands for the record of a message that is no alert's, such as a digest."""
UNEXPECTED = "unexpected error; its dead letter has the traceback"
log = get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Case:
    """A delivery with what it tells, for its receipts, dead letters and row."""

    delivery: Delivery
    told: Told


@dataclass(frozen=True, slots=True)
class _Incoming:
    """An alert of a run, with the record that brought it."""

    record: Record
    alert: Alert
    arrived: desk_mail.Arrived


@dataclass(slots=True)
class _Books:
    """What a run will hand over."""

    sent: Rows = field(default_factory=dict)
    pending: Rows = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    booked: list[Receipt] = field(default_factory=list)
    decided: set[str] = field(default_factory=set)  # notification ids that are settled, under way or decided about


@dataclass(slots=True)
class _Partition:
    """What goes on beside the stream for one partition, since the last rebalance."""

    epoch: Signal | None = None
    ours_from: int = 0  # offset: what stands before it may have been handled by the partition's last owner
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    beside: dict[str, _Case] = field(default_factory=dict)
    woken: bool = False
    due_at: Micros | None = None
    alarm: asyncio.TimerHandle | None = None


class Desk:
    """Handles the runs of the notify role.

    Args:
        dispatcher: delivers.
        guard: makes dead letters.
        codec: reads alerts, writes receipts.
        sent: table ``sent_notifications``.
        waiting: table ``pending_notifications``.
        kept: table ``alert_life``.
        life: decides what is told later.
        read_actions: takes in what people did with alerts; raises `Unavailable`.
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
        kept: BytesTable,
        life: AlertLife,
        read_actions: Callable[[], None],
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
        self._kept = kept
        self._life = life
        self._read_actions = read_actions
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
            books, rows = _Books(), AlertLifeRows(RunRows(self._kept, run))
            if partition.epoch is not run.revoking:
                await self._begin_epoch(partition, run, books)
            cases = await self._take(partition, run, rows, books)
            cases += await self._take_due(run, rows, books)
            await self._dispatcher.turn([case.delivery for case in cases])
            handed_over = [
                case for case in cases if not case.delivery.result.done() or case.delivery.result.cancelled()
            ]
            ended = [case for case in (*partition.beside.values(), *cases) if case.delivery.is_settled]
            for case in ended:
                self._book(case, books)
            for case in handed_over:
                books.pending |= pending_row(self._row(case))
            due_at = rows.next_due_at()
            changes = {self._sent: books.sent, self._waiting: books.pending, self._kept: rows.changes}
            if not await run.finish(changes, books.outputs):  # type: ignore[arg-type]  # a BytesTable is a RunTable, or a test's
                return
            self._count(books)
            for case in ended:
                partition.beside.pop(case.delivery.notification.notification_id, None)
            self._hand_over(partition, run.tp.partition, handed_over)
            self._set_alarm(partition, run.tp.partition, due_at)

    # -- what comes in

    async def _prepare(self) -> None:
        self._codec.prepare(NOTIFICATIONS, ALERTS)
        self._read_actions()
        self._guard.prepare()

    def _read(self, record: Record) -> _Incoming | None:
        if record.topic == ALERTS.name:
            came = desk_mail.Arrived(RAISED, KeptRecord.of(record))
        elif record.value:
            came = arrived(record)
        else:
            return None  # a wake
        return _Incoming(record, self._codec.decode(ALERTS, record.value), came)

    async def _take(self, partition: _Partition, run: Run, rows: AlertLifeRows, books: _Books) -> list[_Case]:
        """Decide about the alerts of a run, and start what is to be sent."""

        async def decode() -> tuple[list[tuple[Record, _Incoming | None]], list[Output]]:
            return self._guard.decode_run(run, self._read)

        read, letters = await retrying(decode, run=run, what="schema registry")
        books.outputs += letters
        cases: list[_Case] = []
        for _, incoming in read:
            if incoming is not None:
                with self._guard.watch(incoming.arrived.record, books.outputs):
                    cases += self._decide(partition, run, incoming, rows, books)
        if run.tp.topic == ALERTS.name:
            captured = [incoming.alert.captured_at for _, incoming in read if incoming is not None]
            if captured:
                books.sent |= forgotten_rows(self._sent, run, min(self._clock(), max(captured)))
        return cases

    def _decide(
        self, partition: _Partition, run: Run, incoming: _Incoming, rows: AlertLifeRows, books: _Books
    ) -> list[_Case]:
        """What becomes of one alert: sent on, held back with a receipt, kept for later, or sent now.

        Args:
            partition: of the run.
            run: in hand.
            incoming: the alert at one of its stages.
            rows: what is kept; changed.
            books: of the run; changed.
        """
        alert, came = incoming.alert, incoming.arrived
        now = max(self._clock(), came.record.timestamp * MICROS_PER_MS)
        if came.stage == desk_mail.DIGESTING:
            self._collect(run, rows, incoming, now, books)
            return []
        channels = self._dispatcher.channels
        planned = plan(
            alert, now=now, freshness_s=self._settings.freshness_s, channels=channels, environment=self._environment
        )
        ids = [notification.notification_id for notification in planned.notifications]
        ids += [receipt.notification_id for receipt in planned.receipts]
        books.decided |= delivered(self._sent, run, ids) | pending(self._waiting, run, ids)
        told = Told.plainly(alert, came.record)
        cases: list[_Case] = []
        to_people: list[Notification] = []
        for notification in planned.notifications:
            channel = channels[notification.channel]
            if not isinstance(channel, AtMostOnce):
                to_people.append(notification)
            elif came.stage == RAISED and notification.notification_id not in books.decided:
                # what moves something in the world does not travel: it is not about people, and each hop costs time
                books.decided.add(notification.notification_id)
                cases += self._move(channel, told, notification, partition, incoming.record, books)
        if to_people or planned.receipts:
            cases += self._tell(told, replace(planned, notifications=tuple(to_people)), came, rows, now, books)
        return cases

    def _move(
        self,
        channel: AtMostOnce,
        told: Told,
        notification: Notification,
        partition: _Partition,
        record: Record,
        books: _Books,
    ) -> list[_Case]:
        """Start what may happen once at most, or refuse it for good."""
        reasons = self._refusal(channel, notification, partition, record)
        if reasons:
            self._settle_for_good(notification, Settled(REFUSED, 0, reasons, self._clock()), books)
            return []
        return [_Case(self._dispatcher.start(notification, channel.valid_until(notification)), told)]

    def _tell(
        self, told: Told, planned: Plan, came: desk_mail.Arrived, rows: AlertLifeRows, now: Micros, books: _Books
    ) -> list[_Case]:
        """What becomes of an alert as far as people are concerned."""
        alert = told.alert
        if alert.is_historical:  # it tells nobody, mutes nobody, joins no group and no digest
            for receipt in planned.receipts:
                self._add_receipt(receipt, books, once=True)
            return []
        next_stage = self._life.next_stage(alert, came.stage)
        held_back = self._life.muted_by(rows, alert) if came.stage == desk_mail.MUTING else None
        if held_back is None and next_stage is not None:
            books.outputs.append(sent_on(came.record, *next_stage))
            return []
        reason = Settled(INHIBITED, 0, held_back.words, now) if held_back is not None else None
        silence = self._life.actions.silence_of(alert, now)
        if reason is None and silence is not None:
            reason = Settled(SILENCED, 0, silence.words, now)
        for receipt in planned.receipts:  # what cannot be addressed at all is said in any case
            held = reason is not None and receipt.outcome == STALE
            changed = replace(receipt, outcome=reason.outcome, detail=reason.detail) if reason and held else receipt
            self._add_receipt(changed, books, once=True)  # a replay does not overwrite "delivered" by "stale"
        new = [each for each in planned.notifications if each.notification_id not in books.decided]
        if reason is not None:
            for notification in new:
                self._add_receipt(receipt_of(notification, reason), books, once=True)
            return []
        if any(receipt.outcome == STALE for receipt in planned.receipts):
            self._send_to_digest(told, books)
        if not new:
            return []
        books.decided |= {each.notification_id for each in new}
        self._life.watch(rows, alert, came.record, now)
        if self._life.must_wait(rows, alert, came.record, now):
            return []
        return [self._start(told, notification) for notification in new]

    def _start(self, told: Told, notification: Notification) -> _Case:
        settings = self._settings
        deadline = retry_until(notification.alert, self._clock(), settings.retry_total_s, settings.freshness_s)
        return _Case(self._dispatcher.start(notification, deadline), told)

    # -- what is told later

    def _send_to_digest(self, told: Told, books: _Books) -> None:
        """Bring a late alert to where each of its recipients' digests is collected."""
        if not self._life.has_digest:
            return
        for notification in told.notifications(self._dispatcher.channels, self._environment):
            if isinstance(self._dispatcher.channels[notification.channel], AtMostOnce):
                continue
            recipient = (notification.channel, notification.address.identity)
            for part in told.parts:
                if part.record is not None:
                    books.outputs.append(sent_on(part.record, desk_mail.DIGESTING, "|".join(recipient), recipient))

    def _collect(self, run: Run, rows: AlertLifeRows, incoming: _Incoming, now: Micros, books: _Books) -> None:
        """Keep a late alert for a recipient's digest, unless it stands in one already."""
        recipient = incoming.arrived.recipient
        if recipient is None:
            return
        mark = notification_id(f"{incoming.alert.alert_id}/digest", *recipient)
        if mark in delivered(self._sent, run, [mark]):
            return
        books.sent |= delivered_rows(mark, now + round(DIGEST_REMEMBER_S * MICROS_PER_S))
        self._life.collect(rows, incoming.alert, incoming.arrived.record, recipient, now)

    async def _take_due(self, run: Run, rows: AlertLifeRows, books: _Books) -> list[_Case]:
        """Start what is to be told now: groups, escalations, digests."""
        unreadable: list[Output] = []

        def decode(record: KeptRecord) -> Alert | None:
            try:
                alert: Alert = self._codec.decode(ALERTS, record.value)
            except SchemaError as error:  # it was readable when it was kept: the codec has changed
                unreadable.append(self._guard.dead_letter(record, error))
                return None
            return alert

        async def take() -> DueMessages:
            before = dict(rows.changes)
            unreadable.clear()
            try:
                return self._life.due(rows, decode, self._clock())
            except Unavailable:
                rows.changes.clear()
                rows.changes.update(before)
                raise

        found = await retrying(take, run=run, what="schema registry")
        books.outputs += unreadable
        now, cases = self._clock(), []
        for told, recipient in found.told:
            for notification in self._addressed(told):
                if recipient in (None, (notification.channel, notification.address.identity)):
                    ids = {each.notification_id for _, each in told.of_parts(notification)}
                    if not ids <= delivered(self._sent, run, ids):
                        cases.append(self._start(told, notification))
        for told, silence in found.silenced:
            self._settle_all(told, Settled(SILENCED, 0, silence.words, now), books)
        for told in found.late:
            self._settle_all(told, Settled(STALE, 0, "the notifier was down when it was due", now), books)
            if told.is_plain:
                self._send_to_digest(told, books)
        return cases

    def _addressed(self, told: Told) -> list[Notification]:
        """The message's notifications to people."""
        channels = self._dispatcher.channels
        found = told.notifications(channels, self._environment)
        return [each for each in found if not isinstance(channels[each.channel], AtMostOnce)]

    def _settle_all(self, told: Told, settled: Settled, books: _Books) -> None:
        for notification in self._addressed(told):
            for _, each in told.of_parts(notification):
                self._add_receipt(receipt_of(each, settled), books)

    def _set_alarm(self, partition: _Partition, number: int, due_at: Micros | None) -> None:
        """See to it that there is a run when something is due; the first run of the next process does so again."""
        partition.due_at = due_at
        if partition.alarm is not None:
            partition.alarm.cancel()
            partition.alarm = None
        if due_at is None:
            return
        pause_s = max(0.0, (due_at - self._clock()) / MICROS_PER_S)
        loop = asyncio.get_running_loop()
        # a clock that is put forward, or a machine that slept, delays nothing for longer than this
        partition.alarm = loop.call_later(min(pause_s, LONGEST_NAP_S), self._ring, partition, number)

    def _ring(self, partition: _Partition, number: int) -> None:
        if partition.due_at is None or self._clock() < partition.due_at:
            self._set_alarm(partition, number, partition.due_at)
        elif not partition.woken:
            partition.woken = True
            self._wake(number)

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
        log.info(
            "notification refused",
            notification_id=notification.notification_id,
            alert_id=notification.alert.alert_id,
            channel=notification.channel,
            recipient=notification.address.shown,
            reasons=settled.detail,
        )
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

            async def decode(row: Pending = row) -> Told:
                return self._told_of(row)

            try:
                told = await retrying(decode, run=run, what="schema registry")
            except SchemaError as error:  # it was readable when it was written: the codec has changed
                books.outputs.append(self._guard.dead_letter(row.record, error))
                books.pending |= settled_row(row.notification_id)
                continue
            notification = find(row.notification_id, told.alert, self._dispatcher.channels, self._environment, told.key)
            if notification is None:
                gone = notify(told.alert, row.channel, Address("", row.recipient, "", ""))
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
            self._hand_over(partition, run.tp.partition, [_Case(delivery, told)])
        partition.epoch = run.revoking
        if self._watched is not run.revoking:
            self._watched = run.revoking
            watch = asyncio.create_task(self._rest_when(run.revoking))
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)

    def _told_of(self, row: Pending) -> Told:
        if row.told is None:
            return Told.plainly(self._codec.decode(ALERTS, row.record.value), row.record)
        said: Alert = self._codec.decode(ALERTS, row.told.value)
        parts = [
            Part(key, said if record is None else self._codec.decode(ALERTS, record.value), record)
            for key, record in row.told.parts
        ]
        return Told(row.told.key, said, tuple(parts))

    def _row(self, case: _Case) -> Pending:
        delivery, told = case.delivery, case.told
        notification = delivery.notification
        records = [part.record for part in told.parts if part.record is not None]
        kept = None
        if not told.is_plain:
            parts = tuple((part.key, part.record) for part in told.parts)
            kept = KeptMessage(told.key, self._codec.encode(ALERTS, told.alert), parts)
        return Pending(
            notification.notification_id,
            notification.channel,
            notification.address.shown,
            records[0] if records else NO_RECORD,
            delivery.attempts,
            delivery.deadline,
            kept,
        )

    async def _rest_when(self, revoking: Signal) -> None:
        await revoking.wait()
        self._dispatcher.rest()

    # -- what goes out

    def _book(self, case: _Case, books: _Books) -> None:
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
            self._add_receipt(receipt_of(each, settled), books)
        if settled.outcome == DELIVERED and told.is_plain:
            since_record_s = (settled.settled_at - records[0].timestamp * MICROS_PER_MS) / MICROS_PER_S
            metrics.SIGHTING_TO_DELIVERY_SECONDS.labels(notification.channel).observe(max(0.0, since_record_s))
        books.pending |= settled_row(notification.notification_id)

    def _add_receipt(self, receipt: Receipt, books: _Books, *, once: bool = False) -> None:
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
