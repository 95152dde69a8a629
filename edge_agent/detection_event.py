"""Verdicts to detections: ids, times, image addresses and the pictures behind them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edge_agent.cameras import CameraConfig
from edge_agent.geometry import Box, Image, crop
from edge_agent.outgoing import Outgoing, Picture, object_key
from edge_agent.plate_track import Verdict
from edge_agent.shot import encode_jpeg
from edge_agent.vehicle_track import VehicleTrack
from schemas.events import Detection, Images, Location, Node, Plate, Vehicle
from schemas.identity import normalise
from schemas.keys import detection_id

PLATE_MARGIN = -0.15
VEHICLE_MARGIN = -0.03
LONGEST_PX = 1280


@dataclass(frozen=True, slots=True)
class EventMaker:
    """Makes the detections of one stream.

    Attributes:
        camera: Whose stream it is.
        stream_started_us: Start of the stream, part of every id.
        node: The agent.
        bucket: S3 bucket of the images.
    """

    camera: CameraConfig
    stream_started_us: int
    node: Node
    bucket: str

    def plate(self, track: int, verdict: Verdict, vehicle: Vehicle | None, grabbed_s: float) -> Outgoing:
        """The detection of a plate: the same event for the early and the final verdict of a track."""
        shot, text = verdict.shot, verdict.read.text
        track_id = f"p{track}"
        pictures: list[tuple[str, Callable[[], bytes]]] = [
            ("plate", partial(_jpeg_of, shot.frame, shot.plate.inset(PLATE_MARGIN, PLATE_MARGIN)))
        ]
        if shot.vehicle is not None:
            box = shot.vehicle.inset(VEHICLE_MARGIN, VEHICLE_MARGIN)
            pictures.append(("vehicle", partial(_jpeg_of, shot.frame, box)))
        else:
            pictures.append(("frame", partial(encode_jpeg, shot.frame, longest_px=LONGEST_PX)))
        plate = Plate(
            text=text,
            normalized_text=normalise(text),
            confidence=verdict.read.confidence,
            characters=verdict.read.characters,
        )
        return self._outgoing(
            track_id=track_id,
            captured_us=verdict.read_at_us,
            seen_us=(verdict.first_seen_us, verdict.last_seen_us),
            plate=plate,
            vehicle=vehicle,
            pictures=pictures,
            reads=verdict.reads,
            is_final=verdict.is_final,
            motion=verdict.motion,
            grabbed_s=grabbed_s,
        )

    def vehicle(self, track: int, seen: VehicleTrack, grabbed_s: float) -> Outgoing:
        """The detection of a vehicle on which no plate was read."""
        frame, box = seen.picture
        picture = partial(_jpeg_of, frame, box.inset(VEHICLE_MARGIN, VEHICLE_MARGIN))
        return self._outgoing(
            track_id=f"v{track}",
            captured_us=seen.first_seen_us,
            seen_us=(seen.first_seen_us, seen.last_seen_us),
            plate=None,
            vehicle=Vehicle(type=seen.kind, confidence=round(seen.confidence, 4)),
            pictures=[("vehicle", picture)],
            reads=0,
            is_final=True,
            motion=None,
            grabbed_s=grabbed_s,
        )

    def _outgoing(
        self,
        *,
        track_id: str,
        captured_us: int,
        seen_us: tuple[int, int],
        plate: Plate | None,
        vehicle: Vehicle | None,
        pictures: list[tuple[str, Callable[[], bytes]]],
        reads: int,
        is_final: bool,
        motion: str | None,
        grabbed_s: float,
    ) -> Outgoing:
        camera = self.camera
        event_id = detection_id(camera.camera_id, self.stream_started_us, track_id)
        keys = {kind: object_key(camera.camera_id, captured_us, event_id, kind) for kind, _ in pictures}
        metadata = {
            "camera_id": camera.camera_id,
            "track_id": track_id,
            "plate_text": plate.normalized_text if plate else "",
        }
        detection = Detection(
            event_id=event_id,
            captured_at=captured_us,
            camera_id=camera.camera_id,
            site_id=camera.site_id,
            track_id=track_id,
            plate=plate,
            vehicle=vehicle,
            images=Images(**{f"{kind}_url": f"s3://{self.bucket}/{key}" for kind, key in keys.items()}),
            location=Location(camera.location.lat, camera.location.lon) if camera.location else None,
            direction=camera.direction,
            first_seen_at=seen_us[0],
            last_seen_at=seen_us[1],
            reads=reads,
            node=self.node,
            is_final=is_final,
            extras={"motion": motion} if motion else {},
        )
        return Outgoing(
            detection,
            tuple(Picture(keys[kind], encode, metadata) for kind, encode in pictures),
            grabbed_s,
        )


def _jpeg_of(frame: Image, box: Box) -> bytes:
    return encode_jpeg(crop(frame, box), longest_px=LONGEST_PX)
