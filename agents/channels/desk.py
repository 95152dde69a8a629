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

from agents.alert_life import AlertLife
from agents.channels.dispatch import Dispatcher
from agents.channels.intake import Intake
from agents.channels.ledger import NO_RECORD, Books, Case, Ledger
from agents.channels.port import Address, AtMostOnce
from agents.channels.settings import NotifySettings
from agents.decisions.notification import (
    FAILED,
    REFUSED,
    Settled,
    find,
    notify,
    receipt_of,
)
from agents.decisions.told import Part, Told
from schemas.clock import MICROS_PER_S, Micros, now_us
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import Alert
from schemas.topics import ALERTS, NOTIFICATIONS
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.run import Run, Signal
from tables.alert_life import AlertLifeRows
from tables.notifications import (
    BytesTable,
    KeptMessage,
    Pending,
    all_pending,
    pending_row,
    settled_row,
)
from tables.run_rows import RunRows

LONGEST_NAP_S = 30.0


@dataclass(slots=True)
class _Partition:
    """What goes on beside the stream for one partition, since the last rebalance."""

    epoch: Signal | None = None
    ours_from: int = 0  # offset: what stands before it may have been handled by the partition's last owner
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    beside: dict[str, Case] = field(default_factory=dict)
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
        self._read_actions = read_actions
        self._wake = wake
        self._end_of = end_of
        self._environment = environment
        self._clock = clock
        self._ledger = Ledger(dispatcher, guard, codec, settings, clock)
        self._intake = Intake(dispatcher, guard, codec, sent, waiting, life, self._ledger, settings, environment, clock)
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
            books, rows = Books(), AlertLifeRows(RunRows(self._kept, run))
            if partition.epoch is not run.revoking:
                await self._begin_epoch(partition, run, books)
            cases = await self._intake.take(partition.ours_from, run, rows, books)
            cases += await self._intake.take_due(run, rows, books)
            await self._dispatcher.turn([case.delivery for case in cases])
            handed_over = [
                case for case in cases if not case.delivery.result.done() or case.delivery.result.cancelled()
            ]
            ended = [case for case in (*partition.beside.values(), *cases) if case.delivery.is_settled]
            for case in ended:
                self._ledger.book(case, books)
            for case in handed_over:
                books.pending |= pending_row(self._row(case))
            due_at = rows.next_due_at()
            changes = {self._sent: books.sent, self._waiting: books.pending, self._kept: rows.changes}
            if not await run.finish(changes, books.outputs):  # type: ignore[arg-type]  # a BytesTable is a RunTable, or a test's
                return
            self._ledger.count(books)
            for case in ended:
                partition.beside.pop(case.delivery.notification.notification_id, None)
            self._hand_over(partition, run.tp.partition, handed_over)
            self._set_alarm(partition, run.tp.partition, due_at)

    # -- what comes in

    async def _prepare(self) -> None:
        self._codec.prepare(NOTIFICATIONS, ALERTS)
        self._read_actions()
        self._guard.prepare()

    # -- what is told later

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

    async def _begin_epoch(self, partition: _Partition, run: Run, books: Books) -> None:
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
                self._ledger.add_receipt(receipt, books)
                books.pending |= settled_row(row.notification_id)
                continue
            once = isinstance(self._dispatcher.channels[row.channel], AtMostOnce)
            if once and not self._dispatcher.known(notification):
                reasons = "interrupted: it may have been sent before the restart, so it is not repeated"
                self._ledger.settle_for_good(
                    notification, Settled(REFUSED, row.attempts, reasons, self._clock()), books
                )
                books.pending |= settled_row(row.notification_id)
                continue
            delivery = self._dispatcher.start(notification, row.deadline, row.attempts)
            self._hand_over(partition, run.tp.partition, [Case(delivery, told)])
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

    def _row(self, case: Case) -> Pending:
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

    def _hand_over(self, partition: _Partition, number: int, cases: Iterable[Case]) -> None:
        """Let deliveries go on beside the stream; the end of each asks for a run to be booked in."""
        for case in cases:
            partition.beside[case.delivery.notification.notification_id] = case
            case.delivery.result.add_done_callback(lambda _: self._ask_for_run(partition, number))

    def _ask_for_run(self, partition: _Partition, number: int) -> None:
        if not partition.woken and any(case.delivery.is_settled for case in partition.beside.values()):
            partition.woken = True
            self._wake(number)
