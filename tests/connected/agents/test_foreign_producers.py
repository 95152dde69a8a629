"""Producers that are not ours, on real servers: DeepStream, measurements, no keys, too many frames."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.clock import now_us, to_iso
from schemas.events import Metric
from schemas.topics import DETECTED, DLQ, METRICS, ROUTED, SIGHTINGS, VEHICLES
from tests.connected.agents.core_worker import CoreWorker

SECOND = 1_000_000


@pytest.fixture
def core(stack: Any, tmp_path: Path) -> Iterator[CoreWorker]:
    """A worker, not started."""
    worker = CoreWorker(stack, tmp_path)
    yield worker
    worker.end(signal.SIGKILL)


def frame(core: CoreWorker, number: int, at: int, *objects: str, camera: str = "gate") -> tuple[None, bytes]:
    """A record of DeepStream's minimal payload, which has no key."""
    body = {
        "version": "4.0", "id": str(number), "@timestamp": to_iso(at), "sensorId": core.camera(camera),
        "objects": objects,
    }  # fmt: skip
    return None, json.dumps(body).encode()


def vehicle(track: int, plate: str) -> str:
    """A vehicle in a frame."""
    return f"{track}|10|20|90|60|Vehicle|#|sedan|bmw|M|blue|{plate}||0.9"


def test_deepstream_frames_become_one_sighting_for_each_vehicle(core: CoreWorker) -> None:
    """Two cars in every frame of two seconds, killed in the middle: two passes, each of all its frames, once."""
    start = now_us() - 60 * SECOND
    frames = [
        frame(core, number, start + number * SECOND // 10, vehicle(1, "AB12CDE"), vehicle(2, "XY99ZZZ"),
              "3|1|1|2|2|Person|#|male|30|black|0|formal|0.9", vehicle(4, ""))
        for number in range(20)
    ]  # fmt: skip
    core.start()
    core.put(DETECTED, *frames[:10])
    core.until(lambda: len(core.events(ROUTED.name)) >= 20, "the first frames")
    core.end(signal.SIGKILL)
    core.start()
    core.put(DETECTED, *frames[10:], frame(core, 99, now_us(), vehicle(9, "QQ11QQQ")))

    def latest() -> dict[str, Any]:
        return {
            one.match_key: one
            for one in sorted(core.events(SIGHTINGS.name), key=lambda one: one.revision)
        }  # fmt: skip

    core.until(lambda: len(latest()) == 3 and min(_counts(latest())) >= 16, "the sightings of all frames")
    first, second = (next(one for one in latest().values() if one.track_id == track) for track in ("1", "2"))
    assert (first.plate.text, second.plate.text) == ("AB12CDE", "XY99ZZZ")
    assert len({one.event_id for one in core.events(SIGHTINGS.name)}) == 3
    assert max(_counts(latest())) <= 20
    assert {event.event_id for event in core.events(VEHICLES.name) if event.vehicle.type == "sedan"}
    assert {message.key() for message in core.records(ROUTED) if core.mark.encode() in (message.value() or b"")} == {
        core.camera("gate").encode()
    }


def _counts(latest: dict[str, Any]) -> list[int]:
    return [one.detections for one in latest.values() if one.track_id in ("1", "2")]


def test_registered_camera_gives_regions_and_a_cap(core: CoreWorker) -> None:
    """Put on the command line, followed by the worker: the region by the country's formats, the rest by the cap."""
    camera = core.camera("gate")
    core.alpr("cameras", "put", camera, "--country", "gb", "--max-rate-per-s", "2")
    start = (now_us() - 60 * SECOND) // (10 * SECOND) * 10 * SECOND
    frames = [frame(core, n, start + n * SECOND // 10, vehicle(n, f"AB{n:02d}CDE")) for n in range(50)]
    frames.append(frame(core, 99, start + 20 * SECOND, vehicle(99, "AB99CDE")))
    core.put(DETECTED, *[(camera.encode(), value) for _, value in frames])  # one partition: each has a cap of its own
    core.start()

    def reports() -> list[Metric]:
        return [one for one in core.events_of(METRICS) if one.camera_id == camera]

    (report,) = core.until(reports, "the report of what was sampled")
    core.until(lambda: any(one.plate.text == "AB99CDE" for one in core.events(ROUTED.name)), "the last frame")
    routed = core.events(ROUTED.name)
    assert report.name == "sampled_detections"
    assert len(routed) + report.value == 51
    assert 11 <= len(routed) <= 13  # two at once, two a second for 4.9 s, and the last one
    assert {one.plate.region for one in routed} == {"gb"}
    assert {one.extras["region_source"] for one in routed} == {"format"}


def test_measurements_and_wrong_objects_find_their_topics(core: CoreWorker) -> None:
    """On the raw topic: a measurement is keyed, a frame with a wrong object goes on and is kept."""
    camera = core.camera("gate")
    wrong = frame(core, 1, now_us(), vehicle(1, "AB12CDE"), "rubbish")
    core.put(DETECTED, (None, json.dumps({"name": "fps", "value": 25, "camera_id": camera}).encode()), wrong)
    core.start()
    (metric,) = core.until(lambda: [one for one in core.events_of(METRICS) if one.camera_id == camera], "the metric")
    assert (metric.name, metric.value) == ("fps", 25.0)
    core.until(lambda: len(core.events(ROUTED.name)) == 1, "the good object")
    (letter,) = core.until(lambda: [one for one in core.events_of(DLQ) if one.value == wrong[1]], "the dead letter")
    assert (letter.error_type, letter.agent) == ("SCHEMA_VALIDATION", "route")
    assert "objects[1]" in letter.message
