"""The route agent: raw records become valid events, keyed by us, on the topics that they belong on."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from prometheus_client import Counter as Counted

from agents.decisions.plausibility import RoutingSettings
from agents.decisions.quick_routing import QuickRouter
from agents.decisions.rate_caps import cap, cap_of
from agents.decisions.routing import Routed, Routing, route
from agents.record_headers import Placed, lateness_header, source_header, trace_headers
from schemas.codec import EventCodec
from schemas.events import Camera, Detection, Metric
from schemas.topics import CAMERAS, DETECTED, DLQ, METRICS, ROUTED, VEHICLES
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.roles import role_app
from streams.run import Headers, Output, Record, Run
from streams.table import RunTable
from tables import serde
from tables.camera_rates import RateBucket
from tables.cameras import CameraRegistry
from telemetry import metrics

MAX_CAMERA_LABELS = 1000
"""Cameras with a metric of their own; camera ids come from outside, and each label value costs memory for good."""
OTHER_CAMERAS = "other"
_Decided = Output | tuple[Routing, list[bytes]]
"""What is decided about a record: the one output that it becomes, or a routing with the bytes of what is routed."""
LANE_STEP = 1_000_000
"""More than any topic has partitions: an object of a frame stands in a virtual partition of its own, see `_Place`."""
_OUTCOMES = {ROUTED.name: "routed", VEHICLES.name: "vehicle", METRICS.name: "metric"}
_BUCKETS = serde.record(RateBucket)


class _Place(NamedTuple):
    """Where an event of a record stands.

    Deduplication knows what it has seen by the highest offset of each raw partition. The objects of one frame share
    their offset, so each place in a frame counts as a partition of its own; offsets go up in each.
    """

    partition: int
    offset: int
    timestamp: int


@dataclass(slots=True)
class _Outcome:
    """What a run comes to."""

    outputs: list[Output] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    cameras: Counter[str] = field(default_factory=Counter)
    buckets: dict[str, RateBucket] = field(default_factory=dict)


class Router:
    """Routes runs. The decision about each record is `agents.decisions.routing.route`, or a short cut to the same.

    Args:
        codec: reads raw records and writes valid events.
        cameras: camera registry by camera_id.
        settings: limits.
        guard: keeps what cannot be routed.
        rates: camera_id to `RateBucket`, for cameras with a cap.
    """

    def __init__(
        self,
        codec: EventCodec,
        cameras: Mapping[str, Camera],
        settings: RoutingSettings,
        guard: DeadLetterGuard,
        rates: RunTable,
    ) -> None:
        self._codec = codec
        self._cameras = cameras
        self._settings = settings
        self._guard = guard
        self._rates = rates
        self._quick = QuickRouter(codec, cameras, settings)
        self._labelled: dict[str, Counted] = {}

    async def handle(self, run: Run) -> None:
        """Route the records of a run: each becomes valid events or a dead letter, and what is sampled is counted."""
        outcome = await retrying(lambda: self._decide(run), run=run, what="schema registry")
        changes = {serde.TEXT.encode(camera): _BUCKETS.encode(bucket) for camera, bucket in outcome.buckets.items()}
        if await run.finish({self._rates: changes} if changes else {}, outcome.outputs):
            self._count(outcome)

    async def _decide(self, run: Run) -> _Outcome:
        """Everything from the stored state on: called again, it decides the same."""
        self._codec.prepare(ROUTED, VEHICLES, METRICS, DLQ)
        decided, letters = self._guard.decode_run(run, self._route)
        outcome = _Outcome(outputs=letters)
        outcome.counts["dead_letter"] = len(letters)
        quick = [found for _, found in decided if isinstance(found, Output)]
        outcome.counts.update([_OUTCOMES[output.topic] for output in quick])
        outcome.cameras.update([output.key.decode() for output in quick if output.key is not None])
        if len(quick) == len(decided):
            outcome.outputs += quick
            return outcome
        stored = self._stored(run, [found for _, found in decided if not isinstance(found, Output)])
        for record, found in decided:
            if isinstance(found, Output):
                outcome.outputs.append(found)
            else:
                self._take(record, *found, stored, outcome)
        return outcome

    def _take(
        self,
        record: Record,
        routing: Routing,
        values: list[bytes],
        stored: Mapping[str, RateBucket | None],
        outcome: _Outcome,
    ) -> None:
        """Add what becomes of a record that was decoded."""
        for routed, value in zip(routing.routed, values, strict=True):
            event = routed.event
            if isinstance(event, Detection):
                outcome.cameras[event.camera_id] += 1
                if stored and event.camera_id in stored and not self._goes_on(event, stored, outcome, record):
                    outcome.counts["sampled"] += 1
                    continue
            place = _Place(record.partition + routed.lane * LANE_STEP, record.offset, record.timestamp)
            camera = self._cameras.get(event.camera_id) if isinstance(event, Detection) else None
            headers = _headers(record, place, camera)
            outcome.outputs.append(Output(routed.topic.name, routed.key, value, None, headers))
            outcome.counts[_OUTCOMES[routed.topic.name]] += 1
        if routing.ignored:
            outcome.counts["ignored"] += routing.ignored
        if routing.refused is not None:
            outcome.outputs.append(self._guard.dead_letter(record, routing.refused))
            outcome.counts["dead_letter"] += 1

    def _route(self, record: Record) -> _Decided:
        quick = self._quick.route(record)
        if quick is not None:
            headers = _headers(record, record, quick.camera)
            return Output(quick.topic.name, quick.camera_id, quick.value, None, headers)
        routing = route(record, self._codec, self._cameras, self._settings)
        return routing, [self._value_of(routed) for routed in routing.routed]

    def _value_of(self, routed: Routed) -> bytes:
        value = self._codec.relabel(routed.topic, routed.value) if routed.value is not None else None
        return self._codec.encode(routed.topic, routed.event) if value is None else value

    def _stored(self, run: Run, decided: list[tuple[Routing, list[bytes]]]) -> dict[str, RateBucket | None]:
        """Buckets of the run's cameras that have a cap; no record of theirs is decided quickly."""
        cameras = {_camera_of(routed) for routing, _ in decided for routed in routing.routed}
        capped = {camera for camera in cameras if camera is not None and cap_of(self._cameras.get(camera)) is not None}
        if not capped:
            return {}
        found = self._rates.get_many(run, [serde.TEXT.encode(camera) for camera in capped])
        return {serde.TEXT.decode(key): None if data is None else _BUCKETS.decode(data) for key, data in found.items()}

    def _goes_on(
        self, detection: Detection, stored: Mapping[str, RateBucket | None], outcome: _Outcome, record: Record
    ) -> bool:
        camera_id = detection.camera_id
        max_rate_per_s = cap_of(self._cameras.get(camera_id))
        if max_rate_per_s is None:  # the cap has gone while the run was decided
            return True
        bucket = outcome.buckets.get(camera_id, stored[camera_id])
        decision = cap(bucket, detection, max_rate_per_s, record.partition)
        outcome.buckets[camera_id] = decision.bucket
        if decision.report is not None:
            outcome.outputs.append(self._report(decision.report))
        return decision.goes_on

    def _report(self, metric: Metric) -> Output:
        return Output(METRICS.name, Routed(metric, METRICS).key, self._codec.encode(METRICS, metric))

    def _count(self, outcome: _Outcome) -> None:
        for what, count in outcome.counts.items():
            if count:
                metrics.DETECTIONS.labels(what).inc(count)
        for camera_id, count in outcome.cameras.items():
            self._counter(camera_id).inc(count)

    def _counter(self, camera_id: str) -> Counted:
        counter = self._labelled.get(camera_id)
        if counter is None:
            if len(self._labelled) >= MAX_CAMERA_LABELS:
                return metrics.CAMERA_DETECTIONS.labels(OTHER_CAMERAS)
            counter = self._labelled[camera_id] = metrics.CAMERA_DETECTIONS.labels(camera_id)
        return counter


def _headers(record: Record, place: Placed, camera: Camera | None) -> Headers:
    """The trace, where the record stood, and how late reads of a camera with a lateness of its own may come."""
    headers = (*trace_headers(record.headers), source_header(place))
    if camera is None or camera.lateness_s is None:
        return headers
    return (*headers, lateness_header(camera.lateness_s))


def _camera_of(routed: Routed) -> str | None:
    return routed.event.camera_id if isinstance(routed.event, Detection) else None


app = role_app("core")
registered_cameras = app.broadcast(CAMERAS.name)
camera_rates = app.run_table(
    "camera_rates", partitions=DETECTED.partitions, help="What cameras with a rate cap may still send"
)


@cache
def router() -> Router:
    """The process's router, made at first use: an import must not need a registry."""
    cameras = CameraRegistry(registered_cameras, codec())
    return Router(codec(), cameras, RoutingSettings(), DeadLetterGuard("route", codec()), camera_rates)


@app.agent(app.runs(DETECTED.name))
async def route_detections(runs: Any) -> None:
    """Validate raw detections, complete them from the camera registry and route them by camera."""
    async for run in runs:
        await router().handle(run)
