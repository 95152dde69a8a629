"""The deduplicate agent: detections become sightings, one event per pass of a vehicle at a camera.

Clock records among the detections (`agents.clock` writes them) become ticks among the sightings.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from time import monotonic
from typing import Any

from agents.clock import ClockWriter, RoleProgress
from agents.decisions.lone_passes import Glance, LoneKeeper, glance
from agents.decisions.pass_contents import loader
from agents.decisions.pass_settings import DeduplicationSettings
from agents.decisions.passes import PassKeeper
from agents.decisions.ticks import Timetable
from agents.record_headers import lateness_of, source_of, trace_headers
from agents.record_in_hand import InHand
from schemas.clock import MICROS_PER_S, Micros, now_us
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import Clock, Detection, Sighting, Tick
from schemas.record_kinds import is_of, kind_header
from schemas.topics import DLQ, ROUTED, SIGHTINGS, TICKS
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.roles import role_app
from streams.run import Output, Record, Run
from streams.table import RunTable
from tables.partition_clocks import CLOCK, CLOCK_KEY, PartitionClock
from tables.passes import CameraPasses
from tables.recent_passes import RecentPasses
from telemetry import metrics

_Seen = Detection | Glance | Clock
"""What is seen of a record."""


@dataclass(slots=True)
class _Work:
    """A run in hand: what was read of it and what comes of it.

    Attributes:
        run: the run.
        clock: of the partition.
        timetable: the partition's cameras; None where no clock is to be served and nobody remembers them.
        outputs: sightings, ticks, dead letters.
        stored: camera to table value.
        states: camera to state, of those that the run has asked for.
        changed: cameras whose state is not what is stored.
        untold: cameras of which the timetable does not know the newest.
        counts: for the metrics.
    """

    run: Run
    clock: PartitionClock
    timetable: Timetable | None
    outputs: list[Output]
    stored: dict[bytes, bytes | None]
    states: dict[bytes, CameraPasses] = field(default_factory=dict)
    changed: set[bytes] = field(default_factory=set)
    untold: set[bytes] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)


class Deduplicator:
    """Applies runs to the passes of their cameras. The decisions are `agents.decisions.passes` and `.ticks`.

    The state of a camera is encoded once a run, at its end, and decoded only when it is not what the last run left.

    Args:
        table: camera_id to `CameraPasses`.
        clocks: one `PartitionClock` in each partition.
        codec: reads detections and clocks, writes sightings and ticks.
        settings: gaps, bounds and thresholds.
        guard: keeps what is no detection.

    Attributes:
        last_detection_s: `time.monotonic` of the last one.
        watermarks: of the partitions, as their last ticks said.
    """

    def __init__(
        self,
        table: RunTable,
        clocks: RunTable,
        codec: EventCodec,
        settings: DeduplicationSettings,
        guard: DeadLetterGuard,
    ) -> None:
        self._table = table
        self._clocks = clocks
        self._codec = codec
        self._keeper = PassKeeper(settings)
        self._lone = LoneKeeper(self._keeper, codec)
        self._guard = guard
        self._full_tick = int(settings.full_tick_s * MICROS_PER_S)
        self._recent = RecentPasses(loader(self._read), settings.max_cached_bytes)
        self._timetables: dict[int, tuple[bytes, Timetable]] = {}
        self.last_detection_s = monotonic()
        self.watermarks: dict[int, Micros] = {}

    async def handle(self, run: Run) -> None:
        """Deduplicate the records of a run."""
        changes, clock, work = await retrying(lambda: self._decide(run), run=run, what="schema registry")
        if await run.finish({self._table: changes, self._clocks: {CLOCK_KEY: clock}}, work.outputs):
            for kind in ("new", "revised", "merged"):
                metrics.SIGHTINGS.labels(kind).inc(work.counts[kind])
            metrics.DUPLICATES.inc(work.counts["joined"])

    async def _decide(self, run: Run) -> tuple[dict[bytes, bytes | None], bytes, _Work]:
        """Everything from the stored state on: called again, it decides the same."""
        self._codec.prepare(SIGHTINGS, TICKS, DLQ)
        decoded, letters = self._guard.decode_run(run, self._decode)
        cameras = {record.key for record, event in decoded if not isinstance(event, Clock) and record.key is not None}
        has_clock = any(isinstance(event, Clock) for _, event in decoded)
        stored_clock = self._clocks.get_many(run, (CLOCK_KEY,))[CLOCK_KEY]
        work = _Work(
            run,
            PartitionClock() if stored_clock is None else CLOCK.decode(stored_clock),
            self._timetable(run, stored_clock, is_wanted=has_clock),
            letters,
            self._table.get_many(run, cameras),
        )
        if cameras:
            self.last_detection_s = monotonic()
        self._apply(work, decoded)
        return self._changes(work), self._note_place(work), work

    def _apply(self, work: _Work, decoded: Sequence[tuple[Record, _Seen]]) -> None:
        """Apply the records of a run in order; what fails becomes a dead letter."""
        waiting, pending = iter(decoded), len(decoded)
        while pending:
            current = InHand(decoded[-pending][0])
            with self._guard.watch(current, work.outputs):  # one for as many records as go well
                for record, event in waiting:
                    current.record = record
                    pending -= 1
                    if isinstance(event, Clock):
                        self._pass_time(work, record, event)
                    elif isinstance(event, Detection) or not self._glanced(work, record, event):
                        self._admit(work, record, event if isinstance(event, Detection) else self._read(record.value))

    # -- detections

    def _admit(self, work: _Work, record: Record, detection: Detection) -> None:
        assert record.value is not None
        camera = detection.camera_id.encode()
        admission = self._keeper.admit(
            self._state(work, camera),
            detection,
            value=record.value,
            offset=record.offset,
            recorded_at_ms=record.timestamp,
            source=source_of(record.headers),
            clock=work.clock.at,
            lateness=lateness_of(record.headers),
        )
        if not admission.replayed:
            work.changed.add(camera)
            work.untold.add(camera)
            work.counts["joined"] += admission.joined
            if admission.sightings:
                self._send(work, admission.sightings, record)

    def _glanced(self, work: _Work, record: Record, seen: Glance) -> bool:
        """Admit a detection by what is seen at a glance; False where that does not do, and nothing has changed."""
        assert record.value is not None
        camera = seen.camera_id
        state, source = self._state(work, camera), source_of(record.headers)
        if state.is_known(record.offset, record.timestamp, source):
            return True
        admission = self._lone.admit(
            state,
            seen,
            value=record.value,
            offset=record.offset,
            recorded_at_ms=record.timestamp,
            source=source,
            clock=work.clock.at,
            lateness=lateness_of(record.headers),
        )
        if admission is None:
            return False
        work.changed.add(camera)
        work.untold.add(camera)
        work.counts["joined"] += not admission.is_new
        work.counts["new" if admission.is_new else "revised"] += 1
        headers = trace_headers(record.headers)
        work.outputs.append(Output(SIGHTINGS.name, admission.key, admission.value, None, headers))
        if admission.closing:
            self._send(work, tuple(admission.closing), record)
        return True

    def _state(self, work: _Work, camera: bytes) -> CameraPasses:
        state = work.states.get(camera)
        if state is None:
            if camera not in work.stored:
                work.stored |= self._table.get_many(work.run, (camera,))
            state = work.states[camera] = self._recent.take(camera, work.stored[camera])
        return state

    def _send(self, work: _Work, sightings: tuple[Sighting, ...], record: Record) -> None:
        headers = trace_headers(record.headers)
        for sighting in sightings:
            value = self._codec.encode(SIGHTINGS, sighting)
            work.outputs.append(Output(SIGHTINGS.name, sighting.match_key.encode(), value, None, headers))
            if sighting.merged_into is not None:
                work.counts["merged"] += 1
            else:
                work.counts["new" if sighting.revision == 1 else "revised"] += 1

    def _changes(self, work: _Work) -> dict[bytes, bytes | None]:
        changes: dict[bytes, bytes | None] = {}
        for camera, state in work.states.items():
            value = work.stored[camera]
            if camera in work.changed:
                changes[camera] = value = state.encode()
            if value is not None:
                self._recent.put(camera, value, state)
        return changes

    # -- time

    def _pass_time(self, work: _Work, record: Record, event: Clock) -> None:
        """Settle the cameras that are due, and say how far all of them are."""
        if work.clock.is_known(record.offset, record.timestamp):
            return
        assert work.timetable is not None
        at = max(work.clock.at, event.at)
        self._tell(work)
        for camera_id in sorted(work.timetable.due(at)):  # in an order that does not depend on what is remembered
            camera = camera_id.encode()
            sightings, has_changed = self._keeper.settle(self._state(work, camera), at)
            if has_changed:
                work.changed.add(camera)
                self._send(work, sightings, record)
            work.untold.add(camera)
        self._tell(work)
        is_full = at - work.clock.full_at >= self._full_tick
        tick = work.timetable.tick(work.run.tp.partition, at, is_full)
        if tick is not None:
            self.watermarks[tick.partition] = tick.watermark
            value, headers = self._codec.encode(TICKS, tick), (kind_header(Tick),)
            work.outputs += [Output(TICKS.name, None, value, number, headers) for number in range(TICKS.partitions)]
        work.clock = replace(work.clock, at=at, full_at=at if is_full and tick is not None else work.clock.full_at)

    def _timetable(self, run: Run, stored_clock: bytes | None, *, is_wanted: bool) -> Timetable | None:
        """The partition's cameras: as the last run left them, or read from the table where that is needed."""
        known = self._timetables.pop(run.tp.partition, None)
        if known is not None and known[0] == stored_clock:
            return known[1]
        if not is_wanted:
            return None
        timetable = Timetable(self._keeper.lateness)
        for camera, value in self._table.scan(run, b""):
            self._keeper.note(timetable, camera.decode(), self._recent.peek(camera, value))
        return timetable

    def _tell(self, work: _Work) -> None:
        """Bring the timetable up to the states of the run."""
        if work.timetable is not None:
            for camera in work.untold:
                self._keeper.note(work.timetable, camera.decode(), work.states[camera])
            work.untold.clear()

    def _note_place(self, work: _Work) -> bytes:
        """The partition's clock after the run; the timetable is kept under it."""
        last, clock = work.run.records[-1], work.clock
        if not clock.is_known(last.offset, last.timestamp):
            newest_ms = max(record.timestamp for record in work.run.records)
            clock = replace(clock, offset=last.offset, recorded_at_ms=max(clock.recorded_at_ms, newest_ms))
        value = CLOCK.encode(clock)
        self._tell(work)
        if work.timetable is not None:
            self._timetables[work.run.tp.partition] = (value, work.timetable)
        return value

    # -- values

    def _decode(self, record: Record) -> _Seen:
        if is_of(Clock, record.headers):
            return self._codec.decode_as(Clock, record.value)
        seen = glance(self._codec, record.value)
        if seen is not None and seen.camera_id == record.key:
            return seen
        detection = self._read(record.value)
        if record.key != detection.camera_id.encode():
            raise SchemaError(f"the key is {record.key!r:.80}, not the camera {detection.camera_id!r}")
        return detection

    def _read(self, value: bytes | None) -> Detection:
        detection: Detection = self._codec.decode(ROUTED, value)
        return detection


