"""What a raw record is worth: read it, check it, complete it, and say which topic each thing in it belongs on.

`route` is the whole decision for one record. Everything that is wrong with one is an error of `schemas.errors`, whose
branch becomes the error type of the dead letter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agents.decisions.plausibility import RoutingSettings, check, check_metric
from agents.decisions.raw_records import RawRecord, Reading, read
from schemas.clock import MICROS_PER_MS, Micros
from schemas.codec import EventCodec
from schemas.errors import AlprError, BusinessRuleError
from schemas.events import Camera, Detection, Metric, Plate
from schemas.identity import normalise
from schemas.plate_regions import sole_region
from schemas.topics import METRICS, ROUTED, VEHICLES, Topic

ZONE = "zone"
"""Name in `Detection.extras` of the camera's zone: the contract has no field for it."""
TIME_ZONE = "time_zone"
"""Name in `Detection.extras` of the camera's time zone: schedules of rules ask for it."""
REGION_SOURCE = "region_source"
"""Name in `Detection.extras` that says where a region comes from that the producer did not give: ``format``."""


@dataclass(frozen=True, slots=True)
class Routed:
    """A valid event and where it goes; its Kafka key is ours, whatever the producer had chosen.

    Attributes:
        event: a detection or a measurement.
        topic: where it belongs.
        lane: place of it in its record, from 0: a frame may hold several vehicles.
        value: the Avro bytes that it came in, where it goes on as it came.
    """

    event: Detection | Metric
    topic: Topic
    lane: int = 0
    value: bytes | None = None

    @property
    def key(self) -> bytes:
        """Kafka key: the camera; a measurement without one is keyed by its node, or else its name."""
        event = self.event
        if isinstance(event, Detection):
            return event.camera_id.encode()
        return (event.camera_id or event.tags.get("node") or event.tags.get("host") or event.name).encode()


@dataclass(frozen=True, slots=True)
class Routing:
    """What becomes of a record.

    Attributes:
        routed: what goes on.
        refused: why a part of it does not: the record is a dead letter, whole, beside what went on. Ids make its replay
            harmless.
        ignored: how many objects it has that are none of ours.
    """

    routed: tuple[Routed, ...]
    refused: AlprError | None = None
    ignored: int = 0


def route(record: RawRecord, codec: EventCodec, cameras: Mapping[str, Camera], settings: RoutingSettings) -> Routing:
    """Decide about one raw record.

    Args:
        record: as it came.
        codec: for values in Avro.
        cameras: camera registry by camera_id.
        settings: limits.

    Raises:
        SchemaError: nothing in it can be read.
        BusinessRuleError: a record of one event says something that cannot be.
        RegistryUnavailable: the schema id is not known yet and the registry does not answer; try again.
    """
    readings, ignored = read(record, codec, settings.max_detection_bytes)
    recorded_at = record.timestamp * MICROS_PER_MS
    if len(readings) == 1 and readings[0].error is None:
        return Routing((_route(readings[0], recorded_at, cameras, settings),), None, ignored)
    routed = []
    refused: AlprError | None = None
    for reading in readings:
        try:
            if reading.error is not None:
                raise reading.error
            routed.append(_route(reading, recorded_at, cameras, settings))
        except AlprError as error:  # the neighbours go on; the first error stands for the record
            refused = refused or error
    return Routing(tuple(routed), refused, ignored)


def _route(reading: Reading, recorded_at: Micros, cameras: Mapping[str, Camera], settings: RoutingSettings) -> Routed:
    event = reading.event
    if isinstance(event, Metric):
        check_metric(event, recorded_at, settings)
        return Routed(event, METRICS, reading.lane)
    if event is None:
        raise BusinessRuleError("the record says nothing")
    check(event, recorded_at, settings)
    detection = complete(event, cameras.get(event.camera_id), settings)
    value = reading.value if detection is event else None
    return Routed(detection, destination(detection), reading.lane, value)


def complete(detection: Detection, camera: Camera | None, settings: RoutingSettings) -> Detection:
    """The detection with our normalised text, and with what the camera registry knows where the producer was silent."""
    changes: dict[str, Any] = {}
    extras: dict[str, str] = {}
    if camera is not None:
        for name in ("site_id", "location", "direction"):
            known = getattr(camera, name)
            if known is not None and not getattr(detection, name):
                changes[name] = known
        extras = {name: text for name, text in extras_of(camera).items() if name not in detection.extras}
    plate = detection.plate
    if plate is not None:
        # a producer that gives the normalised text alone has observed that
        normalized = normalise(plate.text if plate.text.strip() else plate.normalized_text)
        region = plate.region
        if settings.fill_region and not region and normalized:
            region = _region(normalized, changes.get("site_id", detection.site_id), camera, settings)
            if region is not None:
                extras[REGION_SOURCE] = "format"
        if normalized != plate.normalized_text or region != plate.region:
            changes["plate"] = replace(plate, normalized_text=normalized, region=region)
    if extras:
        changes["extras"] = {**detection.extras, **extras}
    return replace(detection, **changes) if changes else detection


def extras_of(camera: Camera) -> dict[str, str]:
    """What the registry knows of a camera that the contract has no field for."""
    known = {ZONE: camera.zone, TIME_ZONE: camera.time_zone}
    return {name: text for name, text in known.items() if text is not None}


def _region(normalized: str, site_id: str | None, camera: Camera | None, settings: RoutingSettings) -> str | None:
    """The region of a plate by the formats of the country where it was seen; None in any doubt."""
    country = camera.country if camera is not None else None
    if not country and site_id is not None:
        country = settings.site_countries.get(site_id)
    country = country or settings.country
    return sole_region(normalized, country) if country else None


def destination(detection: Detection) -> Topic:
    """Plates, readable or not, are routed on; a vehicle of which no plate was read goes to its own topic.

    A plate of emoji or dashes alone was read, though it names no vehicle: it is routed. An empty text was not read.
    """
    plate: Plate | None = detection.plate
    if plate is None or not (plate.text.strip() or plate.normalized_text):
        return VEHICLES
    return ROUTED
