"""A camera's thread comes back after a loss, ends with its file, and counts what happened."""

import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from edge_agent import camera_runner
from edge_agent.camera_health import CameraHealth, HealthReporter
from edge_agent.camera_pipeline import Models
from edge_agent.camera_runner import CameraRunner
from edge_agent.cameras import CameraConfig, one_camera
from edge_agent.errors import CameraConfigError, CameraLost
from edge_agent.frames import Frame
from edge_agent.geometry import Box, Image
from edge_agent.outgoing import Outgoing, this_node
from edge_agent.plate_reading import PlateReading
from edge_agent.ports import PlateBox, Read
from schemas.events import Metric
from tests.unit.edge_agent.builders import frame, noise_image, read

IMAGE = noise_image(200, 300)


class OnePlate:
    """Sees one plate in every frame."""

    name = "one"

    def detect(self, image: Image) -> list[PlateBox]:
        """Always there."""
        return [PlateBox(Box(50, 50, 150, 75), 0.9)]

    def read(self, crops: Sequence[Image]) -> list[Read | None]:
        """Always the same."""
        return [read("AB12CD", 0.97) for _ in crops]


class Stream:
    """A source that delivers some frames and then ends or is lost."""

    dropped = 2

    def __init__(self, frames: int, *, is_lost: bool) -> None:
        self.started_us = 5
        self._frames = frames
        self._is_lost = is_lost
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        """The frames, then the loss."""
        for number in range(self._frames):
            yield frame(number / 10, IMAGE)
        if self._is_lost:
            raise CameraLost("gone")

    def close(self) -> None:
        """Nothing to free."""
        self._closed.set()


class Sink:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.events: list[Outgoing] = []

    def publish(self, outgoing: Outgoing) -> None:
        """Keeps it."""
        self.events.append(outgoing)


def _runner(camera: CameraConfig, sink: Sink, health: CameraHealth) -> CameraRunner:
    return CameraRunner(
        camera,
        Models(PlateReading(OnePlate(), OnePlate())),
        node=this_node("agent", {}),
        bucket="b",
        early_after_us=700_000,
        publisher=sink,
        pictures=lambda _picture: None,
        health=health,
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_runner, "FIRST_PAUSE_S", 0.01)


def test_a_file_ends_with_its_last_frame_and_closes_its_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Early and final are published, frames and health are counted."""
    monkeypatch.setattr(CameraConfig, "open", lambda _self: Stream(6, is_lost=False))
    sink, health = Sink(), CameraHealth("file-cam", "agent")
    runner = _runner(one_camera(camera_id="file-cam", source="a.mp4"), sink, health)
    runner.run()
    assert [o.detection.is_final for o in sink.events] == [False, True]
    assert (runner.frames, runner.detections) == (6, 2)
    values = {m.name: m.value for m in health.metrics()}
    assert values["service_health"] == 0.0
    assert values["dropped_frames"] == 2.0
    assert values["detections"] == 2.0
    assert values["fps"] > 0


def test_a_lost_camera_is_opened_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss publishes what was seen and is followed by another try, until the agent stops."""
    streams = [Stream(5, is_lost=True), Stream(0, is_lost=True), Stream(5, is_lost=True)]
    opened: list[Stream] = []

    def open_next(_self: CameraConfig) -> Stream:
        opened.append(streams[min(len(opened), 2)])
        return opened[-1]

    monkeypatch.setattr(CameraConfig, "open", open_next)
    sink = Sink()
    runner = _runner(one_camera(camera_id="live-cam", source="rtsp://h/s"), sink, CameraHealth("live-cam", "a"))
    thread = threading.Thread(target=runner.run)
    thread.start()
    deadline_s = time.monotonic() + 5
    while len(opened) < 3 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    runner.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert len(opened) >= 3
    assert sum(o.detection.is_final for o in sink.events) >= 1


def test_a_source_that_cannot_be_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file is an error of configuration, at once."""
    runner = _runner(one_camera(camera_id="none", source="/no/such.mp4"), Sink(), CameraHealth("none", "a"))
    with pytest.raises(CameraConfigError, match="no/such"):
        runner.run()


def test_the_reporter_sends_every_cameras_metrics_and_once_more_at_the_end() -> None:
    """Each camera's health is told at least once, also by an agent that lives shortly."""
    sent: list[Metric] = []
    reporter = HealthReporter([CameraHealth(n, "agent") for n in ("r1", "r2")], sent.append, every_s=60)
    reporter.start()
    reporter.close()
    assert {(m.camera_id, m.name) for m in sent} >= {("r1", "service_health"), ("r2", "fps")}
    assert all(m.tags == {"agent_id": "agent"} for m in sent)
