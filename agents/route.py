"""The route agent: raw detections become valid ones, keyed by camera, on the topic that they belong on."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from agents.decisions.routing import Routed, RoutingSettings, route
from agents.record_headers import source_header, trace_headers
from schemas.codec import EventCodec
from schemas.events import Camera
from schemas.topics import CAMERAS, DETECTED, DLQ, ROUTED, VEHICLES
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.roles import role_app
from streams.run import Output, Record, Run
from tables.cameras import CameraRegistry
from telemetry import metrics

MAX_CAMERA_LABELS = 1000
"""Cameras with a metric of their own; camera ids come from outside, and each label value costs memory for good."""
OTHER_CAMERAS = "other"


class Router:
    """Routes runs. The decision about each record is `agents.decisions.routing.route`.

    Args:
        codec: reads raw detections and writes valid ones.
        cameras: camera registry by camera_id.
        settings: limits.
        guard: keeps what cannot be routed.
    """

    def __init__(
        self, codec: EventCodec, cameras: Mapping[str, Camera], settings: RoutingSettings, guard: DeadLetterGuard
    ) -> None:
        self._codec = codec
        self._cameras = cameras
        self._settings = settings
        self._guard = guard
        self._labelled: set[str] = set()

    async def handle(self, run: Run) -> None:
        """Route the records of a run: each becomes a valid detection or a dead letter."""
        outputs, routed = await retrying(lambda: self._decide(run), run=run, what="schema registry")
        if await run.finish({}, outputs):
            self._count(routed, len(run) - len(routed))

    async def _decide(self, run: Run) -> tuple[list[Output], list[Routed]]:
        self._codec.prepare(ROUTED, VEHICLES, DLQ)
        decided, outputs = self._guard.decode_run(run, self._route)
        for record, (routed, value) in decided:
            outputs.append(
                Output(
                    routed.topic.name,
                    routed.key,
                    value,
                    headers=(*trace_headers(record.headers), source_header(record)),
                )
            )
        return outputs, [routed for _, (routed, _) in decided]

    def _route(self, record: Record) -> tuple[Routed, bytes]:
        routed = route(record, self._codec, self._cameras, self._settings)
        return routed, self._codec.encode(routed.topic, routed.detection)

    def _count(self, routed: list[Routed], dead_letters: int) -> None:
        vehicles = sum(item.topic is VEHICLES for item in routed)
        for outcome, count in (
            ("routed", len(routed) - vehicles), ("vehicle", vehicles), ("dead_letter", dead_letters),
        ):  # fmt: skip
            if count:
                metrics.DETECTIONS.labels(outcome).inc(count)
        for item in routed:
            metrics.CAMERA_DETECTIONS.labels(self._label(item.detection.camera_id)).inc()

    def _label(self, camera_id: str) -> str:
        if camera_id not in self._labelled:
            if len(self._labelled) >= MAX_CAMERA_LABELS:
                return OTHER_CAMERAS
            self._labelled.add(camera_id)
        return camera_id


app = role_app("core")
registered_cameras = app.broadcast(CAMERAS.name)


@cache
def router() -> Router:
    """The process's router, made at first use: an import must not need a registry."""
    cameras = CameraRegistry(registered_cameras, codec())
    return Router(codec(), cameras, RoutingSettings(), DeadLetterGuard("route", codec()))


@app.agent(app.runs(DETECTED.name))
async def route_detections(runs: Any) -> None:
    """Validate raw detections, complete them from the camera registry and route them by camera."""
    async for run in runs:
        await router().handle(run)
