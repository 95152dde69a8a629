"""One camera's thread: opens the source, runs the pipeline, comes back after a loss. Never takes another down."""

import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

from edge_agent.camera_health import CameraHealth
from edge_agent.camera_pipeline import CameraPipeline, Models
from edge_agent.cameras import CameraConfig
from edge_agent.detection_event import EventMaker
from edge_agent.errors import CameraLost
from edge_agent.frames import Source
from edge_agent.outgoing import Outgoing, Picture
from schemas.events import Node
from telemetry.log import get_logger

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""A connection that has lasted this long was a good one: the next loss starts with a short pause again."""

_log = get_logger(__name__)


class Publishes(Protocol):
    """Takes detections."""

    def publish(self, outgoing: Outgoing) -> None:
        """Takes a detection over."""
        ...


class CameraRunner:
    """Runs one camera until its file ends, or until it is stopped.

    Args:
        camera: What to watch.
        models: Shared by all cameras.
        node: This agent.
        bucket: S3 bucket of the images.
        early_after_us: See `plate_track.PlateTrack`.
        publisher: Takes detections.
        pictures: Takes pictures.
        health: Counts.
    """

    def __init__(
        self,
        camera: CameraConfig,
        models: Models,
        *,
        node: Node,
        bucket: str,
        early_after_us: int,
        publisher: Publishes,
        pictures: Callable[[Picture], None],
        health: CameraHealth,
    ) -> None:
        self._camera = camera
        self._models = models
        self._node = node
        self._bucket = bucket
        self._early_after_us = early_after_us
        self._publisher = publisher
        self._pictures = pictures
        self._health = health
        self._stopping = threading.Event()
        self._source: Source | None = None
        self._up_source: Source | None = None
        self.detections = 0
        self.frames = 0

    def stop(self) -> None:
        """Ends `run` soon, from any thread; what was seen so far is published."""
        self._stopping.set()
        if (source := self._source) is not None:
            source.close()

    def run(self) -> None:
        """Runs the camera.

        Raises:
            CameraConfigError: The source cannot be opened and trying again cannot help.
        """
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            start_s = time.monotonic()
            try:
                self._stream()
                if not self._camera.is_live:
                    return
            except CameraLost as error:
                _log.warning("camera is lost", camera_id=self._camera.camera_id, reason=str(error), retry_s=pause_s)
            finally:
                self._health.is_up(False)
            if time.monotonic() - start_s >= STEADY_S:
                pause_s = FIRST_PAUSE_S
            self._stopping.wait(pause_s * random.uniform(0.8, 1.2))
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    def _stream(self) -> None:
        """One connection, from its opening to its end."""
        source = self._source = self._camera.open()
        if self._stopping.is_set():
            return
        events = EventMaker(self._camera, source.started_us, self._node, self._bucket)
        pipeline = CameraPipeline(self._models, events, early_after_us=self._early_after_us)
        _log.info("camera starts", camera_id=self._camera.camera_id, source=self._camera.label)
        try:
            for frame in source.frames():
                if source is not self._up_source:
                    self._up_source = source
                    self._health.is_up(True)
                self.frames += 1
                self._health.frame(source.dropped)
                for outgoing in pipeline.frame(frame):
                    self._hand_over(outgoing)
        finally:
            for outgoing in pipeline.end():
                self._hand_over(outgoing)
            source.close()

    def _hand_over(self, outgoing: Outgoing) -> None:
        self.detections += 1
        self._health.detection(1000 * (time.monotonic() - outgoing.grabbed_s))
        self._publisher.publish(outgoing)
        for picture in outgoing.pictures:
            self._pictures(picture)
