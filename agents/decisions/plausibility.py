"""What a detection or measurement may say: times, ids, numbers and lengths that can be."""

import math

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.characters import Characters
from schemas.clock import MICROS_PER_S, Micros, to_iso
from schemas.errors import BusinessRuleError
from schemas.events import Detection, Location, Metric, Plate, Vehicle
from schemas.identity import MAX_PLATE_CHARS, normalise
from schemas.topics import MIB

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
    fill_region: bool = Field(
        True, description="Give a plate without a region the camera's country where exactly one of its formats fits"
    )
    country: str | None = Field(None, description="Where cameras stand whose own country and site's are not known: de")
    site_countries: dict[str, str] = Field(
        default_factory=dict, description='Countries by site_id, as JSON: {"north": "de"}'
    )
    max_track_s: float = Field(
        86_400, gt=0, description="Longest time between first_seen_at and last_seen_at of one detection"
    )


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


def check_metric(metric: Metric, recorded_at: Micros, settings: RoutingSettings) -> None:
    """The same for a measurement.

    Raises:
        BusinessRuleError: as `check`.
    """
    if metric.camera_id is not None:
        _check_id("camera_id", metric.camera_id)
    _check_time("measured_at", metric.measured_at, recorded_at, settings)


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
    first, last = detection.first_seen_at, detection.last_seen_at
    for name, moment in (("captured_at", detection.captured_at), ("first_seen_at", first), ("last_seen_at", last)):
        _check_time(name, moment, recorded_at, settings)
    if last < first:
        raise BusinessRuleError(f"last_seen_at {to_iso(last)} is before first_seen_at {to_iso(first)}")
    if last - first > settings.max_track_s * MICROS_PER_S:
        raise BusinessRuleError(
            f"first_seen_at and last_seen_at are {(last - first) // MICROS_PER_S} s apart; "
            f"a track lasts at most {_span(settings.max_track_s)}"
        )


def _check_time(name: str, moment: Micros, recorded_at: Micros, settings: RoutingSettings) -> None:
    if moment < recorded_at - int(settings.max_age_s * MICROS_PER_S):
        raise BusinessRuleError(
            f"{name} is {to_iso(moment)}, more than {_span(settings.max_age_s)} before the record came "
            f"({to_iso(recorded_at)})"
        )
    if moment > recorded_at + int(settings.max_ahead_s * MICROS_PER_S):
        raise BusinessRuleError(
            f"{name} is {to_iso(moment)}, more than {_span(settings.max_ahead_s)} after the record came "
            f"({to_iso(recorded_at)}): is the camera's clock right?"
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
    characters: object = plate.characters
    if isinstance(characters, Characters) and characters.are_probabilities(1.0 + PROBABILITY_SLACK):
        return  # as they came, in bounds by their form; what is wrong with others is found below
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
