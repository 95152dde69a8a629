"""Frames come with the right times, bad files are no surprise, and live sources never fall behind."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from edge_agent.errors import CameraConfigError, CameraLost
from edge_agent.frames import Frame
from edge_agent.sources import LatestFrame, Photographs, VideoFile, as_live
from tests.unit.edge_agent.builders import frame, noise_image

pytestmark = pytest.mark.thorough


def _video(path: Path, frames: int = 10, fps: float = 10.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (160, 90))
    for number in range(frames):
        writer.write(noise_image(seed=number))
    writer.release()
    return path


def test_a_video_gives_every_frame_at_its_time(tmp_path: Path) -> None:
    """Ten frames at ten a second, event time counted from the start."""
    frames = list(VideoFile(_video(tmp_path / "a.mp4"), 1_000_000).frames())
    assert len(frames) == 10
    assert [f.captured_us for f in frames] == pytest.approx([1_000_000 + n * 100_000 for n in range(10)], abs=2000)


@pytest.mark.parametrize("content", [b"", b"no video", b"\0" * 5000])
def test_what_is_no_video_is_an_error_of_configuration(tmp_path: Path, content: bytes) -> None:
    """Trying again cannot help, so it is not a lost camera."""
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(CameraConfigError, match=r"a\.mp4"):
        list(VideoFile(tmp_path / "a.mp4", 0).frames())


def test_a_video_that_is_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    """A damaged tail ends the stream; it does not raise something foreign."""
    path = tmp_path / "a.ts"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (160, 90))
    for number in range(20):
        writer.write(noise_image(seed=number))
    writer.release()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert 0 < len(list(VideoFile(path, 0).frames())) < 20


def test_photographs_are_moments_and_bad_ones_are_left_out(tmp_path: Path) -> None:
    """Every image of the folder, a second apart; what is no image does not stop the rest."""
    for name in ("a.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), noise_image())
    (tmp_path / "b.png").write_bytes(b"broken")
    frames = list(Photographs(tmp_path, 0).frames())
    assert [(f.captured_us, f.is_photograph) for f in frames] == [(0, True), (2_000_000, True)]


def test_a_slow_reader_gets_the_newest_frame_and_the_rest_is_counted() -> None:
    """Analysis that is slower than the camera skips frames instead of falling behind."""
    grabbed = threading.Event()

    def grab() -> Iterator[Frame]:
        for number in range(5):
            yield frame(number)
        grabbed.set()
        while not closed.is_set():
            time.sleep(0.005)

    closed = threading.Event()
    source = LatestFrame(grab, 0, closed.set)
    frames = source.frames()
    first = next(frames)
    assert grabbed.wait(5)
    newest = next(frames) if first.stream_s < 4 else first
    assert newest.stream_s == 4
    assert source.dropped == 4 - (1 if first is not newest else 0)
    source.close()
    assert list(frames) == []


def test_the_loss_of_a_live_camera_reaches_the_reader() -> None:
    """What the grabbing thread raises, `frames` raises, after the frames that came before."""

    def grab() -> Iterator[Frame]:
        yield frame(0)
        time.sleep(0.05)
        raise CameraLost("gone")

    frames = LatestFrame(grab, 0, lambda: None).frames()
    next(frames)
    with pytest.raises(CameraLost, match="gone"):
        next(frames)


def test_a_file_played_live_keeps_its_own_time(tmp_path: Path) -> None:
    """Ten frames at twenty a second take half a second, however fast they are read."""
    start_s = time.monotonic()
    frames = list(as_live(VideoFile(_video(tmp_path / "a.mp4", fps=20.0), 0)).frames())
    assert time.monotonic() - start_s >= 0.4
    assert frames[-1].captured_us == pytest.approx(450_000, abs=2000)
