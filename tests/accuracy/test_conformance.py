"""One conformance test a port, on real plates, for every adapter that can load here.

An adapter whose package or weights are missing is skipped with the reason; the default adapters are skipped only
where the models have not been fetched.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import ExtraMissing, ModelMissing
from edge_agent.geometry import Image
from edge_agent.loading import load_detector, load_reader, load_vehicle_detector
from edge_agent.plate_reading import VIDEO_INSETS, PlateReading
from edge_agent.ports import VEHICLE_TYPES, Detector, PlateBox, Reader, VehicleDetector
from edge_agent.readers.ctc import PLATE_ALPHABET
from edge_agent.settings import EdgeSettings
from tests.accuracy.conftest import TEST_DATA, LabelledPlate

OWN_WEIGHTS = TEST_DATA / "models" / "plates_yolo11n.pt"
"""Plate weights for Ultralytics: there are none with a stated licence in any package, so bring your own."""
VEHICLE_MODELS = ("yolox_nano_coco_416.onnx", "yolo11n_int8_openvino_model")
LEAST_FOUND = 0.8
LEAST_READ = 0.7
SAME_PLATE_IOU = 0.3

_BLANK = np.full((300, 400, 3), 128, np.uint8)
ODD_PICTURES: tuple[Image, ...] = (
    _BLANK,
    _BLANK[:1],
    _BLANK[:, :1],
    np.zeros((2, 3, 3), np.uint8),
    np.zeros((1200, 90, 3), np.uint8),
    _BLANK[::2, ::-2],
)
"""Nothing to see: empty scenes, slivers, and views whose memory is not contiguous."""


@pytest.fixture(scope="module", params=["onnx", "openvino", "ultralytics"])
def detector(request: pytest.FixtureRequest) -> Detector:
    """Each plate detector."""
    weights = OWN_WEIGHTS if request.param == "ultralytics" else None
    try:
        return load_detector(EdgeSettings(detector=request.param, detector_model=weights))
    except (ExtraMissing, ModelMissing) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["onnx", "paddle"])
def reader(request: pytest.FixtureRequest) -> Reader:
    """Each plate reader."""
    try:
        return load_reader(EdgeSettings(reader=request.param))
    except (ExtraMissing, ModelMissing) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=VEHICLE_MODELS)
def vehicle_detector(request: pytest.FixtureRequest) -> VehicleDetector:
    """Each vehicle detector."""
    path: Path = TEST_DATA / "models" / request.param
    if not path.exists():
        pytest.skip(f"{path} is not there (ALPR_TEST_DATA)")
    try:
        found = load_vehicle_detector(EdgeSettings(vehicle_model=path))
    except ExtraMissing as error:
        pytest.skip(str(error))
    assert found is not None
    return found


class _NoDetector:
    name = "none"

    def detect(self, image: Image) -> list[PlateBox]:
        raise AssertionError("the labelled box is read")


def test_a_detector_finds_real_plates(detector: Detector, real_plates: list[LabelledPlate]) -> None:
    """Most plates are found where they are, sorted by confidence, within the picture, the same again in threads."""
    results = [detector.detect(plate.image) for plate in real_plates]
    hits = [
        any(found.box.iou(plate.box) >= SAME_PLATE_IOU for found in result)
        for plate, result in zip(real_plates, results, strict=True)
    ]
    assert sum(hits) / len(hits) >= LEAST_FOUND
    for plate, result in zip(real_plates, results, strict=True):
        confidences = [found.confidence for found in result]
        assert confidences == sorted(confidences, reverse=True)
        assert all(0 < c <= 1 for c in confidences)
        assert all(found.box == found.box.within(plate.image) and found.box.area > 0 for found in result)
    with ThreadPoolExecutor(3) as pool:
        again = list(pool.map(detector.detect, [plate.image for plate in real_plates[:3]]))
    assert [len(r) for r in again] == [len(r) for r in results[:3]]
    assert all(isinstance(detector.detect(picture), list) for picture in ODD_PICTURES)
    assert detector.detect(_BLANK) == []
    assert detector.name


def test_a_reader_reads_real_plates(reader: Reader, real_plates: list[LabelledPlate]) -> None:
    """Most plates are read exactly; each read has one entry a character, likeliest first, summing to 1 at most."""
    reading = PlateReading(_NoDetector(), reader, VIDEO_INSETS)
    # a detector's boxes are looser than a labeller's
    reads = [reading.read_box(plate.image, plate.box.inset(-0.2, -0.08)) for plate in real_plates]
    right = [read is not None and read.text == plate.text for plate, read in zip(real_plates, reads, strict=True)]
    assert sum(right) / len(right) >= LEAST_READ
    for read in reads:
        if read is None:
            continue
        assert set(read.text) <= set(PLATE_ALPHABET)
        assert 0 <= read.confidence <= 1
        assert [position[0].char for position in read.characters] == list(read.text)
        for position in read.characters:
            shares = [alternative.probability for alternative in position]
            assert shares == sorted(shares, reverse=True)
            assert sum(shares) <= 1.001
    assert reader.read([]) == []
    assert reader.read([_BLANK[:0], _BLANK]) == [None, None]
    assert len(reader.read(list(ODD_PICTURES))) == len(ODD_PICTURES)
    assert reader.name


def test_a_vehicle_detector_finds_the_cars_of_real_plates(
    vehicle_detector: VehicleDetector, real_plates: list[LabelledPlate]
) -> None:
    """Most plates have a vehicle around them; kinds are known ones, boxes lie within the picture."""
    results = [vehicle_detector.vehicles(plate.image) for plate in real_plates]
    covered = [
        any(found.box.covers(*plate.box.centre) for found in result)
        for plate, result in zip(real_plates, results, strict=True)
    ]
    assert sum(covered) / len(covered) >= LEAST_FOUND
    for plate, result in zip(real_plates, results, strict=True):
        assert all(found.type in VEHICLE_TYPES and 0 < found.confidence <= 1 for found in result)
        assert all(found.box == found.box.within(plate.image) for found in result)
    assert all(isinstance(vehicle_detector.vehicles(picture), list) for picture in ODD_PICTURES)
    assert vehicle_detector.name
