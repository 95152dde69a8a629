"""The routing decision for the record that nearly every record is, made on its bytes.

A detection of our own contract, plausible, with a plate whose normalised text is right: nothing of it changes but what
the camera registry adds, and that is put in where it belongs. So no event is made and none is encoded, which is most of
what `agents.decisions.routing.route` costs. Whatever is not plainly so gets no answer here and goes that way: there
limits are checked again, and there they are put in words. What is decided here is decided there alike
(tests/unit/agents/test_quick_routing.py compares them).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from operator import itemgetter
from typing import NamedTuple

from agents.decisions.plausibility import (
    MAX_ID_CHARS,
    MAX_PLATE_TEXT_CHARS,
    MAX_READS,
    MAX_TEXT_CHARS,
    MAX_URL_CHARS,
    PROBABILITY_SLACK,
    RoutingSettings,
)
from agents.decisions.rate_caps import cap_of
from agents.decisions.raw_records import RawRecord
from agents.decisions.routing import REGION_SOURCE, extras_of
from schemas.characters import Characters
from schemas.clock import MICROS_PER_MS, MICROS_PER_S, Micros
from schemas.codec import HEADER_BYTES, EventCodec
from schemas.direct_avro import ERRORS
from schemas.direct_source import long_bytes
from schemas.direct_survey import surveyor
from schemas.events import Camera, Detection
from schemas.identity import MAX_PLATE_CHARS
from schemas.plate_regions import sole_region
from schemas.topics import ROUTED, VEHICLES, Topic

MAX_KEPT_CAMERAS = 4096
_Addition = tuple[bytes | int | None, int, bytes]
"""What stands there, which has to be nothing; where it begins; what to put there."""
_LOCATION = struct.Struct("<dd")
"""Latitude and longitude of the contract."""
_PRINTABLE = bytes(range(32, 127))
_UPPER = bytes(range(256)).upper()
_NO_PLATE_CHAR = bytes(code for code in range(256) if not (code < 128 and chr(code).isalnum()))

_WANTED = (
    *("event_id", "captured_at", "camera_id", "site_id", "track_id"),
    *("plate.text", "plate.normalized_text", "plate.confidence", "plate.region", "plate.characters"),
    *("vehicle.confidence", "location.lat", "location.lon", "direction"),
    *("first_seen_at", "last_seen_at", "reads", "latency_ms", "extras"),
)
_PLACES = ("site_id", "plate.region", "location", "direction", "extras")
_LIMITS = {
    **dict.fromkeys(("event_id", "camera_id", "site_id", "track_id"), MAX_ID_CHARS),
    **dict.fromkeys(("plate.text", "plate.normalized_text"), MAX_PLATE_TEXT_CHARS),
    **dict.fromkeys(("plate.region", "direction"), MAX_TEXT_CHARS),
    **dict.fromkeys(("vehicle.type", "vehicle.make", "vehicle.model", "vehicle.color"), MAX_TEXT_CHARS),
    **dict.fromkeys(("images.plate_url", "images.vehicle_url", "images.frame_url"), MAX_URL_CHARS),
}
_survey = surveyor(Detection, _WANTED, _PLACES, _LIMITS)


class QuickRouted(NamedTuple):
    """A detection that goes on.

    Attributes:
        topic: where it belongs.
        camera_id: its key.
        value: its bytes, as they stand on that topic.
        camera: its camera's entry in the registry.
    """

    topic: Topic
    camera_id: bytes
    value: bytes
    camera: Camera | None


class QuickRouter:
    """Decides about plain records. It keeps nothing but what it has worked out of the camera registry.

    Args:
        codec: says which values are of our contract.
        cameras: camera registry by camera_id.
        settings: limits.
    """

    def __init__(self, codec: EventCodec, cameras: Mapping[str, Camera], settings: RoutingSettings) -> None:
        self._codec = codec
        self._cameras = cameras
        self._settings = settings
        self._max_age = int(settings.max_age_s * MICROS_PER_S)
        self._max_ahead = int(settings.max_ahead_s * MICROS_PER_S)
        self._max_track = settings.max_track_s * MICROS_PER_S
        self._known: dict[bytes, _Known] = {}

    def route(self, record: RawRecord) -> QuickRouted | None:
        """Decide about a record; None where `agents.decisions.routing.route` has to.

        Raises:
            RegistryUnavailable: first use of a topic or of the camera's entry, and no answer.
        """
        value = record.value
        if (
            value is None
            or _survey is None
            or not self._codec.is_direct(Detection, value)
            or len(value) > self._settings.max_detection_bytes
        ):
            return None
        try:
            found = _Found._make(_survey(value, HEADER_BYTES))
        except ERRORS:
            return None
        if not self._is_plausible(found, record.timestamp * MICROS_PER_MS):
            return None
        known = self._known_of(found.camera_id)
        if not known.is_plain:
            return None
        additions = self._additions(found, known)
        if additions:
            if any(old is not None for old, _, _ in additions):
                return None
            value = _with(value, additions)
        has_plate = found.text is not None and bool(found.text.strip() or found.normalized_text)
        topic = ROUTED if has_plate else VEHICLES
        labelled = self._codec.relabel(topic, value)
        return None if labelled is None else QuickRouted(topic, found.camera_id, labelled, known.camera)

    def _is_plausible(self, found: "_Found", recorded_at: Micros) -> bool:
        """Whether `agents.decisions.plausibility.check` has nothing to say, and the normalised text is right."""
        oldest, newest = recorded_at - self._max_age, recorded_at + self._max_ahead
        first, last, text = found.first_seen_at, found.last_seen_at, found.text
        words = b"".join((found.event_id, found.camera_id, found.site_id or b"", found.track_id or b"", text or b""))
        return (
            oldest <= found.captured_at <= newest
            and oldest <= first <= last <= newest
            and last - first <= self._max_track
            and bool(found.event_id.strip() and found.camera_id.strip())
            and not words.translate(None, _PRINTABLE)
            and (text is None or _is_plate(found, text))
            and (found.vehicle_confidence is None or 0.0 <= found.vehicle_confidence <= 1.0)
            and (found.lat is None or (-90.0 <= found.lat <= 90.0 and -180.0 <= found.lon <= 180.0))
            and 0 <= found.reads <= MAX_READS
            and (found.latency_ms is None or isfinite(found.latency_ms))
        )

    def _additions(self, found: "_Found", known: "_Known") -> list[_Addition]:
        """What `agents.decisions.routing.complete` would add."""
        additions: list[_Addition] = []
        if not found.site_id and known.site_id is not None:
            additions.append((found.site_id, found.site_at, known.site_id))
        count, entries = known.extras_count, known.extras
        if not found.region and found.normalized_text and self._settings.fill_region:
            region = self._region(found, known)
            if region is not None or found.region is not None:
                additions.append((found.region, found.region_at, _optional(region)))
            if region is not None:
                count, entries = count + 1, entries + _REGION_ENTRY
        if found.lat is None and known.location is not None:
            additions.append((None, found.location_at, known.location))
        if not found.direction and known.direction is not None:
            additions.append((found.direction, found.direction_at, known.direction))
        if entries:
            additions.append((found.extras or None, found.extras_at, b"%c%b\0" % (count << 1, entries)))
        return additions

    def _region(self, found: "_Found", known: "_Known") -> str | None:
        camera, site_id = known.camera, found.site_id
        country = camera.country if camera is not None else None
        if not country:
            site = site_id.decode() if site_id else camera.site_id if camera is not None else None
            country = self._settings.site_countries.get(site) if site is not None else None
        country = country or self._settings.country
        return sole_region(found.normalized_text.decode(), country) if country else None

    def _known_of(self, camera_id: bytes) -> "_Known":
        camera = self._cameras.get(camera_id.decode())
        known = self._known.get(camera_id)
        if known is None or known.camera is not camera:
            if len(self._known) >= MAX_KEPT_CAMERAS:
                self._known.clear()
            known = self._known[camera_id] = _Known.of(camera)
        return known


class _Found(NamedTuple):
    """What the survey gives: `_WANTED`, then `_PLACES`. Text is bytes."""

    event_id: bytes
    captured_at: Micros
    camera_id: bytes
    site_id: bytes | None
    track_id: bytes | None
    text: bytes | None
    normalized_text: bytes
    confidence: float
    region: bytes | None
    characters: Characters | None
    vehicle_confidence: float | None
    lat: float | None
    lon: float
    direction: bytes | None
    first_seen_at: Micros
    last_seen_at: Micros
    reads: int
    latency_ms: float | None
    extras: int
    site_at: int
    region_at: int
    location_at: int
    direction_at: int
    extras_at: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What the registry says of a camera, as bytes of the contract; None or empty where it says nothing.

    Attributes:
        camera: the entry that this is of; None for a camera that is not registered.
        is_plain: whether its detections may be decided here: those of a capped camera are counted.
        site_id: the optional site. `location` and `direction` alike.
        extras_count: number of `extras`.
        extras: entries of `Detection.extras`.
    """

    camera: Camera | None
    is_plain: bool = True
    site_id: bytes | None = None
    location: bytes | None = None
    direction: bytes | None = None
    extras_count: int = 0
    extras: bytes = b""

    @classmethod
    def of(cls, camera: Camera | None) -> "_Known":
        """Work it out."""
        if camera is None:
            return cls(None)
        place, extras = camera.location, extras_of(camera)
        return cls(
            camera,
            is_plain=cap_of(camera) is None,
            site_id=None if camera.site_id is None else _optional(camera.site_id),
            location=None if place is None else b"\x02" + _LOCATION.pack(place.lat, place.lon),
            direction=None if camera.direction is None else _optional(camera.direction),
            extras_count=len(extras),
            extras=b"".join(_text(name) + _text(text) for name, text in extras.items()),
        )


def _is_plate(found: _Found, text: bytes) -> bool:
    observed = text if text.strip() else found.normalized_text
    return (
        observed.translate(_UPPER, _NO_PLATE_CHAR) == found.normalized_text
        and len(found.normalized_text) <= MAX_PLATE_CHARS
        and 0.0 <= found.confidence <= 1.0
        and (found.characters is None or found.characters.are_probabilities(1.0 + PROBABILITY_SLACK))
    )


def _with(value: bytes, additions: list[_Addition]) -> bytes:
    """The value with bytes in the place of the one that says that there is nothing."""
    parts: list[bytes] = []
    begin = 0
    for _, place, added in sorted(additions, key=itemgetter(1)):
        parts += (value[begin:place], added)
        begin = place + 1
    return b"".join((*parts, value[begin:]))


def _text(text: str) -> bytes:
    """A text as Avro writes it."""
    encoded = text.encode()
    return long_bytes(len(encoded)) + encoded


def _optional(text: str | None) -> bytes:
    """The same where it may be missing."""
    return b"\0" if text is None else b"\x02" + _text(text)


_REGION_ENTRY = _text(REGION_SOURCE) + _text("format")
