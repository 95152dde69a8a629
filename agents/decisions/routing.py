"""What a raw detection is worth: read it, check it, complete it, and say which topic it belongs on.

`route` is the whole decision for one record. Everything that is wrong with a record is raised as an error of
`schemas.errors`, whose branch becomes the error type of the dead letter.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.clock import MICROS_PER_MS, MICROS_PER_S, Micros, to_iso
from schemas.codec import EventCodec
from schemas.errors import BusinessRuleError, SchemaError
from schemas.events import Camera, Detection, Location, Plate, Vehicle
from schemas.identity import MAX_PLATE_CHARS, normalise
from schemas.json_form import detection_from_json, looks_like_json
from schemas.keys import foreign_detection_id
from schemas.topics import DETECTED, MIB, ROUTED, VEHICLES, Topic

MAX_ID_CHARS = 128
"""Longest event, camera, site and track id: they become Kafka keys, object names and index terms."""
MAX_PLATE_TEXT_CHARS = 64
"""Longest plate text as observed, separators and symbols included."""
MAX_TEXT_CHARS = 256
"""Longest name: vehicle attributes, region, direction."""
MAX_URL_CHARS = 2048
MAX_READS = 2**31 - 1
"""Largest Avro int."""
MAX_ALTERNATIVES = 40
"""Most readings of one character: letters and digits, and some air."""
PROBABILITY_SLACK = 0.01
"""How far the probabilities of one character may add up beyond 1: single precision and rounding."""
ZONE = "zone"
"""Name in `Detection.extras` of the camera's zone: the contract has no field for it."""
ORIGIN_HEADER = "alpr-replay-of"
"""Header of a replayed record: ``topic/partition/offset`` where it first stood. Ids that come from the place in the log
come from there, so that a record that is replayed twice is one event."""


class RoutingSettings(BaseSettings):
    """What the router takes for a possible detection (environment prefix ``ALPR_ROUTE_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_ROUTE_", frozen=True, extra="ignore")

    max_detection_bytes: int = Field(MIB, gt=0, description="Largest detection record; a larger one is a dead letter")
    max_age_s: float = Field(
        30 * 86_400, gt=0, description="A detection captured longer ago than this is a dead letter"
    )
    max_ahead_s: float = Field(
        300, ge=0, description="A detection captured further in the future than this is a dead letter"
    )
    max_track_s: float = Field(
        86_400, gt=0, description="Longest time between first_seen_at and last_seen_at of one detection"
    )


class RawRecord(Protocol):
    """The part of a Kafka record that routing looks at."""

    @property
    def topic(self) -> str:
        """Topic it stands in."""

    @property
    def partition(self) -> int:
        """Partition it stands in."""

    @property
    def offset(self) -> int:
        """Offset in the partition."""

    @property
    def timestamp(self) -> int:
        """Kafka's timestamp, milliseconds since the epoch."""

    @property
    def value(self) -> bytes | None:
        """The bytes as they came."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Record headers."""


@dataclass(frozen=True, slots=True)
class Routed:
    """A valid detection and where it goes; its Kafka key is the camera whatever the producer had chosen."""

    detection: Detection
    topic: Topic

    @property
    def key(self) -> bytes:
        """Kafka key."""
        return self.detection.camera_id.encode()


def route(record: RawRecord, codec: EventCodec, cameras: Mapping[str, Camera], settings: RoutingSettings) -> Routed:
    """Decide about one raw record.

    Args:
        record: as it came.
        codec: for values in Avro.
        cameras: camera registry by camera_id.
        settings: limits.

    Raises:
        SchemaError: the bytes are no detection.
        BusinessRuleError: they are, but it says something that cannot be.
        RegistryUnavailable: the schema id is not known yet and the registry does not answer; try again.
    """
    detection = read(record, codec, settings.max_detection_bytes)
    if not detection.event_id.strip():
        detection = replace(detection, event_id=_foreign_id(record))
    check(detection, record.timestamp * MICROS_PER_MS, settings)
    detection = complete(detection, cameras.get(detection.camera_id))
    return Routed(detection, destination(detection))


