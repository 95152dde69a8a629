"""How a camera is doing: counters for Prometheus, and metrics for the topic alpr.metrics."""

import threading
import time
from collections.abc import Callable, Iterator

from schemas.clock import now_us
from schemas.events import Metric
from telemetry.metrics import EDGE_CAMERA_UP, EDGE_FRAMES, EDGE_FRAMES_DROPPED


class CameraHealth:
    """Counts of one camera. Written by its thread, read by the reporter's.

    Args:
        camera_id: Camera.
        agent_id: This agent, for the metrics' tags.
    """

    def __init__(self, camera_id: str, agent_id: str) -> None:
        self.camera_id = camera_id
        self._tags = {"agent_id": agent_id}
        self._lock = threading.Lock()
        self._is_up = False
        self._frames = 0
        self._detections = 0
        self._dropped = 0
        self._dropped_seen = 0
        self._latency_sum_ms = 0.0
        self._since_s = time.monotonic()
        EDGE_CAMERA_UP.labels(camera_id=camera_id).set(0)

    def is_up(self, up: bool) -> None:
        """Takes in that the camera delivers frames, or does not."""
        with self._lock:
            self._is_up = up
            self._dropped_seen = 0 if not up else self._dropped_seen
        EDGE_CAMERA_UP.labels(camera_id=self.camera_id).set(int(up))

    def frame(self, dropped_so_far: int) -> None:
        """Takes in a frame that was analysed.

        Args:
            dropped_so_far: Frames that the present connection has dropped.
        """
        with self._lock:
            new = max(0, dropped_so_far - self._dropped_seen)
            self._dropped_seen = dropped_so_far
            self._frames += 1
            self._dropped += new
        EDGE_FRAMES.labels(camera_id=self.camera_id).inc()
        EDGE_FRAMES_DROPPED.labels(camera_id=self.camera_id).inc(new)

    def detection(self, latency_ms: float) -> None:
        """Takes in a detection that was handed to the publisher."""
        with self._lock:
            self._detections += 1
            self._latency_sum_ms += latency_ms

    def metrics(self) -> list[Metric]:
        """What has happened since the last call."""
        with self._lock:
            elapsed_s = max(1e-3, time.monotonic() - self._since_s)
            values = [
                ("service_health", float(self._is_up), None),
                ("fps", self._frames / elapsed_s, "1/s"),
                ("dropped_frames", float(self._dropped), "frames"),
                ("detections", float(self._detections), "events"),
            ]
            if self._detections:
                values.append(("latency_ms", self._latency_sum_ms / self._detections, "ms"))
            self._frames = self._detections = self._dropped = 0
            self._latency_sum_ms = 0.0
            self._since_s = time.monotonic()
        measured_at = now_us()
        return [
            Metric(
                name=name,
                value=round(value, 3),
                measured_at=measured_at,
                unit=unit,
                camera_id=self.camera_id,
                tags=dict(self._tags),
            )
            for name, value, unit in values
        ]


class HealthReporter:
    """A thread that sends every camera's metrics now and then.

    Args:
        cameras: Whose.
        send: Takes a metric; must not block.
        every_s: Interval.
    """

    def __init__(self, cameras: list[CameraHealth], send: Callable[[Metric], None], *, every_s: float) -> None:
        self._cameras = cameras
        self._send = send
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Starts reporting."""
        self._thread.start()

    def close(self) -> None:
        """Reports once more and stops."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            self._report()
        self._report()

    def _report(self) -> None:
        for metric in self._all():
            self._send(metric)

    def _all(self) -> Iterator[Metric]:
        for camera in self._cameras:
            yield from camera.metrics()
