"""The agent as a whole: cameras in threads, one publisher, one image store, one health reporter."""

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from edge_agent.camera_health import CameraHealth, HealthReporter
from edge_agent.camera_pipeline import Models
from edge_agent.camera_runner import CameraRunner
from edge_agent.cameras import CameraConfig
from edge_agent.image_store import ImageStore, s3_client
from edge_agent.loading import load_vehicle_detector, video_reading
from edge_agent.outgoing import this_node
from edge_agent.publisher import Publisher, kafka_producer
from edge_agent.settings import EdgeSettings
from edge_agent.spool import Spool
from schemas.codec import EventCodec
from schemas.endpoints import Endpoints
from schemas.kafka_security import kafka_security
from schemas.registry import HttpRegistry
from telemetry.log import get_logger

LAST_EVENTS_S = 15.0
LAST_PICTURES_S = 15.0
POLL_S = 0.2

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of the agent came to.

    Attributes:
        frames: Frames that were analysed.
        detections: Detections that were handed to the publisher, early and final.
        spooled: Events that wait in the spool for the next start.
        pictures_left: Pictures that were not uploaded.
        failed: Cameras that ended with an error.
    """

    frames: int
    detections: int
    spooled: int
    pictures_left: int
    failed: int


class Agent:
    """Watches cameras until all of their files have ended, or until it is stopped.

    Args:
        cameras: What to watch.
        settings: How.
        endpoints: Where Kafka, registry and S3 are.
        models: Instead of those that the settings name.
    """

    def __init__(
        self,
        cameras: Sequence[CameraConfig],
        settings: EdgeSettings,
        endpoints: Endpoints,
        models: Models | None = None,
    ) -> None:
        self._models = models or Models(video_reading(settings), load_vehicle_detector(settings))
        security = kafka_security()
        for concern in security.concerns:
            _log.warning("Kafka security", concern=concern)
        spool = Spool(settings.spool_dir, max_bytes=settings.spool_max_mb * 2**20)
        codec = EventCodec(HttpRegistry.of(endpoints))
        self._publisher = Publisher(spool, codec, kafka_producer(endpoints.kafka_bootstrap, security))
        self._images = ImageStore(s3_client(endpoints), endpoints.s3_bucket, queue_size=settings.image_queue)
        node = this_node(settings.agent_id, self._models.names())
        self._health = [CameraHealth(camera.camera_id, settings.agent_id) for camera in cameras]
        self._reporter = HealthReporter(self._health, self._publisher.metric, every_s=settings.metrics_every_s)
        self._runners = [
            CameraRunner(
                camera,
                self._models,
                node=node,
                bucket=endpoints.s3_bucket,
                early_after_us=settings.early_after_ms * 1000,
                publisher=self._publisher,
                pictures=self._images.put,
                health=health,
            )
            for camera, health in zip(cameras, self._health, strict=True)
        ]
        self._names = [camera.camera_id for camera in cameras]
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends `run` soon; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> Outcome:
        """Watches. A camera that fails for good is logged with its error; the others go on."""
        self._publisher.start()
        self._images.start()
        self._reporter.start()
        with ThreadPoolExecutor(len(self._runners), thread_name_prefix="camera") as pool:
            running = {pool.submit(runner.run): name for runner, name in zip(self._runners, self._names, strict=True)}
            failed = self._watch(running)
        self._reporter.close()
        spooled = self._publisher.close(LAST_EVENTS_S)
        if spooled:
            _log.warning("events stay in the spool; the next start sends them", events=spooled)
        return Outcome(
            frames=sum(runner.frames for runner in self._runners),
            detections=sum(runner.detections for runner in self._runners),
            spooled=spooled,
            pictures_left=self._images.close(LAST_PICTURES_S),
            failed=failed,
        )

    def _watch(self, running: dict["Future[None]", str]) -> int:
        failed = 0
        waiting = set(running)
        while waiting:
            done, waiting = wait(waiting, POLL_S, FIRST_COMPLETED)
            for future in done:
                error = future.exception()
                if error is not None:
                    failed += 1
                    _log.error("camera has failed", camera_id=running[future], reason=str(error), exc_info=error)
            if self._stopping.is_set():
                for runner in self._runners:
                    runner.stop()
        return failed
