"""Vehicle detector: YOLOX on ONNX Runtime (Ge et al., "YOLOX: Exceeding YOLO Series in 2021"; Apache-2.0)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.detectors.coco_vehicles import vehicles_of
from edge_agent.detectors.yolo_decode import Candidate, Letterbox, letterbox, suppress
from edge_agent.errors import UnsupportedModel
from edge_agent.geometry import Image
from edge_agent.onnx_session import open_session
from edge_agent.ports import VehicleBox

STRIDES = (8, 16, 32)
COCO_CLASSES = 80


class YoloxVehicleDetector:
    """Finds vehicles with a YOLOX network of COCO's classes. Thread-safe.

    Args:
        path: An `.onnx` file as YOLOX's own export makes it (undecoded output).
        threads: Cores that one call may use.
        least_confidence: Vehicles below are dropped.
    """

    def __init__(self, path: Path, *, threads: int = 2, least_confidence: float = 0.35) -> None:
        self._session = open_session(path, threads=threads)
        source = self._session.get_inputs()[0]
        self._input, (self._height_px, self._width_px) = source.name, source.shape[2:]
        rows = sum((self._height_px // s) * (self._width_px // s) for s in STRIDES)
        if list(self._session.get_outputs()[0].shape[1:]) != [rows, 5 + COCO_CLASSES]:
            raise UnsupportedModel(f"{path} is no YOLOX network of {COCO_CLASSES} classes")
        self._grid, self._stride = _grid(self._height_px, self._width_px)
        self._name = path.stem
        self._least = least_confidence

    @property
    def name(self) -> str:
        """Model."""
        return self._name

    def vehicles(self, image: Image) -> list[VehicleBox]:
        """See `edge_agent.ports.VehicleDetector`."""
        canvas, fitted = letterbox(image, self._height_px, self._width_px, centred=False)
        tensor = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32)  # BGR, 0..255: YOLOX >= 0.1.1
        output = np.asarray(self._session.run(None, {self._input: tensor})[0], np.float32)[0]
        return vehicles_of(self._decode(output, image, fitted))

    def _decode(self, output: NDArray[np.float32], image: Image, fitted: Letterbox) -> list[Candidate]:
        labels = output[:, 5:].argmax(1)
        scores = output[:, 4] * output[np.arange(len(output)), 5 + labels]
        chosen = scores >= self._least
        rows, grid, stride = output[chosen], self._grid[chosen], self._stride[chosen]
        centres = np.concatenate([(rows[:, :2] + grid) * stride, np.exp(rows[:, 2:4]) * stride], 1)
        return suppress(image, fitted, centres, scores[chosen], labels[chosen])


def _grid(height_px: int, width_px: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Upper left corners of the output's cells, in cells, and their strides: shapes (N, 2) and (N, 1)."""
    cells, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[0 : height_px // stride, 0 : width_px // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], 1))
        strides.append(np.full((columns.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
