"""Plate detector on Ultralytics (extra): YOLO11 or YOLOv8 weights of your own, with TensorRT FP16 on an NVIDIA GPU.

On a machine with CUDA and TensorRT, `.pt` weights are exported once to an `.engine` beside them (FP16, fixed input
size) and that is what runs; without, PyTorch runs the weights. An `.engine` given directly is used as it is. Engines
belong to the GPU and TensorRT version that made them, so the name carries the device's.
"""

from pathlib import Path
from threading import Lock
from typing import Any

from edge_agent.errors import ModelError, ModelMissing
from edge_agent.extras import require
from edge_agent.geometry import Box, Image
from edge_agent.ports import PlateBox

INPUT_PX = 640


class UltralyticsPlateDetector:
    """Finds plates with a detection model of one class. Calls are serialised: an Ultralytics predictor keeps state.

    Args:
        path: `.pt` weights, a TensorRT `.engine`, or any other export that Ultralytics opens.
        least_confidence: Plates below are dropped.
        tensorrt: Export `.pt` weights to TensorRT where CUDA is there.
    """

    def __init__(self, path: Path, *, least_confidence: float = 0.25, tensorrt: bool = True) -> None:
        if not path.exists():
            raise ModelMissing(f"{path} is not there")
        ultralytics = require("ultralytics", "'alpr-platform[edge-ultralytics]'")
        torch = require("torch", "'alpr-platform[edge-ultralytics]'")
        self._has_gpu = bool(torch.cuda.is_available())
        self._least = least_confidence
        self._lock = Lock()
        chosen = path
        if path.suffix == ".pt" and tensorrt and self._has_gpu:
            chosen = _engine(ultralytics, path, str(torch.cuda.get_device_name(0)))
        try:
            self._model: Any = ultralytics.YOLO(str(chosen), task="detect")
        except (RuntimeError, TypeError, ValueError, OSError) as error:
            raise ModelError(f"{chosen} does not load in Ultralytics: {error}") from error
        self._name = f"{path.stem} ({chosen.suffix.lstrip('.') or 'export'})"

    @property
    def name(self) -> str:
        """Weights and what runs them."""
        return self._name

    def detect(self, image: Image) -> list[PlateBox]:
        """See `edge_agent.ports.Detector`."""
        with self._lock:
            results = self._model.predict(
                image,
                imgsz=INPUT_PX,
                conf=self._least,
                half=self._has_gpu,
                device=0 if self._has_gpu else "cpu",
                verbose=False,
            )
        boxes = results[0].boxes
        pairs = zip(boxes.xyxy.tolist(), boxes.conf.tolist(), strict=True)
        found = [PlateBox(Box(*corners).within(image), min(1.0, score)) for corners, score in pairs]
        return sorted((p for p in found if p.box.area > 0), key=lambda p: -p.confidence)


def _engine(ultralytics: Any, weights: Path, gpu: str) -> Path:
    """The TensorRT engine of the weights on this GPU, exported where it is missing (minutes, once)."""
    require("tensorrt", "'alpr-platform[edge-tensorrt]'")
    engine = weights.with_name(f"{weights.stem}-{gpu.replace(' ', '-')}-fp16.engine")
    if not engine.is_file():
        try:
            made = ultralytics.YOLO(str(weights)).export(format="engine", half=True, imgsz=INPUT_PX, device=0)
        except (RuntimeError, TypeError, ValueError, OSError) as error:
            raise ModelError(f"{weights} does not export to TensorRT: {error}") from error
        Path(made).replace(engine)
    return engine
