"""What comes in at the notifier: each alert of a run is held back, sent on, kept for later or started."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from agents.alert_life import DIGEST_REMEMBER_S, AlertLife, DueMessages
from agents.channels.dispatch import Dispatcher
from agents.channels.ledger import Books, Case, Ledger
from agents.channels.port import AtMostOnce, Notification
from agents.channels.settings import NotifySettings
from agents.decisions import desk_mail
from agents.decisions.desk_mail import RAISED, arrived, sent_on
from agents.decisions.notification import (
    INHIBITED,
    REFUSED,
    SILENCED,
    STALE,
    Plan,
    Settled,
    plan,
    receipt_of,
    retry_until,
)
from agents.decisions.told import Told
from schemas.clock import MICROS_PER_MS, MICROS_PER_S, Micros
from schemas.codec import EventCodec
from schemas.errors import SchemaError, Unavailable
from schemas.events import Alert
from schemas.keys import notification_id
from schemas.topics import ALERTS
from streams.guard import DeadLetterGuard, retry_count
from streams.retry import retrying
from streams.run import Output, Record, Run
from tables.alert_life import AlertLifeRows
from tables.notifications import BytesTable, KeptRecord, delivered, delivered_rows, forgotten_rows, pending


@dataclass(frozen=True, slots=True)
class Incoming:
    """An alert of a run, with the record that brought it."""

    record: Record
    alert: Alert
    arrived: desk_mail.Arrived


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes alerts in.

    Attributes:
        dispatcher: delivers.
        guard: makes dead letters.
        codec: reads alerts.
        sent: table ``sent_notifications``.
        waiting: table ``pending_notifications``.
        life: decides what is told later.
        ledger: writes down what is decided.
        settings: of the notifier.
        environment: where ``${NAME}`` is looked up.
        clock: wall clock in microseconds.
    """

    dispatcher: Dispatcher
    guard: DeadLetterGuard
    codec: EventCodec
    sent: BytesTable
    waiting: BytesTable
    life: AlertLife
    ledger: Ledger
    settings: NotifySettings
    environment: Mapping[str, str]
    clock: Callable[[], Micros]

    async def take(self, ours_from: int, run: Run, rows: AlertLifeRows, books: Books) -> list[Case]:
        """Decide about the alerts of a run, and start what is to be sent."""

        async def decode() -> tuple[list[tuple[Record, Incoming | None]], list[Output]]:
            return self.guard.decode_run(run, self._read)

        read, letters = await retrying(decode, run=run, what="schema registry")
        books.outputs += letters
        cases: list[Case] = []
        for _, incoming in read:
            if incoming is not None:
                with self.guard.watch(incoming.arrived.record, books.outputs):
                    cases += self._decide(ours_from, run, incoming, rows, books)
        if run.tp.topic == ALERTS.name:
            captured = [incoming.alert.captured_at for _, incoming in read if incoming is not None]
            if captured:
                books.sent |= forgotten_rows(self.sent, run, min(self.clock(), max(captured)))
        return cases

    def _read(self, record: Record) -> Incoming | None:
        if record.topic == ALERTS.name:
            came = desk_mail.Arrived(RAISED, KeptRecord.of(record))
        elif record.value:
            came = arrived(record)
        else:
            return None  # a wake
        return Incoming(record, self.codec.decode(ALERTS, record.value), came)

    def _decide(self, ours_from: int, run: Run, incoming: Incoming, rows: AlertLifeRows, books: Books) -> list[Case]:
        """What becomes of one alert: sent on, held back with a receipt, kept for later, or sent now.

        Args:
            ours_from: offset of the alerts before which they may have been handled by the partition's last owner.
            run: in hand.
            incoming: the alert at one of its stages.
            rows: what is kept; changed.
            books: of the run; changed.
        """
        alert, came = incoming.alert, incoming.arrived
        now = max(self.clock(), came.record.timestamp * MICROS_PER_MS)
        if came.stage == desk_mail.DIGESTING:
            self._collect(run, rows, incoming, now, books)
            return []
        channels = self.dispatcher.channels
        planned = plan(
            alert, now=now, freshness_s=self.settings.freshness_s, channels=channels, environment=self.environment
        )
        ids = [notification.notification_id for notification in planned.notifications]
        ids += [receipt.notification_id for receipt in planned.receipts]
        books.decided |= delivered(self.sent, run, ids) | pending(self.waiting, run, ids)
        told = Told.plainly(alert, came.record)
        cases: list[Case] = []
        to_people: list[Notification] = []
        for notification in planned.notifications:
            channel = channels[notification.channel]
            if not isinstance(channel, AtMostOnce):
                to_people.append(notification)
            elif came.stage == RAISED and notification.notification_id not in books.decided:
                # what moves something in the world does not travel: it is not about people, and each hop costs time
                books.decided.add(notification.notification_id)
                cases += self._move(channel, told, notification, ours_from, incoming.record, books)
        if to_people or planned.receipts:
            cases += self._tell(told, replace(planned, notifications=tuple(to_people)), came, rows, now, books)
        return cases

    def _move(
        self,
        channel: AtMostOnce,
        told: Told,
        notification: Notification,
        ours_from: int,
        record: Record,
        books: Books,
    ) -> list[Case]:
        """Start what may happen once at most, or refuse it for good."""
        reasons = self._refusal(channel, notification, ours_from, record)
        if reasons:
            self.ledger.settle_for_good(notification, Settled(REFUSED, 0, reasons, self.clock()), books)
            return []
        return [Case(self.dispatcher.start(notification, channel.valid_until(notification)), told)]

    def _tell(
        self, told: Told, planned: Plan, came: desk_mail.Arrived, rows: AlertLifeRows, now: Micros, books: Books
    ) -> list[Case]:
        """What becomes of an alert as far as people are concerned."""
        alert = told.alert
        if alert.is_historical:  # it tells nobody, mutes nobody, joins no group and no digest
            for receipt in planned.receipts:
                self.ledger.add_receipt(receipt, books, once=True)
            return []
        next_stage = self.life.next_stage(alert, came.stage)
        held_back = self.life.muted_by(rows, alert) if came.stage == desk_mail.MUTING else None
        if held_back is None and next_stage is not None:
            books.outputs.append(sent_on(came.record, *next_stage))
            return []
        reason = Settled(INHIBITED, 0, held_back.words, now) if held_back is not None else None
        silence = self.life.actions.silence_of(alert, now)
        if reason is None and silence is not None:
            reason = Settled(SILENCED, 0, silence.words, now)
        for receipt in planned.receipts:  # what cannot be addressed at all is said in any case
            held = reason is not None and receipt.outcome == STALE
            changed = replace(receipt, outcome=reason.outcome, detail=reason.detail) if reason and held else receipt
            self.ledger.add_receipt(changed, books, once=True)  # a replay does not overwrite "delivered" by "stale"
        new = [each for each in planned.notifications if each.notification_id not in books.decided]
        if reason is not None:
            for notification in new:
                self.ledger.add_receipt(receipt_of(notification, reason), books, once=True)
            return []
        if any(receipt.outcome == STALE for receipt in planned.receipts):
            self._send_to_digest(told, books)
        if not new:
            return []
        books.decided |= {each.notification_id for each in new}
        self.life.watch(rows, alert, came.record, now)
        if self.life.must_wait(rows, alert, came.record, now):
            return []
        return [self._start(told, notification) for notification in new]

    def _start(self, told: Told, notification: Notification) -> Case:
        settings = self.settings
        deadline = retry_until(notification.alert, self.clock(), settings.retry_total_s, settings.freshness_s)
        return Case(self.dispatcher.start(notification, deadline), told)

    def _send_to_digest(self, told: Told, books: Books) -> None:
        """Bring a late alert to where each of its recipients' digests is collected."""
        if not self.life.has_digest:
            return
        for notification in told.notifications(self.dispatcher.channels, self.environment):
            if isinstance(self.dispatcher.channels[notification.channel], AtMostOnce):
                continue
            recipient = (notification.channel, notification.address.identity)
            for part in told.parts:
                if part.record is not None:
                    books.outputs.append(sent_on(part.record, desk_mail.DIGESTING, "|".join(recipient), recipient))

    def _collect(self, run: Run, rows: AlertLifeRows, incoming: Incoming, now: Micros, books: Books) -> None:
        """Keep a late alert for a recipient's digest, unless it stands in one already."""
        recipient = incoming.arrived.recipient
        if recipient is None:
            return
        mark = notification_id(f"{incoming.alert.alert_id}/digest", *recipient)
        if mark in delivered(self.sent, run, [mark]):
            return
        books.sent |= delivered_rows(mark, now + round(DIGEST_REMEMBER_S * MICROS_PER_S))
        self.life.collect(rows, incoming.alert, incoming.arrived.record, recipient, now)

    async def take_due(self, run: Run, rows: AlertLifeRows, books: Books) -> list[Case]:
        """Start what is to be told now: groups, escalations, digests."""
        unreadable: list[Output] = []

        def decode(record: KeptRecord) -> Alert | None:
            try:
                alert: Alert = self.codec.decode(ALERTS, record.value)
            except SchemaError as error:  # it was readable when it was kept: the codec has changed
                unreadable.append(self.guard.dead_letter(record, error))
                return None
            return alert

        async def take() -> DueMessages:
            before = dict(rows.changes)
            unreadable.clear()
            try:
                return self.life.due(rows, decode, self.clock())
            except Unavailable:
                rows.changes.clear()
                rows.changes.update(before)
                raise

        found = await retrying(take, run=run, what="schema registry")
        books.outputs += unreadable
        now, cases = self.clock(), []
        for told, recipient in found.told:
            for notification in self._addressed(told):
                if recipient in (None, (notification.channel, notification.address.identity)):
                    ids = {each.notification_id for _, each in told.of_parts(notification)}
                    if not ids <= delivered(self.sent, run, ids):
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
        channels = self.dispatcher.channels
        found = told.notifications(channels, self.environment)
        return [each for each in found if not isinstance(channels[each.channel], AtMostOnce)]

    def _settle_all(self, told: Told, settled: Settled, books: Books) -> None:
        for notification in self._addressed(told):
            for _, each in told.of_parts(notification):
                self.ledger.add_receipt(receipt_of(each, settled), books)

    def _refusal(self, channel: AtMostOnce, notification: Notification, ours_from: int, record: Record) -> str:
        """Why an alert must not move anything; empty when it may, or has just done so."""
        if self.dispatcher.known(notification):
            return ""
        reasons = []
        if record.offset < ours_from:
            reasons.append("replayed: recorded before this notifier took over, so it may have been handled")
        if retry_count(record):
            reasons.append("replayed: sent back from the dead letters")
        return "; ".join([*reasons, *filter(None, [channel.refusal(notification, self.clock())])])