def read(record: RawRecord, codec: EventCodec, max_bytes: int) -> Detection:
    """Decode a detection; the first byte tells JSON from Confluent Avro.

    Raises:
        SchemaError: not a detection in either form.
        BusinessRuleError: larger than any detection.
        RegistryUnavailable: see `route`.
    """
    value = record.value
    if not value:
        raise SchemaError("the value is empty")
    if len(value) > max_bytes:
        raise BusinessRuleError(f"the record has {len(value)} bytes; a detection has at most {max_bytes}")
    if looks_like_json(value):
        return detection_from_json(value, default_event_id=_foreign_id(record))
    detection: Detection = codec.decode(DETECTED, value)
    return detection


def check(detection: Detection, recorded_at: Micros, settings: RoutingSettings) -> None:
    """Refuse what cannot be.

    Args:
        detection: as decoded.
        recorded_at: Kafka timestamp of its record; ages count from here, so that a replay of the log decides alike.
        settings: limits.

    Raises:
        BusinessRuleError: the message names the field, the value and the limit.
    """
    _check_id("event_id", detection.event_id)
    _check_id("camera_id", detection.camera_id)
    for name in ("site_id", "track_id"):
        value = getattr(detection, name)
        if value is not None:
            _check_id(name, value, may_be_blank=True)
    _check_times(detection, recorded_at, settings)
    if detection.plate is not None:
        _check_plate(detection.plate)
    if detection.vehicle is not None:
        _check_vehicle(detection.vehicle)
    if detection.location is not None:
        _check_location(detection.location)
    images = detection.images
    for name, url in (("plate", images.plate_url), ("vehicle", images.vehicle_url), ("frame", images.frame_url)):
        _check_text(f"images.{name}_url", url, MAX_URL_CHARS)
    _check_text("direction", detection.direction, MAX_TEXT_CHARS)
    if not 0 <= detection.reads <= MAX_READS:
        raise BusinessRuleError(f"reads is {detection.reads}; it lies between 0 and {MAX_READS}")
    if detection.latency_ms is not None and not math.isfinite(detection.latency_ms):
        raise BusinessRuleError(f"latency_ms is {detection.latency_ms}")


def complete(detection: Detection, camera: Camera | None) -> Detection:
    """The detection with our normalised text, and with what the camera registry knows where the producer was silent."""
    changes: dict[str, Any] = {}
    plate = detection.plate
    if plate is not None:
        # a producer that gives the normalised text alone has observed that
        normalized = normalise(plate.text if plate.text.strip() else plate.normalized_text)
        if normalized != plate.normalized_text:
            changes["plate"] = replace(plate, normalized_text=normalized)
    if camera is not None:
        for name in ("site_id", "location", "direction"):
            known = getattr(camera, name)
            if known is not None and not getattr(detection, name):
                changes[name] = known
        if camera.zone is not None and ZONE not in detection.extras:
            changes["extras"] = {**detection.extras, ZONE: camera.zone}
    return replace(detection, **changes) if changes else detection


def destination(detection: Detection) -> Topic:
    """Plates, readable or not, are routed on; a vehicle of which no plate was read goes to its own topic.

    A plate of emoji or dashes alone was read, though it names no vehicle: it is routed. An empty text was not read.
    """
    plate = detection.plate
    if plate is None or not (plate.text.strip() or plate.normalized_text):
        return VEHICLES
    return ROUTED


def _foreign_id(record: RawRecord) -> str:
    for name, value in record.headers:
        if name == ORIGIN_HEADER and value is not None:
            topic, _, place = value.decode(errors="replace").partition("/")
            partition, _, offset = place.partition("/")
            if partition.isdecimal() and offset.isdecimal() and len(place) < 40:
                return foreign_detection_id(topic, int(partition), int(offset))
    return foreign_detection_id(record.topic, record.partition, record.offset)


