"""The cache of downloads: complete or absent, and made once."""

import threading
import time
from pathlib import Path

import pytest

from compose.local.artifacts import Artifact, file_lock
from compose.local.errors import FetchFailed, ToolMissing
from compose.local.tools import Tool


def _artifact(make: object, *tools: Tool) -> Artifact:
    return Artifact("thing", "1.0", "making", tools, make)  # type: ignore[arg-type]  # tests pass what they like


def test_is_made_once_and_reported() -> None:
    """The second request finds it and says nothing."""
    made: list[Path] = []
    lines: list[str] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text("content")

    artifact = _artifact(make)
    first = artifact.ensure(lines.append)
    assert (artifact.ensure(lines.append) / "file").read_text() == "content"
    assert first == artifact.folder
    assert len(made) == 1
    assert lines[0] == "thing 1.0: making ..."
    assert lines[1].startswith("thing 1.0: done in ")
    assert len(lines) == 2


def test_failed_download_leaves_nothing() -> None:
    """A half-filled folder is never taken for a finished one, and the next try starts anew."""

    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise FetchFailed("the network went away")

    with pytest.raises(FetchFailed):
        _artifact(fail).ensure()
    assert not _artifact(fail).is_cached
    assert [path.name for path in _artifact(fail).folder.parent.iterdir()] == ["thing-1.0.lock"]


def test_two_at_once_make_it_once() -> None:
    """Who comes second waits for the first and uses its result."""
    made: list[int] = []

    def slow(folder: Path) -> None:
        made.append(1)
        time.sleep(0.2)

    threads = [threading.Thread(target=_artifact(slow).ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_missing_client_is_named_before_anything_is_made() -> None:
    """The error holds the command that installs the client."""
    absent = Tool("spoon", lambda: None, (), (1,), "apt-get install -y spoon", "stirs")
    with pytest.raises(ToolMissing, match="apt-get install -y spoon"):
        _artifact(lambda _folder: None, absent).ensure()


def test_lock_is_refused_while_held(tmp_path: Path) -> None:
    """Without waiting, a held lock is an error; afterwards it is free again."""
    with (
        file_lock(tmp_path / "lock"),
        pytest.raises(BlockingIOError),
        file_lock(tmp_path / "lock", wait=False),
    ):
        pass
    with file_lock(tmp_path / "lock", wait=False):
        pass
