"""The consumer of the run transport: delivers runs, keeps their acknowledgements and commits by checkpoint.

It subclasses Faust's aiokafka driver and replaces what at-least-once needs and Faust 0.15 does not give:
an agent's exception acknowledges its event there, delivery errors are only logged, offsets may be committed before
outputs are acknowledged, and the positions are forgotten before the commit of a rebalance.
docs/decisions/partition-runs.md tells the whole story.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, cast

from faust.exceptions import ImproperlyConfigured, ProducerSendError
from faust.tables.manager import TableManager
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

from streams.changelog import ChangelogRun
from streams.ledger import RunLedger
from streams.metrics import RoleMetrics
from streams.outbox import DeliveryError, Outbox
from streams.pace import FetchPace, cut
from streams.producer import RunProducer
from streams.run import Changes, Output, Record, Run, RunFailed
from streams.store import StateNotWritten
from streams.table import RunTable

if TYPE_CHECKING:
    from streams.options import RunOptions

EAGER_MIN_BYTES, EAGER_WAIT_MS = 1, 1500  # as Faust sets them: a fetch returns with the first record
CUT_SHORT_S = 0.05  # a fetch that leaves topics out looks again after this


class CommittedReader(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, for records of finished transactions only.

    Faust reads uncommitted unless it writes transactions itself (``_create_worker_consumer``): what a producer's
    transaction took back would raise alerts. Without transactions the two are the same.
    """

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # given to the fetcher when the consumer starts
        return consumer