def _check_id(name: str, value: str, *, may_be_blank: bool = False) -> None:
    if not may_be_blank and not value.strip():
        raise BusinessRuleError(f"{name} is empty")
    if len(value) > MAX_ID_CHARS:
        raise BusinessRuleError(f"{name} has {len(value)} characters; it has at most {MAX_ID_CHARS}")
    if not value.isprintable():
        raise BusinessRuleError(f"{name} holds control characters: {value!r}")


def _check_text(name: str, value: str | None, limit: int) -> None:
    if value is not None and len(value) > limit:
        raise BusinessRuleError(f"{name} has {len(value)} characters; it has at most {limit}")


def _check_times(detection: Detection, recorded_at: Micros, settings: RoutingSettings) -> None:
    oldest = recorded_at - int(settings.max_age_s * MICROS_PER_S)
    newest = recorded_at + int(settings.max_ahead_s * MICROS_PER_S)
    first, last = detection.first_seen_at, detection.last_seen_at
    for name, moment in (("captured_at", detection.captured_at), ("first_seen_at", first), ("last_seen_at", last)):
        if moment < oldest:
            raise BusinessRuleError(
                f"{name} is {to_iso(moment)}, more than {_span(settings.max_age_s)} before the record came "
                f"({to_iso(recorded_at)})"
            )
        if moment > newest:
            raise BusinessRuleError(
                f"{name} is {to_iso(moment)}, more than {_span(settings.max_ahead_s)} after the record came "
                f"({to_iso(recorded_at)}): is the camera's clock right?"
            )
    if last < first:
        raise BusinessRuleError(f"last_seen_at {to_iso(last)} is before first_seen_at {to_iso(first)}")
    if last - first > settings.max_track_s * MICROS_PER_S:
        raise BusinessRuleError(
            f"first_seen_at and last_seen_at are {(last - first) // MICROS_PER_S} s apart; "
            f"a track lasts at most {_span(settings.max_track_s)}"
        )


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _check_plate(plate: Plate) -> None:
    _check_text("plate.text", plate.text, MAX_PLATE_TEXT_CHARS)
    _check_text("plate.region", plate.region, MAX_TEXT_CHARS)
    _check_probability("plate.confidence", plate.confidence)
    count = len(normalise(plate.text if plate.text.strip() else plate.normalized_text))
    if count > MAX_PLATE_CHARS:
        raise BusinessRuleError(f"plate.text has {count} letters and digits; a plate has at most {MAX_PLATE_CHARS}")
    if len(plate.characters) > MAX_PLATE_TEXT_CHARS:
        raise BusinessRuleError(f"plate.characters has {len(plate.characters)} positions")
    for position, alternatives in enumerate(plate.characters):
        if len(alternatives) > MAX_ALTERNATIVES:
            raise BusinessRuleError(f"plate.characters[{position}] has {len(alternatives)} alternatives")
        total = 0.0
        for item in alternatives:
            if not 0.0 <= item.probability <= 1.0:  # also catches nan
                raise BusinessRuleError(f"plate.characters[{position}]: probability {item.probability}")
            if not 0 < len(item.char) <= 4:
                raise BusinessRuleError(f"plate.characters[{position}]: {item.char!r:.40} is no character")
            total += item.probability
        if total > 1.0 + PROBABILITY_SLACK:
            raise BusinessRuleError(f"plate.characters[{position}]: the probabilities add up to {total:.3f}")


def _check_vehicle(vehicle: Vehicle) -> None:
    for name in ("type", "make", "model", "color"):
        _check_text(f"vehicle.{name}", getattr(vehicle, name), MAX_TEXT_CHARS)
    if vehicle.confidence is not None:
        _check_probability("vehicle.confidence", vehicle.confidence)


def _check_location(location: Location) -> None:
    if not -90.0 <= location.lat <= 90.0:
        raise BusinessRuleError(f"location.lat is {location.lat}; a latitude lies between -90 and 90")
    if not -180.0 <= location.lon <= 180.0:
        raise BusinessRuleError(f"location.lon is {location.lon}; a longitude lies between -180 and 180")


def _check_probability(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise BusinessRuleError(f"{name} is {value}; it lies between 0 and 1")
