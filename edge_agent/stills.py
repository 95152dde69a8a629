"""Reads the plates of still images into one JSON record a file. Needs no server."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from edge_agent.errors import UnreadableImage
from edge_agent.image_files import files_below, load_image
from edge_agent.plate_reading import PlateRead, PlateReading

Record = dict[str, Any]
"""``file`` (relative to the folder), ``plates`` (best first), ``ms`` and, where the file is unreadable, ``error``."""


def read_files(root: Path, reading: PlateReading) -> Iterator[Record]:
    """Reads every file under a folder; what is no image gives a record with an error and no plates.

    Args:
        root: A folder, or one file.
        reading: Detector and reader.
    """
    base = root.parent if root.is_file() else root
    for path in files_below(root):
        record: Record = {"file": path.relative_to(base).as_posix(), "plates": []}
        start_s = perf_counter()
        try:
            image = load_image(path)
        except UnreadableImage as error:
            record["error"] = str(error)
        else:
            record["plates"] = [_as_json(plate) for plate in reading.plates(image) if plate.read]
        record["ms"] = round((perf_counter() - start_s) * 1000, 1)
        yield record


def _as_json(plate: PlateRead) -> Record:
    assert plate.read is not None
    return {
        "text": plate.read.text,
        "confidence": round(plate.read.confidence, 4),
        "box": list(plate.found.box.rounded()),
        "detection_confidence": round(plate.found.confidence, 4),
        "characters": [[[c.char, c.probability] for c in position] for position in plate.read.characters],
    }
