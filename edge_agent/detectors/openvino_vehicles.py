"""Vehicle detector on OpenVINO (extra): a folder that Ultralytics has exported, such as YOLO11n."""

from pathlib import Path

from edge_agent.detectors.coco_vehicles import vehicles_of
from edge_agent.detectors.openvino_model import OpenVinoModel
from edge_agent.detectors.yolo_decode import decode_yolov8, letterbox, rgb_tensor
from edge_agent.errors import ModelMissing
from edge_agent.geometry import Image
from edge_agent.ports import VehicleBox


class OpenVinoVehicleDetector:
    """Finds vehicles with a YOLOv8 or YOLO11 network of COCO's classes. Thread-safe.

    Args:
        folder: Holds one `.xml` file and its `.bin`.
        threads: Cores that one call may use.
        least_confidence: Vehicles below are dropped.
    """

    def __init__(self, folder: Path, *, threads: int = 2, least_confidence: float = 0.35) -> None:
        files = sorted(folder.glob("*.xml"))
        if not files:
            raise ModelMissing(f"{folder} has no OpenVINO model (.xml)")
        self._model = OpenVinoModel(files[0], threads=threads)
        self._name = f"{files[0].stem} (openvino)"
        self._least = least_confidence

    @property
    def name(self) -> str:
        """Model and runtime."""
        return self._name

    def vehicles(self, image: Image) -> list[VehicleBox]:
        """See `edge_agent.ports.VehicleDetector`."""
        canvas, fitted = letterbox(image, self._model.height_px, self._model.width_px)
        return vehicles_of(decode_yolov8(self._model(rgb_tensor(canvas))[0], image, fitted, self._least))
