"""Plate detector on OpenVINO (extra): the default weights at about half the time on Intel CPUs."""

from pathlib import Path

from edge_agent.detectors.openvino_model import OpenVinoModel
from edge_agent.detectors.yolo_decode import decode_yolov8, letterbox, rgb_tensor
from edge_agent.geometry import Image
from edge_agent.ports import PlateBox


class OpenVinoPlateDetector:
    """Finds plates with a YOLOv8 or YOLO11 network of one class. Thread-safe.

    Args:
        path: An `.onnx` or OpenVINO `.xml` file.
        name: Model and version, as events carry it.
        threads: Cores that one call may use.
        least_confidence: Plates below are dropped.
    """

    def __init__(self, path: Path, *, name: str, threads: int = 2, least_confidence: float = 0.25) -> None:
        self._model = OpenVinoModel(path, threads=threads)
        self._name = name
        self._least = least_confidence

    @property
    def name(self) -> str:
        """Model, version and runtime."""
        return f"{self._name} (openvino)"

    def detect(self, image: Image) -> list[PlateBox]:
        """See `edge_agent.ports.Detector`."""
        canvas, fitted = letterbox(image, self._model.height_px, self._model.width_px)
        output = self._model(rgb_tensor(canvas))[0]
        return [PlateBox(c.box, c.score) for c in decode_yolov8(output, image, fitted, self._least)]
