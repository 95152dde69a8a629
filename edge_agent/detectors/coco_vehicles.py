"""COCO's classes that are vehicles (Lin et al. 2014), by index."""

from collections.abc import Iterable

from edge_agent.detectors.yolo_decode import Candidate
from edge_agent.ports import VehicleBox

COCO_VEHICLES = {1: "bicycle", 2: "car", 3: "motorcycle", 5: "bus", 7: "truck"}
SAME_VEHICLE_IOU = 0.7


def vehicles_of(candidates: Iterable[Candidate]) -> list[VehicleBox]:
    """The vehicles among detections, most confident first.

    A van that is found both as car and as truck is one vehicle: non-maximum suppression works per class, so boxes
    of different kinds on the same spot are settled here.
    """
    kept: list[VehicleBox] = []
    for candidate in sorted(candidates, key=lambda c: -c.score):
        kind = COCO_VEHICLES.get(candidate.label)
        if kind and all(candidate.box.iou(k.box) < SAME_VEHICLE_IOU for k in kept):
            kept.append(VehicleBox(candidate.box, candidate.score, kind))
    return kept