class RunConsumer(driver.Consumer):
    """Delivery, acknowledgement and commit of runs. Topics without the ``run`` codec keep Faust's way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        conf = self.app.conf
        if not conf.stream_wait_empty or self.in_transaction:
            raise ImproperlyConfigured("runs need stream_wait_empty=True (it hands over cleanly) and at_least_once")
        options: RunOptions = self.transport.options  # type: ignore[attr-defined]  # of RunTransport
        self.options = options
        self.ledger = RunLedger(options.runs_in_flight, options.in_flight_bytes)
        self.pace = FetchPace(options.coalesce_ms / 1000)
        self.metrics = RoleMetrics(conf.id.removeprefix("alpr-"))
        self._run_topics: set[str] = set()
        self._changelogs: set[str] = set()  # of run tables: they come in runs too, which nobody acknowledges

    def _new_consumer_thread(self) -> CommittedReader:
        return CommittedReader(self, loop=self.loop, beacon=self.beacon)

    @property
    def outbox(self) -> Outbox:
        """The way out, shared with the producer service."""
        assert isinstance(self.app.producer, RunProducer)
        return self.app.producer.outbox

    @property
    def run_topics(self) -> frozenset[str]:
        """Topics that are delivered in runs."""
        return frozenset(self._run_topics)

    def run_tables(self) -> list[RunTable]:
        """Tables whose changes travel with runs."""
        return [table for table in self.app.tables.values() if isinstance(table, RunTable)]

    def staged_keys(self) -> int:
        """Changed keys that wait for a checkpoint."""
        return sum(table.store.staged for table in self.run_tables())

    def committed(self, tp: TP) -> int | None:
        """The offset that is committed for a partition; None before the first commit of the group."""
        offset: int | None = self._committed_offset.get(tp)
        return offset

    # -- fetching

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> RecordMap:  # noqa: ASYNC109 - Faust's
        """Fetch, but not from topics that have enough runs in flight, and not too eagerly."""
        ledger = self.ledger
        ledger.changed.clear()
        closed = {topic for topic in self._run_topics if ledger.is_full(topic)}
        if not getattr(self.app, "may_deliver", True) or self.staged_keys() >= self.options.max_staged_keys:
            closed = self._run_topics  # the broadcasts' end, or the next checkpoint, opens them
        if self.app.rebalancing:
            # Recovery resumes stream partitions, seeks them, and only then empties the queues (recovery.py,
            # on_recovery_completed): what is delivered in between is dropped and never read again.
            closed = self.app.topics.acking_topics
        if self._changelogs and self._unapplied_changelog_runs() >= self.options.runs_in_flight:
            closed = closed | self._changelogs  # recovery is busy with what it has
        if closed and active_partitions:
            timeout = min(timeout, CUT_SHORT_S)
            active_partitions = {tp for tp in active_partitions if tp.topic not in closed}
            if not active_partitions:
                await self.wait_first(ledger.changed.wait(), timeout=timeout)
                return {}
        records = await super()._getmany(active_partitions, timeout)
        self._set_pace(sum(map(len, records.values())))
        return records

    def _set_pace(self, records: int) -> None:
        """Tell aiokafka's fetcher how patient its next request shall be. It reads both attributes for each request."""
        was_patient = self.pace.is_patient
        if self.app.in_recovery:
            records = 0
        is_patient = self.pace.after(records, monotonic())
        if is_patient != was_patient:
            fetcher = self._thread._ensure_consumer()._fetcher
            fetcher._fetch_min_bytes = self.pace.MIN_BYTES if is_patient else EAGER_MIN_BYTES
            fetcher._fetch_max_wait_ms = self.pace.max_wait_ms if is_patient else EAGER_WAIT_MS

    def _unapplied_changelog_runs(self) -> int:
        assert isinstance(self.app.tables, TableManager)
        return self.app.tables.changelog_queue.qsize()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 - Faust's
        """Faust's getmany with runs. Its caller delivers each message and stops waiting when the flow stops.

        Records that a stopped flow leaves behind are simply dropped: flow stops only for a rebalance, and a
        rebalance ends with a seek to the committed offsets.
        """
        records, active = await self._wait_next_records(timeout)
        generation: int = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        for tp, item in self.scheduler.iterate(self._cut(records)):
            if not self.flow_active or self.app.consumer_generation_id != generation:
                break
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            if not isinstance(item, tuple):
                yield tp, self._to_message(tp, item)
            elif tp.topic in self._run_topics:
                yield tp, self._run_message(tp, item[0], item[1], generation)
            else:
                yield tp, self._message(tp, item[0], ChangelogRun(item[0]), generation)

    def _cut(self, records: RecordMap) -> dict[TP, list[Any]]:
        options, in_runs = self.options, self._run_topics | self._changelogs
        return {
            tp: list(cut(batch, options.run_records, options.run_bytes)) if tp.topic in in_runs else batch
            for tp, batch in records.items()
        }

    def _run_message(self, tp: TP, records: Sequence[Record], size_bytes: int, generation: int) -> ConsumerMessage:
        run = Run(tp, records, size_bytes, self, self.ledger.revoking)
        message = self._message(tp, records, run, generation)
        self.ledger.deliver(message)
        self.metrics.run_records.observe(len(records))
        return message

    def _message(
        self, tp: TP, records: Sequence[Record], value: Run | ChangelogRun, generation: int
    ) -> ConsumerMessage:
        last: Any = records[-1]
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type,
            [], None, cast("bytes", value), None, 0, 0, tp, generation_id=generation,
        )  # fmt: skip

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self._run_topics:  # a run looks like a gap to Faust
            await super()._add_gap(tp, offset_from, offset_to)

    # -- what an agent hands over

    async def finish_run(self, run: Run, changes: Changes, outputs: Iterable[Output]) -> bool:
        """See `streams.run.Run.finish`."""
        if run.stale:
            return False
        self.ledger.check_turn(run)
        for table, values in changes.items():
            table.store.stage(run.tp.partition, values)
        self.outbox.put(outputs)
        self.ledger.finish(run)
        self.metrics.finished(run.tp.topic, len(run))
        await self.outbox.pump()  # only back-pressure: the step above is already complete
        return True

    # -- commit

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        for tp in super()._filter_tps_with_pending_acks(topics):
            if tp.topic not in self._run_topics:
                yield tp
        for tp in self.ledger.positions:
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self._run_topics:
            offset: int | None = super()._new_offset(tp)
            return offset
        self._acked.pop(tp, None)  # the compiled stream iterator keeps filling these
        self._acked_index.pop(tp, None)
        return self.ledger.positions.get(tp)

    async def _commit_tps(self, tps: Iterable[TP], start_new_transaction: bool = True) -> bool:
        """One checkpoint. Every step is durable before the next: outputs, changelog, RocksDB, offsets."""
        ledger, tables = self.ledger, self.run_tables()
        epoch, started_at = ledger.epoch, perf_counter()

        def still_ours() -> bool:
            return ledger.epoch == epoch

        try:
            ledger.check_failures()
            self.outbox.check()
            # The snapshot: offsets and table changes of the same finished runs. No await in between.
            offsets = self._filter_committable_offsets(tps)
            if not offsets:
                return False
            for table in tables:
                table.store.freeze()
            await self._handle_attached(offsets)
            await self.app.producer.flush()  # raises if any delivery failed
            if tables and not await self._prove_membership(offsets):
                return False
            for table in tables:
                if still_ours():
                    await table.checkpoint(self.outbox, still_ours)
            done = still_ours() and await self._commit_offsets(offsets, start_new_transaction)
            self.metrics.checkpoint_seconds.observe(perf_counter() - started_at)
            return done
        except (DeliveryError, RunFailed, ProducerSendError, StateNotWritten) as exc:
            if isinstance(exc, StateNotWritten):
                self.outbox.fail(exc)  # no checkpoint at the shutdown that follows either
            self.log.error("not committing: %s", exc)
            await self.crash(exc)
            return False
        finally:
            if still_ours():
                for table in tables:
                    table.store.thaw()

    async def _prove_membership(self, tps: Iterable[TP]) -> bool:
        """Commit the offsets that are committed already: the coordinator refuses when others own the partitions.

        A worker that was frozen past its session would else write its old changes to the changelog behind the new
        owner's. What is left is a freeze in the milliseconds between this answer and the writes.
        """
        committed = self._committed_offset
        proved: bool = await self._commit({tp: committed[tp] or self.ledger.starts.get(tp, 0) for tp in tps})
        return proved

    # -- rebalance and shutdown

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Take over partitions; learn which topics come in runs."""
        self._learn_run_topics()
        await super().on_partitions_assigned(assigned, generation_id)

    def _learn_run_topics(self) -> None:
        subscriptions: dict[str, list[bool]] = {}
        self._changelogs = {table.changelog_topic_name for table in self.run_tables()}
        for channel in self.app.topics:
            for topic in set(channel.topics) - self._changelogs:
                subscriptions.setdefault(topic, []).append(getattr(channel, "value_serializer", None) == "run")
        for topic, in_runs in subscriptions.items():
            if any(in_runs) and len(in_runs) > 1:
                raise ImproperlyConfigured(
                    f"{topic} is read by {len(in_runs)} agents of one role. A topic that comes in runs has one agent a "
                    "role, else state and offsets could not move together: give the other agent a role of its own."
                )
        self._run_topics = {topic for topic, in_runs in subscriptions.items() if any(in_runs)}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Give partitions back: running bodies end, what is finished is committed, the rest is forgotten."""
        self.metrics.rebalances.inc()
        await super().on_partitions_revoked(revoked)  # stops the flow, empties the queues, calls wait_empty
        self._forget_runs()

    async def perform_seek(self) -> None:
        """Go back to the committed offsets; whatever was delivered will be delivered again."""
        self._forget_runs()
        await super().perform_seek()

    async def wait_empty(self) -> None:
        """Let bodies that are running end, then commit. Bounded: a body stuck in a sink is left behind as stale."""
        self.ledger.begin_revoking()
        options = self.options
        deadline = monotonic() + (options.stop_settle_s if self.app.should_stop else options.settle_s)
        self._clean_unacked_messages()
        while self._unacked_messages and monotonic() < deadline:
            await self._wait_for_ack(timeout=1)
            self._clean_unacked_messages()
        try:
            await asyncio.wait_for(self._final_commit(), max(1.0, deadline - monotonic()))
        except TimeoutError:
            self.log.warning("no commit before the partitions go: their records will be read again")
        self._unacked_messages.clear()
        if self.app.should_stop:
            self._forget_runs()  # the tables close next; nothing may be checkpointed after

    def _clean_unacked_messages(self) -> None:
        """Forget messages that need no waiting for: acknowledged, or given up by a body that saw the revocation."""
        self._unacked_messages -= {
            message
            for message in self._unacked_messages
            if message.acked or (isinstance(message.value, Run) and message.value.stale)
        }

    async def _final_commit(self) -> None:
        while await self.maybe_wait_for_commit_to_finish():
            pass
        await self.commit()

    def _forget_runs(self) -> None:
        self.ledger.clear()
        for table in self.run_tables():
            table.store.drop_changes()
