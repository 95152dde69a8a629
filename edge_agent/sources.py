"""Where frames come from: video files, folders of photographs, and live streams (RTSP, HTTP, a device)."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from edge_agent.errors import CameraConfigError, CameraLost, UnreadableImage
from edge_agent.frames import Frame, Source
from edge_agent.image_files import files_below, load_image
from schemas.clock import MICROS_PER_S, now_us
from telemetry.log import get_logger

OPEN_TIMEOUT_MS = 10_000
READ_TIMEOUT_MS = 10_000
DEFAULT_FPS = 25.0
PHOTOGRAPH_INTERVAL_US = MICROS_PER_S

_log = get_logger(__name__)


class Photographs:
    """A folder of photographs, or one: each is a moment of its own, a second apart.

    Args:
        root: Folder or image file.
        started_us: Event time of the first photograph.
    """

    dropped = 0

    def __init__(self, root: Path, started_us: int) -> None:
        self.started_us = started_us
        self._root = root
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        """See `edge_agent.frames.Source`. Files that are no images are logged and left out."""
        for number, path in enumerate(files_below(self._root)):
            if self._closed.is_set():
                return
            grabbed_s = time.monotonic()
            try:
                image = load_image(path)
            except UnreadableImage as error:
                _log.warning("photograph is unreadable", file=str(path), reason=str(error))
                continue
            captured_us = self.started_us + number * PHOTOGRAPH_INTERVAL_US
            yield Frame(image, captured_us, float(number), grabbed_s, is_photograph=True)

    def close(self) -> None:
        """See `edge_agent.frames.Source`."""
        self._closed.set()


class VideoFile:
    """A video file, every frame of it, as fast as it is taken.

    Args:
        path: Anything that FFmpeg reads.
        started_us: Event time of the first frame; later ones follow by their presentation times.
    """

    dropped = 0

    def __init__(self, path: Path, started_us: int) -> None:
        self.started_us = started_us
        self._path = path
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        """See `edge_agent.frames.Source`."""
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                raise CameraConfigError(f"{self._path} is no video that can be read")
            fps = capture.get(cv2.CAP_PROP_FPS)
            fps = fps if 0 < fps <= 1000 else DEFAULT_FPS
            number, stream_s = 0, 0.0
            while not self._closed.is_set():
                grabbed_s = time.monotonic()
                ok, image = capture.read()
                if not ok:
                    return
                # presentation time; containers without one, or a broken one, are counted
                pts_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                stream_s = pts_s if pts_s > stream_s else number / fps
                captured_us = self.started_us + round(stream_s * MICROS_PER_S)
                yield Frame(np.asarray(image, np.uint8), captured_us, stream_s, grabbed_s)
                number += 1
        finally:
            capture.release()

    def close(self) -> None:
        """See `edge_agent.frames.Source`."""
        self._closed.set()


class LatestFrame:
    """Takes frames from a grabbing thread and hands out the newest: analysis never falls behind the camera.

    Args:
        grab: Called in the thread; yields frames as they come and ends or raises with the stream.
        started_us: Event time of the stream's start.
        close: Called to make `grab` end.
    """

    def __init__(self, grab: Callable[[], Iterator[Frame]], started_us: int, close: Callable[[], None]) -> None:
        self.started_us = started_us
        self.dropped = 0
        self._grab = grab
        self._close = close
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._ended = False
        self._failure: CameraLost | CameraConfigError | None = None

    def frames(self) -> Iterator[Frame]:
        """See `edge_agent.frames.Source`."""
        thread = threading.Thread(target=self._run, name="grab", daemon=True)
        thread.start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._ended)
                frame, self._newest = self._newest, None
            if frame is None:
                break
            yield frame
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """See `edge_agent.frames.Source`."""
        self._close()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            for frame in self._grab():
                with self._changed:
                    if self._ended:
                        return
                    if self._newest is not None:
                        self.dropped += 1
                    self._newest = frame
                    self._changed.notify_all()
        except (CameraLost, CameraConfigError) as error:
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


def live_stream(url: str, started_us: int) -> Source:
    """A live stream: RTSP, HTTP, or the number of a local device. Event time is the wall clock of arrival.

    Args:
        url: Address with credentials where the camera wants them, or a device number.
        started_us: Now.
    """
    closed = threading.Event()

    def grab() -> Iterator[Frame]:
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
        capture = cv2.VideoCapture(int(url)) if url.isdigit() else cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts)
        try:
            if not capture.isOpened():
                raise CameraLost(f"{without_credentials(url)} does not open")
            while not closed.is_set():
                ok, image = capture.read()
                if not ok:
                    raise CameraLost(f"{without_credentials(url)} has stopped delivering frames")
                captured_us = now_us()
                stream_s = (captured_us - started_us) / MICROS_PER_S
                yield Frame(np.asarray(image, np.uint8), captured_us, stream_s, time.monotonic())
        finally:
            capture.release()

    return LatestFrame(grab, started_us, closed.set)


def as_live(video: VideoFile) -> Source:
    """A video file played like a live camera: at its own speed, and frames drop where analysis is slower."""

    def grab() -> Iterator[Frame]:
        start_s = time.monotonic()
        for frame in video.frames():
            wait_s = start_s + frame.stream_s - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            yield Frame(frame.image, frame.captured_us, frame.stream_s, time.monotonic())

    return LatestFrame(grab, video.started_us, video.close)


def without_credentials(url: str) -> str:
    """The address without user and password, for logs."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
