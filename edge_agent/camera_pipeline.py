"""One camera's way from frames to detections: detect, track, read, vote, speak. No threads and no network in here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_agent import tracking
from edge_agent.detection_event import EventMaker
from edge_agent.frames import Frame
from edge_agent.geometry import Box, Image
from edge_agent.outgoing import Outgoing
from edge_agent.plate_reading import PlateReading
from edge_agent.plate_track import PlateTrack, Shot, Verdict
from edge_agent.ports import PlateBox, Read, VehicleBox, VehicleDetector
from edge_agent.scene_cut import SceneCut
from edge_agent.shot import quality
from edge_agent.tracking import Sighted, TrackerState
from edge_agent.vehicle_track import VehicleTrack
from schemas.events import Vehicle
from telemetry.metrics import EDGE_STAGE_SECONDS

EDGE_PX = 2


@dataclass(frozen=True, slots=True)
class Models:
    """What the pipelines of all cameras share.

    Attributes:
        reading: Plate detector and reader.
        vehicles: Vehicle detector, where one is given.
    """

    reading: PlateReading
    vehicles: VehicleDetector | None = None

    def names(self) -> dict[str, str]:
        """Models and versions by their role, as events carry them."""
        names = {"detector": self.reading.detector.name, "reader": self.reading.reader.name}
        return names if self.vehicles is None else {**names, "vehicles": self.vehicles.name}


class CameraPipeline:
    """The state of one stream.

    Args:
        models: Detectors and reader.
        events: Makes the detections.
        early_after_us: See `plate_track.PlateTrack`.
    """

    def __init__(self, models: Models, events: EventMaker, *, early_after_us: int) -> None:
        self._models = models
        self._events = events
        self._early_after_us = early_after_us
        self._cut = SceneCut()
        self._plate_tracker = TrackerState()
        self._vehicle_tracker = TrackerState()
        self._plates: dict[int, PlateTrack] = {}
        self._vehicles: dict[int, VehicleTrack] = {}
        self._vehicle_boxes: dict[int, Box] = {}
        self._on_vehicle: dict[int, int] = {}
        self._grabbed_s = 0.0

    def frame(self, frame: Frame) -> Iterator[Outgoing]:
        """Takes a frame in and gives what it makes certain."""
        self._grabbed_s = frame.grabbed_s
        if frame.is_photograph or self._cut.is_cut(frame.image):
            yield from self.end()
        with EDGE_STAGE_SECONDS.labels(stage="vehicles").time():
            vehicle_boxes = self._models.vehicles.vehicles(frame.image) if self._models.vehicles else []
        with EDGE_STAGE_SECONDS.labels(stage="detect").time():
            found = self._models.reading.detector.detect(frame.image)
        yield from self._track_vehicles(frame, vehicle_boxes)
        yield from self._track_plates(frame, found)
        if frame.is_photograph:
            yield from self.end()

    def end(self) -> Iterator[Outgoing]:
        """Ends every track: at a hard cut and at the end of the stream."""
        self._plate_tracker, plates = tracking.end_all(self._plate_tracker)
        self._vehicle_tracker, vehicles = tracking.end_all(self._vehicle_tracker)
        yield from self._plates_ended(plates)
        yield from self._vehicles_ended(vehicles)

    def _track_plates(self, frame: Frame, found: Sequence[PlateBox]) -> Iterator[Outgoing]:
        sighted = [Sighted(plate.box, plate.confidence) for plate in found]
        step = tracking.advance(self._plate_tracker, sighted, frame.stream_s, _rules(frame))
        self._plate_tracker = step.state
        yield from self._plates_ended(step.ended)
        for plate, track_id in zip(found, step.assigned, strict=True):
            if track_id is not None:
                yield from self._plate_seen(frame, plate, track_id)

    def _plate_seen(self, frame: Frame, plate: PlateBox, track_id: int) -> Iterator[Outgoing]:
        track = self._plate_track(track_id, frame)
        picture_quality = quality(frame.image, plate.box)
        read: Read | None = None
        if frame.is_photograph or (
            not _is_cut_off(plate.box, frame.image) and track.wants_read(frame.captured_us, picture_quality)
        ):
            with EDGE_STAGE_SECONDS.labels(stage="read").time():
                read = self._models.reading.read_box(frame.image, plate.box)
        if read is not None and track.is_other_plate(read):
            self._plate_tracker, new_id = tracking.renumber(self._plate_tracker, track_id)
            yield from self._plates_ended([track_id])
            track_id, track = new_id, self._plate_track(new_id, frame)
        track.seen(frame.captured_us, plate.box)
        if read is None:
            return
        vehicle_id = self._vehicle_under(plate.box)
        vehicle_box = None
        if vehicle_id is not None:
            self._vehicles[vehicle_id].has_plate = True
            self._on_vehicle[track_id] = vehicle_id
            vehicle_box = self._vehicle_boxes[vehicle_id]
        shot = Shot(frame.image, plate.box, vehicle_box, picture_quality, frame.captured_us)
        track.add(read, shot, plate.confidence)
        if not frame.is_photograph and (verdict := track.early(frame.captured_us)) is not None:
            yield self._speak(track_id, verdict)

    def _plate_track(self, track_id: int, frame: Frame) -> PlateTrack:
        if track_id not in self._plates:
            self._plates[track_id] = PlateTrack(frame.captured_us, self._early_after_us)
        return self._plates[track_id]

    def _plates_ended(self, track_ids: Sequence[int]) -> Iterator[Outgoing]:
        for track_id in track_ids:
            track = self._plates.pop(track_id, None)
            if track is not None and (verdict := track.final()) is not None:
                yield self._speak(track_id, verdict)
            self._on_vehicle.pop(track_id, None)

    def _speak(self, track_id: int, verdict: Verdict) -> Outgoing:
        seen = self._vehicles.get(self._on_vehicle.get(track_id, 0))
        vehicle = Vehicle(type=seen.kind, confidence=round(seen.confidence, 4)) if seen else None
        return self._events.plate(track_id, verdict, vehicle, self._grabbed_s)

    def _track_vehicles(self, frame: Frame, found: Sequence[VehicleBox]) -> Iterator[Outgoing]:
        sighted = [Sighted(vehicle.box, vehicle.confidence) for vehicle in found]
        step = tracking.advance(self._vehicle_tracker, sighted, frame.stream_s, tracking.VEHICLES)
        self._vehicle_tracker = step.state
        yield from self._vehicles_ended(step.ended)
        self._vehicle_boxes = {}
        for vehicle, track_id in zip(found, step.assigned, strict=True):
            if track_id is not None:
                track = self._vehicles.setdefault(track_id, VehicleTrack(frame.captured_us))
                track.seen(vehicle, frame.image, frame.captured_us)
                self._vehicle_boxes[track_id] = vehicle.box

    def _vehicles_ended(self, track_ids: Sequence[int]) -> Iterator[Outgoing]:
        for track_id in track_ids:
            track = self._vehicles.pop(track_id, None)
            if track is not None and not track.has_plate and track.is_worth_telling:
                yield self._events.vehicle(track_id, track, self._grabbed_s)

    def _vehicle_under(self, plate: Box) -> int | None:
        """The smallest vehicle of this frame that covers the plate's centre."""
        x, y = plate.centre
        covering = [(box.area, vehicle_id) for vehicle_id, box in self._vehicle_boxes.items() if box.covers(x, y)]
        return min(covering)[1] if covering else None


def _is_cut_off(box: Box, image: Image) -> bool:
    """Whether the plate touches the picture's edge: half a plate reads as another plate, and whole ones follow."""
    height_px, width_px = image.shape[:2]
    return box.x1 < EDGE_PX or box.y1 < EDGE_PX or box.x2 > width_px - EDGE_PX or box.y2 > height_px - EDGE_PX


def _rules(frame: Frame) -> tracking.TrackerRules:
    return tracking.PHOTOGRAPH if frame.is_photograph else tracking.PLATES
