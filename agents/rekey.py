"""The rekey agent: sightings of gate cameras, which lie by plate, come together by site on ``alpr.rekeyed.site``.

It writes nothing anew: the bytes of the sighting go on under another key. The header says which gate it was, by the
camera registry of the moment, so that whoever reads the topic decides the same at every replay.
"""

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

from agents.decisions.gates import GATE_HEADER, gate_of, site_of
from agents.record_headers import source_header, trace_headers
from schemas.clock import MICROS_PER_S, Micros
from schemas.codec import EventCodec
from schemas.events import Camera, Sighting, Tick
from schemas.record_kinds import is_event, is_of, kind_header
from schemas.topics import CAMERAS, DLQ, REKEYED_SITE, SIGHTINGS
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.roles import role_app
from streams.run import Output, Record, Run
from tables.cameras import CameraRegistry
from tables.visits import ENTRY, EXIT
from telemetry import metrics

TICKS_FROM = 0
"""Every tick stands in every partition of the sightings; those of this one are passed on."""
TICK_EVERY_US = 60 * MICROS_PER_S


class Rekeyer:
    """Passes sightings at gates on. What is one is `agents.decisions.gates`' decision.

    Args:
        codec: reads sightings.
        cameras: camera registry by camera_id.
        guard: keeps what is no sighting.
    """

    def __init__(self, codec: EventCodec, cameras: Mapping[str, Camera], guard: DeadLetterGuard) -> None:
        self._codec = codec
        self._cameras = cameras
        self._guard = guard
        self._has_gates: bool | None = None
        self._ticked_at: dict[int, Micros] = {}

    def forget_cameras(self) -> None:
        """The registry has changed."""
        self._has_gates = None

    async def handle(self, run: Run) -> None:
        """Pass on the gate sightings of a run."""
        outputs, counts = await retrying(lambda: self._decide(run), run=run, what="schema registry")
        if await run.finish({}, outputs):
            for gate, count in counts.items():
                metrics.GATE_SIGHTINGS.labels(gate).inc(count)

    async def _decide(self, run: Run) -> tuple[list[Output], Counter[str]]:
        if self._has_gates is None:
            self._has_gates = any(camera.role is not None for camera in self._cameras.values())
        if not self._has_gates:  # decoding all plates of a platform without gates would be for nothing
            return [], Counter()
        self._codec.prepare(SIGHTINGS, REKEYED_SITE, DLQ)
        outputs: list[Output] = []
        counts: Counter[str] = Counter()
        for record in run.records:
            with self._guard.watch(record, outputs):
                if is_event(record.headers):
                    self._pass_on(record, outputs, counts)
                elif run.tp.partition == TICKS_FROM and is_of(Tick, record.headers):
                    outputs += self._ticks(record)
        return outputs, counts

    def _pass_on(self, record: Record, outputs: list[Output], counts: Counter[str]) -> None:
        sighting: Sighting = self._codec.decode(SIGHTINGS, record.value)
        camera = self._cameras.get(sighting.camera_id)
        gate = gate_of(sighting, camera)
        if gate is None or camera is None:
            return
        counts[gate] += 1
        site_id = site_of(sighting, camera)
        if gate in (ENTRY, EXIT) and site_id is not None:
            outputs.append(self._output(record, sighting, site_id, gate))

    def _ticks(self, record: Record) -> list[Output]:
        """A tick to every partition, once a minute of its clock: visits last for hours."""
        tick = self._codec.decode_as(Tick, record.value)
        if tick.at - self._ticked_at.get(tick.partition, 0) < TICK_EVERY_US:
            return []
        self._ticked_at[tick.partition] = tick.at
        headers = (kind_header(Tick),)
        return [
            Output(REKEYED_SITE.name, None, record.value, partition, headers)
            for partition in range(REKEYED_SITE.partitions)
        ]

    def _output(self, record: Record, sighting: Sighting, site_id: str, gate: str) -> Output:
        assert record.value is not None
        value = self._codec.relabel(REKEYED_SITE, record.value)
        if value is None:  # written by another release
            value = self._codec.encode(REKEYED_SITE, sighting)
        headers = (*trace_headers(record.headers), source_header(record), (GATE_HEADER, gate.encode()))
        return Output(REKEYED_SITE.name, site_id.encode(), value, headers=headers)


app = role_app("visits")
registered_cameras = app.broadcast(CAMERAS.name)


@cache
def rekeyer() -> Rekeyer:
    """The process's rekeyer, made at first use: an import must not need a registry."""
    return Rekeyer(codec(), CameraRegistry(registered_cameras, codec()), DeadLetterGuard("rekey", codec()))


@registered_cameras.on_change
def _cameras_changed(_key: bytes, _value: bytes | None) -> None:
    rekeyer().forget_cameras()


@app.agent(app.runs(SIGHTINGS.name))
async def rekey(runs: Any) -> None:
    """Bring sightings of gate cameras together by site."""
    async for run in runs:
        await rekeyer().handle(run)
