"""The deduplicate agent: detections become sightings, one event per pass of a vehicle at a camera."""

from collections import Counter
from functools import cache
from typing import Any

from agents.decisions.pass_contents import loader
from agents.decisions.pass_settings import DeduplicationSettings
from agents.decisions.passes import Admission, PassKeeper
from agents.record_headers import source_of, trace_headers
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import Detection
from schemas.topics import DLQ, ROUTED, SIGHTINGS
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.roles import role_app
from streams.run import Output, Record, Run
from streams.table import RunTable
from tables.passes import CameraPasses
from tables.recent_passes import RecentPasses
from telemetry import metrics


class Deduplicator:
    """Applies runs to the passes of their cameras. The decision is `agents.decisions.passes`.

    The state of a camera is encoded once a run, at its end, and decoded only when it is not what the last run left.

    Args:
        table: camera_id to `CameraPasses`.
        codec: reads detections and writes sightings.
        settings: gaps, bounds and thresholds.
        guard: keeps what is no detection.
    """

    def __init__(
        self, table: RunTable, codec: EventCodec, settings: DeduplicationSettings, guard: DeadLetterGuard
    ) -> None:
        self._table = table
        self._codec = codec
        self._keeper = PassKeeper(settings)
        self._guard = guard
        self._recent = RecentPasses(loader(self._read), settings.max_cached_bytes)

    async def handle(self, run: Run) -> None:
        """Deduplicate the records of a run."""
        changes, outputs, counts = await retrying(lambda: self._decide(run), run=run, what="schema registry")
        if await run.finish({self._table: changes}, outputs):
            metrics.SIGHTINGS.labels("new").inc(counts["new"])
            metrics.SIGHTINGS.labels("revised").inc(counts["revised"])
            metrics.DUPLICATES.inc(counts["joined"])

    async def _decide(self, run: Run) -> tuple[dict[bytes, bytes | None], list[Output], Counter[str]]:
        """Everything from the stored state on: called again, it decides the same."""
        self._codec.prepare(SIGHTINGS, DLQ)
        decoded, outputs = self._guard.decode_run(run, self._decode)
        cameras = {detection.camera_id.encode() for _, detection in decoded}
        stored = self._table.get_many(run, cameras)
        states: dict[bytes, CameraPasses] = {}
        counts: Counter[str] = Counter()
        for record, detection in decoded:
            camera = detection.camera_id.encode()
            if camera not in states:
                states[camera] = self._recent.take(camera, stored[camera])
            with self._guard.watch(record, outputs):
                admission = self._admit(states[camera], detection, record)
                outputs += self._outputs(admission, record)
                _count(counts, admission)
        changes: dict[bytes, bytes | None] = {}
        for camera, state in states.items():
            changes[camera] = value = state.encode()
            self._recent.put(camera, value, state)
        return changes, outputs, counts

    def _admit(self, state: CameraPasses, detection: Detection, record: Record) -> Admission:
        assert record.value is not None
        return self._keeper.admit(
            state,
            detection,
            value=record.value,
            offset=record.offset,
            recorded_at_ms=record.timestamp,
            source=source_of(record.headers),
        )

    def _outputs(self, admission: Admission, record: Record) -> list[Output]:
        headers = trace_headers(record.headers)
        return [
            Output(
                SIGHTINGS.name, sighting.match_key.encode(), self._codec.encode(SIGHTINGS, sighting), headers=headers
            )
            for sighting in admission.sightings
        ]

    def _decode(self, record: Record) -> Detection:
        detection = self._read(record.value)
        if record.key != detection.camera_id.encode():
            raise SchemaError(f"the key is {record.key!r:.80}, not the camera {detection.camera_id!r}")
        return detection

    def _read(self, value: bytes | None) -> Detection:
        detection: Detection = self._codec.decode(ROUTED, value)
        return detection


def _count(counts: Counter[str], admission: Admission) -> None:
    for sighting in admission.sightings:
        counts["new" if sighting.revision == 1 else "revised"] += 1
    counts["joined"] += admission.joined


app = role_app("core")
passes = app.run_table("passes", partitions=ROUTED.partitions, help="Open passes of each camera")


@cache
def deduplicator() -> Deduplicator:
    """The process's deduplicator, made at first use: an import must not need a registry."""
    return Deduplicator(passes, codec(), DeduplicationSettings(), DeadLetterGuard("deduplicate", codec()))


@app.agent(app.runs(ROUTED.name))
async def deduplicate(runs: Any) -> None:
    """Make sightings of detections: one event per pass of a vehicle at a camera, revised as more is known."""
    async for run in runs:
        await deduplicator().handle(run)
