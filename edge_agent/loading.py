"""Composition: settings to adapters. The only place that knows which adapter a name stands for."""

from edge_agent.detectors.onnx_plates import OnnxPlateDetector
from edge_agent.detectors.openvino_plates import OpenVinoPlateDetector
from edge_agent.detectors.openvino_vehicles import OpenVinoVehicleDetector
from edge_agent.detectors.ultralytics_plates import UltralyticsPlateDetector
from edge_agent.detectors.yolox_vehicles import YoloxVehicleDetector
from edge_agent.errors import ModelMissing
from edge_agent.models.catalogue import PLATE_DETECTOR, PLATE_READER
from edge_agent.models.store import folder, output
from edge_agent.plate_reading import STILL_INSETS, VIDEO_INSETS, PlateReading
from edge_agent.ports import Detector, Reader, VehicleDetector
from edge_agent.readers.onnx_ppocr import OnnxPlateReader
from edge_agent.readers.paddle_ppocr import PaddlePlateReader
from edge_agent.settings import EdgeSettings


def load_detector(settings: EdgeSettings, *, closer_look: bool = True) -> Detector:
    """The plate detector that the settings name.

    Args:
        settings: The agent's settings.
        closer_look: Look again at a larger size where the first look finds nothing sure (default detector).

    Raises:
        ModelError: Its weights are missing or unusable.
        ExtraMissing: It needs a package that is not installed.
    """
    looks = 2 if closer_look else 1
    if settings.detector == "openvino":
        path = settings.detector_model or output(PLATE_DETECTOR, PLATE_DETECTOR.outputs[0])
        name = path.stem if settings.detector_model else PLATE_DETECTOR.label
        return OpenVinoPlateDetector(
            path, name=name, threads=settings.threads, least_confidence=settings.least_confidence
        )
    if settings.detector == "ultralytics":
        if settings.detector_model is None:
            raise ModelMissing("the ultralytics detector needs weights of your own: ALPR_EDGE_DETECTOR_MODEL=FILE.pt")
        return UltralyticsPlateDetector(settings.detector_model, least_confidence=settings.least_confidence)
    if settings.detector_model is not None:
        paths, name = [settings.detector_model], settings.detector_model.stem
    else:
        paths = [output(PLATE_DETECTOR, file) for file in PLATE_DETECTOR.outputs[:looks]]
        name = PLATE_DETECTOR.label
    return OnnxPlateDetector(paths, name=name, threads=settings.threads, least_confidence=settings.least_confidence)


def load_reader(settings: EdgeSettings) -> Reader:
    """The plate reader that the settings name.

    Raises:
        ModelError: Its weights are missing or unusable.
        ExtraMissing: It needs a package that is not installed.
    """
    if settings.reader == "paddle":
        published = output(PLATE_READER, "published.onnx")
        return PaddlePlateReader(published, name=f"paddleocr {PLATE_READER.label}", home=folder(PLATE_READER))
    return OnnxPlateReader(output(PLATE_READER, "plates.onnx"), name=PLATE_READER.label, threads=settings.threads)


def load_vehicle_detector(settings: EdgeSettings) -> VehicleDetector | None:
    """The vehicle detector that the settings name; None where they name none.

    Raises:
        ModelError: Its weights are missing or unusable.
        ExtraMissing: It needs a package that is not installed.
    """
    path = settings.vehicle_model
    if path is None:
        return None
    if path.is_dir():
        return OpenVinoVehicleDetector(path, threads=settings.threads)
    return YoloxVehicleDetector(path, threads=settings.threads)


def still_reading(settings: EdgeSettings) -> PlateReading:
    """Detector and reader for photographs: the closer look and more crops."""
    return PlateReading(load_detector(settings), load_reader(settings), STILL_INSETS)


def video_reading(settings: EdgeSettings) -> PlateReading:
    """Detector and reader for video: one look and fewer crops a frame, as the track votes."""
    return PlateReading(load_detector(settings, closer_look=False), load_reader(settings), VIDEO_INSETS)
