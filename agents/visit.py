"""The visit agent: sightings at the gates of a site become visits, from entry to exit, on ``alpr.visits``."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from agents.decisions.gates import gate_in, gate_read
from agents.decisions.visit_log import Outcome, Place, VisitKeeper
from agents.decisions.visits import VisitSettings
from agents.record_headers import Headers, source_of, trace_headers
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import Sighting, Tick
from schemas.record_kinds import is_of
from schemas.topics import DLQ, METRICS, REKEYED_SITE, VISITS
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.roles import role_app
from streams.run import Output, Record, Run
from streams.table import RunTable
from tables.site_book import PartitionBook, SiteBook
from tables.staged_rows import StagedRows
from tables.visits import GateRead
from telemetry import metrics


@dataclass(slots=True)
class _Arrival:
    """A record with what it says."""

    site_id: str
    read: GateRead


@dataclass(slots=True)
class _Decision:
    """What a run comes to."""

    outputs: list[Output] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class Attendant:
    """Applies runs to the visits of their sites. The decision is `agents.decisions.visit_log`.

    Args:
        table: rows of all sites (`tables.site_book`).
        codec: reads sightings, writes visits and measurements.
        settings: spans and thresholds.
        guard: keeps what is no sighting at a gate.
    """

    def __init__(self, table: RunTable, codec: EventCodec, settings: VisitSettings, guard: DeadLetterGuard) -> None:
        self._table = table
        self._codec = codec
        self._keeper = VisitKeeper(settings)
        self._guard = guard

    async def handle(self, run: Run) -> None:
        """Follow the sightings of a run."""
        rows, decision = await retrying(lambda: self._decide(run), run=run, what="schema registry")
        if await run.finish({self._table: rows.changes}, decision.outputs):
            for outcome, count in decision.counts.items():
                metrics.VISITS.labels(outcome).inc(count)

    async def _decide(self, run: Run) -> tuple[StagedRows, _Decision]:
        """Everything from the stored rows on: called again, it decides the same."""
        self._codec.prepare(VISITS, METRICS, DLQ)
        arrivals, letters = self._guard.decode_run(run, self._decode)
        decision = _Decision(letters)
        rows = StagedRows(
            lambda key: self._table.get_many(run, (key,))[key], lambda start, stop: self._table.scan(run, start, stop)
        )
        reads = [(SiteBook(item.site_id, rows), item.read) for _, item in arrivals if isinstance(item, _Arrival)]
        rows.load(self._table.get_many(run, {key for book, read in reads for key in book.first_keys(read.event_id)}))
        for record, item in arrivals:
            with self._guard.watch(record, decision.outputs), rows.all_or_nothing():
                if isinstance(item, Tick):
                    self._tick(item, PartitionBook(rows), decision)
                else:
                    PartitionBook(rows).add_site(item.site_id)
                    outcome = self._keeper.take(SiteBook(item.site_id, rows), item.read, _place(record))
                    self._report(item.site_id, outcome, decision, trace_headers(record.headers))
        return rows, decision

    def _tick(self, tick: Tick, partition: PartitionBook, decision: _Decision) -> None:
        complete_to = partition.note_watermark(tick.partition, tick.watermark)
        for site_id in partition.sites():
            outcome = self._keeper.tick(SiteBook(site_id, partition.rows), complete_to)
            self._report(site_id, outcome, decision)

    def _report(self, site: str, outcome: Outcome, decision: _Decision, headers: Headers = ()) -> None:
        outputs = [
            Output(VISITS.name, site.encode(), self._codec.encode(VISITS, visit), headers=headers)
            for visit in outcome.visits
        ]
        measured = outcome.occupancy
        if measured is not None:
            key = (measured.camera_id or site).encode()
            outputs.append(Output(METRICS.name, key, self._codec.encode(METRICS, measured), headers=headers))
        decision.outputs += outputs
        decision.counts.update(visit.outcome for visit in outcome.visits)

    def _decode(self, record: Record) -> _Arrival | Tick:
        if is_of(Tick, record.headers):
            return self._codec.decode_as(Tick, record.value)
        if not record.key:
            raise SchemaError("the key must be the site")
        sighting: Sighting = self._codec.decode(REKEYED_SITE, record.value)
        try:
            site_id = record.key.decode()
        except UnicodeDecodeError as error:
            raise SchemaError(f"the key {record.key!r:.80} is no text") from error
        return _Arrival(site_id, gate_read(sighting, gate_in(record.headers)))


def _place(record: Record) -> Place:
    source = source_of(record.headers)
    known = None if source is None else (source.partition, source.offset, source.recorded_at_ms)
    return Place(record.offset, record.timestamp, known)


app = role_app("visits")
visits = app.run_table("visits", partitions=REKEYED_SITE.partitions, help="Visits of each site, one row a visit")


@cache
def attendant() -> Attendant:
    """The process's attendant, made at first use: an import must not need a registry."""
    return Attendant(visits, codec(), VisitSettings(), DeadLetterGuard("visit", codec()))


@app.agent(app.runs(REKEYED_SITE.name))
async def visit(runs: Any) -> None:
    """Follow vehicles from the entry to the exit of a site."""
    async for run in runs:
        await attendant().handle(run)
