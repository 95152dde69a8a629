"""Agent of the alerts role: sightings through the rules, alerts to ``alpr.alerts``.

Rules and watchlists are read when the module is imported, so a broken file stops the worker before it starts; later
changes are taken whole or not at all, and the rules in force stay in force.
"""

import asyncio
from functools import cache
from typing import Any

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
from alert_rules.advice import not_on_the_stream
from alert_rules.alerts import alert_key
from alert_rules.book import RuleBook
from alert_rules.engine import Decision, Engine, Match
from alert_rules.errors import RuleFileError
from alert_rules.settings import rule_settings
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import Sighting, Tick
from schemas.record_kinds import is_of
from schemas.topics import ALERTS, DLQ, RULES, SIGHTINGS, WATCHLISTS
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
rule_documents = app.broadcast(RULES.name)
watchlist_entries = app.broadcast(WATCHLISTS.name)


class Correlator:
    """Evaluates runs of sightings. What fires is `alert_rules.engine`'s decision.

    Args:
        book: rules and watchlists in force.
        feed: brings the watchlists of the topic.
        codec: reads sightings, writes alerts.
        guard: keeps what cannot be handled.
        memory: table of what the rules remember.
        watermarks: table of how far the cameras are, as the ticks of each partition said.
    """

    def __init__(
        self,
        book: RuleBook,
        feed: WatchlistFeed,
        codec: EventCodec,
        guard: DeadLetterGuard,
        memory: RunTable,
        watermarks: RunTable,
    ) -> None:
        self._book = book
        self._memory = memory
        self._watermarks = watermarks
        self._feed = feed
        self._codec = codec
        self._guard = guard
        self._forgot_at: dict[int, int] = {}

    async def handle(self, run: Run) -> None:
        """Raise the alerts of a run's sightings."""
        sightings, outputs = await retrying(lambda: self._read(run), run=run, what="schema registry")
        engine = self._book.engine
        matches = match_all(engine, (sighting for _, sighting in sightings))
        matched = [(record, match) for (record, _), match in zip(sightings, matches, strict=True) if match is not None]
        memory = MemoryOfRun(self._memory.get_many(run, touched_keys(match for _, match in matched)))
        decisions = [self._decide(engine, record, match, memory, outputs) for record, match in matched]
        self._forget(run, sightings, memory)
        if await run.finish({self._memory: memory.changes, self._watermarks: self._pass_time(run)}, outputs):
            _count(decisions)

    async def _read(self, run: Run) -> tuple[list[tuple[Record, Sighting]], list[Output]]:
        self._codec.prepare(ALERTS, DLQ)
        while self._feed.settle(SETTLE_AT_ONCE):  # noqa: ASYNC110 - it works on in steps, and waits for nobody
            await asyncio.sleep(0)
        read, letters = self._guard.decode_run(
            run, lambda record: self._codec.decode_as(Sighting, record.value), events_only=True
        )
        # a sighting that went into an older one is no pass of its own: the older one is what rules see
        return [(record, sighting) for record, sighting in read if sighting.merged_into is None], letters

    def _pass_time(self, run: Run) -> dict[bytes, bytes | None]:
        """Take the ticks of a run: how far the cameras are, for what waits for it."""
        ticks = [record for record in run.records if is_of(Tick, record.headers)]
        if not ticks:
            return {}
        known = Watermarks.decode(self._watermarks.get_many(run, (WATERMARKS_KEY,))[WATERMARKS_KEY])
        for record in ticks:
            try:
                known.take(self._codec.decode_as(Tick, record.value))
            except SchemaError as error:
                log.error("tick cannot be read", offset=record.offset, error=str(error))
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


def _count(decisions: list[Decision]) -> None:
    for decision in decisions:
        for alert in decision.alerts:
            metrics.ALERTS.labels(alert.rule.id, alert.severity).inc()
        for rule_id in decision.held_back:
            metrics.ALERTS_SUPPRESSED.labels(rule_id).inc()


def open_book() -> RuleBook:
    """The rules and watchlists of the settings.

    Raises:
        RuleFileError: something in them is wrong, with its place.
    """
    opened = RuleBook(rule_settings().rules_path, rule_settings().watchlists_path)
    opened.load()
    report(opened)
    return opened


def report(changed: RuleBook) -> None:
    """Say what is in force now."""
    rules = changed.engine.rules.enabled
    metrics.RULES_LOADED.set(len(rules))
    log.info(
        "rules in force", rules=len(rules), watchlist_entries=len(changed.watchlists),
        versions={rule.id: rule.version for rule in rules},
    )  # fmt: skip
    for note in not_on_the_stream(changed.engine.rules):
        log.warning("rule is not evaluated", rule=note)


book = open_book()


@cache
def feed() -> WatchlistFeed:
    """The process's watchlist feed, made at first use."""
    return WatchlistFeed(book.watchlists, codec())


@cache
def correlator() -> Correlator:
    """The process's correlator, made at first use."""
    return Correlator(book, feed(), codec(), DeadLetterGuard("correlate", codec()), rule_memory, watermarks)


@watchlist_entries.on_change
def _note_entry(key: bytes, value: bytes | None) -> None:
    feed().note(key, value)


@rule_documents.on_change
def _take_document(key: bytes, value: bytes | None) -> None:
    name = f"{RULES.name}/{key.decode(errors='replace')}"
    try:
        book.put_document(name, value)
    except RuleFileError as error:
        log.error("rule document refused; the rules in force stay", document=name, problems=str(error))
    else:
        report(book)


async def refresh() -> None:
    """Take changed files; refuse broken ones loudly, once per change. They are read in a thread: lists may be long."""
    change = await asyncio.to_thread(book.look)
    try:
        if book.take(change):
            report(book)
    except RuleFileError as error:
        log.error("changed rules refused; the rules in force stay", problems=str(error))


@app.timer(interval=rule_settings().rules_reload_s)  # type: ignore[untyped-decorator]  # Faust's timer is untyped
async def watch_files() -> None:
    """Look at rule and watchlist files for changes."""
    await refresh()


@app.agent(app.runs(SIGHTINGS.name))
async def correlate(runs: Any) -> None:
    """Evaluate the rules on sightings and raise alerts with their proof."""
    async for run in runs:
        await correlator().handle(run)
