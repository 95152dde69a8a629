"""Agent of the alerts role: sightings through the rules, alerts to ``alpr.alerts``.

A rule that looks at one sighting decides at once. Correlations, which look at several, wait for the ticks among the
sightings; this is their first stage (`agents.correlation_stage`).
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from agents.correlation_stage import CorrelationStage, Decided
from agents.decisions.correlation import (
    FORGET_EVERY_US,
    SETTLE_AT_ONCE,
    MemoryOfRun,
    WatchlistFeed,
    forgettable,
    match_all,
    touched_keys,
)
from agents.decisions.watermarks import Watermarks
from agents.record_headers import trace_headers
from agents.rules_in_force import book, feed
from alert_rules.alerts import alert_key
from alert_rules.book import RuleBook
from alert_rules.correlations.driver import Input
from alert_rules.correlations.driver import Tick as StageTick
from alert_rules.engine import Decision, Engine, Match
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import Sighting, Tick
from schemas.record_kinds import is_of
from schemas.topics import ALERTS, DLQ, SIGHTINGS
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.roles import role_app
from streams.run import Output, Record, Run
from streams.table import RunTable
from tables.rule_memory import HELP, NAME, keys_between
from telemetry import metrics
from telemetry.log import get_logger

WATERMARKS_KEY = b"watermarks"
log = get_logger(__name__)
app = role_app("alerts")
rule_memory = app.run_table(NAME, partitions=SIGHTINGS.partitions, help=HELP)
watermarks = app.run_table("watermarks", partitions=SIGHTINGS.partitions, help="How far the cameras are")
plate_correlations = app.run_table(
    "plate_correlations", partitions=SIGHTINGS.partitions, help="What correlations know of plates"
)


class Correlator:
    """Evaluates runs of sightings. What fires is `alert_rules.engine`'s decision.

    Args:
        book: rules and watchlists in force.
        feed: brings the watchlists of the topic.
        codec: reads sightings, writes alerts.
        guard: keeps what cannot be handled.
        memory: table of what the rules remember.
        watermarks: table of how far the cameras are, as the ticks of each partition said.
        stage: first one of the correlations; None: there are none.
    """

    def __init__(
        self,
        book: RuleBook,
        feed: WatchlistFeed,
        codec: EventCodec,
        guard: DeadLetterGuard,
        memory: RunTable,
        watermarks: RunTable,
        stage: CorrelationStage | None = None,
    ) -> None:
        self._book = book
        self._memory = memory
        self._watermarks = watermarks
        self._feed = feed
        self._codec = codec
        self._guard = guard
        self._stage = stage
        self._forgot_at: dict[int, int] = {}

    async def handle(self, run: Run) -> None:
        """Raise the alerts of a run's sightings."""
        read, ticks, outputs = await retrying(lambda: self._read(run), run=run, what="schema registry")
        # a sighting that went into an older one is no pass of its own: the older one is what rules see
        sightings = [(record, sighting) for record, sighting in read if sighting.merged_into is None]
        engine = self._book.engine
        matches = match_all(engine, (sighting for _, sighting in sightings))
        matched = [(record, match) for (record, _), match in zip(sightings, matches, strict=True) if match is not None]
        memory = MemoryOfRun(self._memory.get_many(run, touched_keys(match for _, match in matched)))
        decisions = [self._decide(engine, record, match, memory, outputs) for record, match in matched]
        self._forget(run, sightings, memory)
        changes: dict[RunTable, Mapping[bytes, bytes | None]] = {
            self._memory: memory.changes, self._watermarks: self._pass_time(run, ticks)
        }  # fmt: skip
        correlated: Decided | None = None
        if self._stage is not None and self._stage.is_needed():
            correlated = await self._stage.decide(run, in_order(read, ticks), outputs)
            changes[self._stage.table] = correlated.changes
        if await run.finish(changes, outputs):
            _count(decisions)
            if self._stage is not None and correlated is not None:
                self._stage.note(run, correlated)

    async def _read(self, run: Run) -> tuple[list[tuple[Record, Sighting]], list[tuple[Record, Tick]], list[Output]]:
        self._codec.prepare(ALERTS, DLQ)
        while self._feed.settle(SETTLE_AT_ONCE):  # noqa: ASYNC110 - it works on in steps, and waits for nobody
            await asyncio.sleep(0)
        read, letters = self._guard.decode_run(
            run, lambda record: self._codec.decode_as(Sighting, record.value), events_only=True
        )
        return read, self._ticks(run), letters

    def _ticks(self, run: Run) -> list[tuple[Record, Tick]]:
        ticks = []
        for record in run.records:
            if is_of(Tick, record.headers):
                try:
                    ticks.append((record, self._codec.decode_as(Tick, record.value)))
                except SchemaError as error:
                    log.error("tick cannot be read", offset=record.offset, error=str(error))
        return ticks

    def _pass_time(self, run: Run, ticks: list[tuple[Record, Tick]]) -> dict[bytes, bytes | None]:
        """Take the ticks of a run: how far the cameras are, for what waits for it."""
        if not ticks:
            return {}
        known = Watermarks.decode(self._watermarks.get_many(run, (WATERMARKS_KEY,))[WATERMARKS_KEY])
        for _, tick in ticks:
            known.take(tick)
        return {WATERMARKS_KEY: known.encode()}

    def _decide(
        self, engine: Engine, record: Record, match: Match, memory: MemoryOfRun, outputs: list[Output]
    ) -> Decision:
        with self._guard.watch(record, outputs):
            decision = engine.decide(match, memory.known)
            headers = trace_headers(record.headers)
            alerts = [
                Output(ALERTS.name, alert_key(alert), self._codec.encode(ALERTS, alert), headers=headers)
                for alert in decision.alerts
            ]
            outputs += alerts
            memory.apply(decision)
            return decision
        return Decision()

    def _forget(self, run: Run, sightings: list[tuple[Record, Sighting]], memory: MemoryOfRun) -> None:
        now_us = max((sighting.captured_at for _, sighting in sightings), default=0)
        if now_us - self._forgot_at.get(run.tp.partition, 0) < FORGET_EVERY_US:
            return
        self._forgot_at[run.tp.partition] = now_us
        gone = forgettable(lambda start, stop: keys_between(self._memory, run, start, stop), now_us)
        memory.changes = {**gone, **memory.changes}


def in_order(
    sightings: Iterable[tuple[Record, Sighting]], ticks: Iterable[tuple[Record, Tick]]
) -> list[tuple[Record, Input]]:
    """Sightings and time as they stand in the log. A tick says from when on there is more to come, a step's the end."""
    times = ((record, StageTick(str(tick.partition), tick.watermark - 1)) for record, tick in ticks)
    found: list[tuple[Record, Input]] = [*sightings, *times]
    return sorted(found, key=lambda pair: pair[0].offset)


def _count(decisions: list[Decision]) -> None:
    for decision in decisions:
        for alert in decision.alerts:
            metrics.ALERTS.labels(alert.rule.id, alert.severity).inc()
        for rule_id in decision.held_back:
            metrics.ALERTS_SUPPRESSED.labels(rule_id).inc()


@cache
def correlator() -> Correlator:
    """The process's correlator, made at first use."""
    guard = DeadLetterGuard("correlate", codec())
    stage = CorrelationStage(0, plate_correlations, book, codec(), guard)
    return Correlator(book, feed(), codec(), guard, rule_memory, watermarks, stage)


@app.agent(app.runs(SIGHTINGS.name))
async def correlate(runs: Any) -> None:
    """Evaluate the rules on sightings and raise alerts with their proof."""
    async for run in runs:
        await correlator().handle(run)
