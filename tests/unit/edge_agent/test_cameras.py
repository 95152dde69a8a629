"""Camera files and command lines are checked before anything starts, and the message says where."""

from pathlib import Path

import pytest

from edge_agent.cameras import load_cameras, one_camera
from edge_agent.errors import CameraConfigError, CameraLost
from edge_agent.sources import Photographs, VideoFile, without_credentials

GOOD = """
cameras:
  - camera_id: gate-1
    source: rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.0.0.5/stream
    site_id: north
    location: {lat: 52.5, lon: 13.4}
  - {camera_id: gate-2, source: clip.mp4, realtime: true, start_time: 2026-01-31T08:00:00Z}
"""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    return path


def test_a_camera_file_gives_its_cameras(tmp_path: Path) -> None:
    """Two cameras, one live and one a file."""
    first, second = load_cameras(_file(tmp_path, GOOD))
    assert (first.camera_id, first.is_live, first.site_id) == ("gate-1", True, "north")
    assert first.location is not None
    assert (second.camera_id, second.is_live, second.realtime) == ("gate-2", False, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file"),
        ("cameras: []", "cameras"),
        ("cameras: [{source: a}]", "cameras.0.camera_id"),
        ("cameras: [{camera_id: a b, source: x}]", "cameras.0.camera_id"),
        ("cameras: [{camera_id: a, source: x, colour: red}]", "cameras.0.colour"),
        ("cameras: [{camera_id: a, source: x, location: {lat: 99, lon: 0}}]", "cameras.0.location.lat"),
        ("cameras: [{camera_id: a, source: x}, {camera_id: a, source: y}]", "twice"),
        ("cameras: [{camera_id: a, source: x}", "cameras.yaml"),
        ("{{{", "cameras.yaml"),
        ("!!python/object/apply:os.system ['true']", "cameras.yaml"),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, text: str, message: str) -> None:
    """Every mistake is one error that names the field."""
    with pytest.raises(CameraConfigError, match=message):
        load_cameras(_file(tmp_path, text))


def test_passwords_stay_out_of_messages(tmp_path: Path) -> None:
    """Neither a wrong file nor a lost camera prints the source's credentials."""
    text = "cameras: [{camera_id: a b, source: 'rtsp://me:secret@host/s'}]"
    with pytest.raises(CameraConfigError) as error:
        load_cameras(_file(tmp_path, text))
    assert "secret" not in str(error.value)
    assert without_credentials("rtsp://me:se:cret@host:554/s?x=1") == "rtsp://host:554/s?x=1"
    assert one_camera(camera_id="a", source="rtsp://me:secret@host/s").label == "rtsp://host/s"
    lost = one_camera(camera_id="a", source="rtsp://me:secret@127.0.0.1:1/s").open()
    with pytest.raises(CameraLost) as loss:
        next(iter(lost.frames()))
    assert "secret" not in str(loss.value)


def test_a_name_that_the_environment_lacks_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """${NAME} is filled in when the source opens, or refused by name."""
    camera = one_camera(camera_id="a", source="${CLIP_THAT_IS_NOT}/a.mp4")
    with pytest.raises(CameraConfigError, match="CLIP_THAT_IS_NOT"):
        camera.open()
    monkeypatch.setenv("CLIP_THAT_IS_NOT", "/nowhere")
    with pytest.raises(CameraConfigError, match=r"/nowhere/a\.mp4"):
        camera.open()


def test_the_kind_of_source_follows_from_what_is_there(tmp_path: Path) -> None:
    """A folder and an image are photographs, another file is a video."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert isinstance(one_camera(camera_id="a", source=str(tmp_path)).open(), Photographs)
    assert isinstance(one_camera(camera_id="a", source=str(tmp_path / "a.jpg")).open(), Photographs)
    assert isinstance(one_camera(camera_id="a", source=str(tmp_path / "a.mp4")).open(), VideoFile)


def test_start_time_fixes_the_ids(tmp_path: Path) -> None:
    """The stream's start is part of every id, so a file with a start time gives the same ids again."""
    (tmp_path / "a.mp4").write_bytes(b"x")
    camera = one_camera(camera_id="a", source=str(tmp_path / "a.mp4"), start_time="2026-01-31T08:00:00Z")
    assert camera.open().started_us == camera.open().started_us == 1769846400 * 10**6
