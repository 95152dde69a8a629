"""Photographs become lines; files that are none become lines with a reason."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge_agent import image_files
from edge_agent.commands import read as read_command
from edge_agent.errors import UnreadableImage
from edge_agent.geometry import Box, Image
from edge_agent.image_files import load_image
from edge_agent.plate_reading import PlateReading
from edge_agent.ports import PlateBox, Read
from edge_agent.stills import read_files
from tests.unit.edge_agent.builders import noise_image, read


class FakeDetector:
    """Finds two plates in every picture."""

    name = "fake"

    def detect(self, image: Image) -> list[PlateBox]:
        """The surer one says less."""
        return [PlateBox(Box(0, 0, 40, 14), 0.9), PlateBox(Box(80, 40, 150, 62), 0.7)]


class FakeReader:
    """Reads wide crops well."""

    name = "fake"

    def read(self, crops: Sequence[Image]) -> list[Read | None]:
        """A confidence that goes with the width."""
        return [read("AB12CD", 0.95) if crop.shape[1] > 45 else read("X1Y2", 0.5) for crop in crops]


@pytest.fixture
def reading() -> PlateReading:
    """A reading that needs no models."""
    return PlateReading(FakeDetector(), FakeReader())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good images among files that are none."""
    (tmp_path / "sub").mkdir()
    cv2.imwrite(str(tmp_path / "a.png"), noise_image())
    cv2.imwrite(str(tmp_path / "sub" / "b.jpg"), noise_image())
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "sub" / "b.jpg").read_bytes()[:60])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").write_text("not looked at")
    return tmp_path


def test_every_file_gives_a_line_and_bad_ones_a_reason(folder: Path, reading: PlateReading) -> None:
    """The run goes on after what it cannot read; paths are relative to the folder."""
    records = {r["file"]: r for r in read_files(folder, reading)}
    assert sorted(records) == ["a.png", "broken.jpg", "empty.png", "notes.txt", "sub/b.jpg"]
    assert [name for name, r in sorted(records.items()) if "error" in r] == ["broken.jpg", "empty.png", "notes.txt"]
    assert all(r["plates"] == [] for r in records.values() if "error" in r)
    assert all(isinstance(r["ms"], float) for r in records.values())


def test_plates_are_ranked_by_both_confidences(folder: Path, reading: PlateReading) -> None:
    """A sure box with an unsure text stands behind a box that reads well."""
    record = next(r for r in read_files(folder, reading) if r["file"] == "a.png")
    assert [p["text"] for p in record["plates"]] == ["AB12CD", "X1Y2"]
    plate = record["plates"][0]
    assert plate["box"] == [80, 40, 150, 62]
    assert plate["characters"][0] == [["A", 0.95]]


def _run(monkeypatch: pytest.MonkeyPatch, reading: PlateReading, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(read_command, "still_reading", lambda _settings: reading)
    result = CliRunner().invoke(read_command.read, arguments)
    return result.exit_code, result.output


def test_the_command_writes_json_lines(
    folder: Path, reading: PlateReading, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Exit code 0 as long as one image was read."""
    output = tmp_path_factory.mktemp("out") / "reads.jsonl"
    code, printed = _run(monkeypatch, reading, str(folder), "--output", str(output))
    assert code == 0
    assert "2 images read, 3 files unreadable" in printed
    assert len([json.loads(line) for line in output.read_text().splitlines()]) == 5


def test_the_command_fails_when_nothing_could_be_read(
    tmp_path: Path, reading: PlateReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of text files, or an empty one, is exit code 1."""
    assert _run(monkeypatch, reading, str(tmp_path), "--output", "-")[0] == 1
    (tmp_path / "a.txt").write_text("x")
    code, printed = _run(monkeypatch, reading, str(tmp_path), "--output", "-")
    assert code == 1
    assert "none of the 1 files" in printed


def test_a_file_beyond_the_size_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Size is looked at before the content."""
    monkeypatch.setattr(image_files, "MAX_FILE_BYTES", 10)
    (tmp_path / "a.png").write_bytes(b"x" * 11)
    with pytest.raises(UnreadableImage, match="11 bytes"):
        load_image(tmp_path / "a.png")


def test_a_picture_of_too_many_pixels_is_refused_unseen(tmp_path: Path) -> None:
    """A small file whose header asks for 900 megapixels is an error, not three gigabytes."""
    whole = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    forged = bytearray(whole)
    forged[16:24] = (30_000).to_bytes(4, "big") + (30_000).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(bytes(forged))
    code = (
        "import sys, resource\n"
        "from pathlib import Path\n"
        "from edge_agent.image_files import load_image\n"
        "from edge_agent.errors import UnreadableImage\n"
        "try: load_image(Path(sys.argv[1]))\n"
        "except UnreadableImage as error: print('refused')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "bomb.png")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    refused, peak_mb = done.stdout.split()
    assert refused == "refused"
    assert int(peak_mb) < 600


def test_a_plate_of_a_few_pixels_is_not_read(reading: PlateReading) -> None:
    """Below the least size nothing is guessed."""
    assert reading.read_box(noise_image(), Box(0, 0, 10, 3)) is None
