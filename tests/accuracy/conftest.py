"""Real plates for the conformance tests: the sample photograph, and the labelled set where it is there."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.errors import ModelMissing
from edge_agent.geometry import Box, Image
from edge_agent.image_files import load_image
from edge_agent.models.catalogue import SAMPLE_PHOTOGRAPH
from edge_agent.models.store import output

TEST_DATA = Path(os.environ.get("ALPR_TEST_DATA", Path(__file__).parents[2].parent / "shared"))
"""Folder of test material outside of the repository (photographs with labels, vehicle models)."""
LABELLED_STEP = 15


@dataclass(frozen=True, slots=True)
class LabelledPlate:
    """A plate in a photograph.

    Attributes:
        name: File name.
        image: The photograph.
        box: Where the plate is, labelled by hand.
        text: What it says.
    """

    name: str
    image: Image
    box: Box
    text: str


@pytest.fixture(scope="session")
def real_plates() -> list[LabelledPlate]:
    """The sample photograph and every fifteenth of the labelled set."""
    try:
        image = load_image(output(SAMPLE_PHOTOGRAPH, SAMPLE_PHOTOGRAPH.outputs[0]))
    except ModelMissing as error:
        pytest.skip(str(error))
    plates = [LabelledPlate("sample", image, Box(308, 187, 384, 210), "5AU5341")]
    truth = TEST_DATA / "data" / "plates" / "ground_truth.csv"
    if truth.is_file():
        with truth.open(newline="", encoding="utf-8") as lines:
            for row in list(csv.DictReader(lines))[::LABELLED_STEP]:
                box = Box(*(float(row[side]) for side in ("x1", "y1", "x2", "y2")))
                photograph = load_image(truth.parent / row["file"])
                plates.append(LabelledPlate(row["file"], photograph, box, row["plate"]))
    return plates