app = role_app("core")
passes = app.run_table("passes", partitions=ROUTED.partitions, help="Passes of each camera that may be joined")
clocks = app.run_table("clocks", partitions=ROUTED.partitions, help="The time of each partition of detections")


@cache
def deduplicator() -> Deduplicator:
    """The process's deduplicator, made at first use: an import must not need a registry."""
    return Deduplicator(passes, clocks, codec(), DeduplicationSettings(), DeadLetterGuard("deduplicate", codec()))


@cache
def clock_writer() -> ClockWriter:
    """The process's clock, made at first use."""
    return ClockWriter(
        RoleProgress(app), codec(), DeduplicationSettings().quiet_tick_s, lambda: deduplicator().last_detection_s
    )


@app.agent(app.runs(ROUTED.name))
async def deduplicate(runs: Any) -> None:
    """Make sightings of detections: one event per pass of a vehicle at a camera, revised as more is known."""
    async for run in runs:
        await deduplicator().handle(run)


@app.timer(interval=DeduplicationSettings().tick_s)  # type: ignore[untyped-decorator]  # Faust's timer is untyped
async def write_clock() -> None:
    """Write the time into the partitions of this worker, and show how far their cameras are."""
    await clock_writer().write()
    show_watermarks(RoleProgress(app).partitions(ROUTED.name), deduplicator().watermarks)


def show_watermarks(owned: list[int], watermarks: dict[int, Micros]) -> None:
    """Set the metric of each partition of this worker; those of others are theirs to show."""
    for partition in list(watermarks):
        if partition in owned:
            metrics.WATERMARK_LAG.labels(partition).set((now_us() - watermarks[partition]) / MICROS_PER_S)
        else:
            del watermarks[partition]
            metrics.WATERMARK_LAG.remove(partition)
