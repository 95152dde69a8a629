"""Messages of NVIDIA DeepStream's message converter (Gst-nvmsgconv) as detections.

Both JSON payloads are taken:

* minimal (``PAYLOAD_DEEPSTREAM_MINIMAL``): one frame, ``objects`` is a list of texts
  ``trackingId|left|top|right|bottom|objectType|#|attributes...|confidence``; a vehicle has the attributes type, make,
  model, color, license and region;
* full (``PAYLOAD_DEEPSTREAM``): one object a message, with ``sensor``, ``place``, ``analyticsModule``, ``object`` and
  ``event``.

Newer releases (``msg2p-newapi``) name the object by the detector's label and its attributes by the classifier's type;
those names are taken as well, and so is a plate that is an object of its own, as a chain of LPDNet and LPRNet gives it.

Sources: "Gst-nvmsgconv", DeepStream SDK developer guide; ``deepstream_schema/eventmsg_payload.cpp`` and
``dsmeta_payload.cpp`` of the SDK; "JSON Schema" of the Metropolis documentation.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any

from schemas.clock import Micros, parse_time
from schemas.errors import SchemaError
from schemas.events import Detection, Location, Node, Plate, Vehicle
from schemas.identity import MAX_PLATE_CHARS, normalise
from schemas.keys import frame_object_id

MAX_OBJECTS = 200
"""Most objects of a frame; DeepStream's own batches hold fewer."""
MAX_EXTRA_CHARS = 256
SEPARATOR = "|"
ATTRIBUTES_MARK = "#"
VEHICLE_LABELS = frozenset({"vehicle", "car", "truck", "bus", "van", "motorcycle", "motorbike", "twowheeler"})
PLATE_LABELS = frozenset({"licenseplate", "plate", "numberplate", "lpd", "lp"})
UNTRACKED = frozenset({"", "-1", "18446744073709551615"})
"""Tracking ids that say that there is none: -1, and the same as an unsigned number of 64 bits."""
_VEHICLE_ATTRIBUTES = ("type", "make", "model", "color", "license", "region")
_PLATE_ATTRIBUTES = ("license", "region")
_ALIASES = {
    "type": ("type", "vehicletype", "vehicletypes"),
    "make": ("make", "carmake", "vehiclemake"),
    "model": ("model", "carmodel", "vehiclemodel"),
    "color": ("color", "carcolor", "vehiclecolor", "colour"),
    "license": ("license", "licenseplate", "lpr", "plate", "text"),
    "region": ("licensestate", "region", "state"),
}


@dataclass(frozen=True, slots=True)
class FrameObject:
    """What a message says about one object, or why it cannot be read.

    Attributes:
        place: of the object in the frame, from 0.
        detection: None where the object is neither vehicle nor plate (people, road signs), or is wrong.
        error: what is wrong with it.
    """

    place: int
    detection: Detection | None = None
    error: SchemaError | None = None


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the objects of a message have in common."""

    captured_at: Micros
    camera_id: str
    name: str
    location: Location | None = None
    node: Node | None = None
    is_final: bool = False
    extras: dict[str, str] = field(default_factory=dict)


def is_deepstream(body: dict[str, Any]) -> bool:
    """Whether a JSON object is a message of nvmsgconv in one of its two forms."""
    if isinstance(body.get("objects"), list):
        return "sensorId" in body or isinstance(body.get("sensor"), str | dict)
    return isinstance(body.get("object"), dict) and ("mdsversion" in body or isinstance(body.get("sensor"), dict))


def objects_of(body: dict[str, Any]) -> tuple[FrameObject, ...]:
    """The objects of a message, in their order; one that is wrong does not take its neighbours with it.

    No detection of these is final: DeepStream reports an object again and again, and only an ``exit`` event ends it.
    Confidence is the converter's single number, for vehicle and plate alike; a negative one is none.

    Raises:
        SchemaError: sensor or time are missing or wrong, or there are too many objects; nothing of it can be read.
    """
    if isinstance(body.get("objects"), list):
        return _minimal(body)
    return _full(body)


def _minimal(body: dict[str, Any]) -> tuple[FrameObject, ...]:
    lines = body["objects"]
    if len(lines) > MAX_OBJECTS:
        raise SchemaError(f"objects has {len(lines)} entries; a frame has at most {MAX_OBJECTS}")
    captured_at, sensor, number = _time(body), _sensor_id(body), _text(body.get("id"), "id")
    extras = {"frame": number} if number else {}
    frame = _Frame(captured_at, sensor, f"{number}@{captured_at}", extras=extras)
    return tuple(_guarded(place, lambda line=line, place=place: _line(line, frame, place))
                 for place, line in enumerate(lines))  # fmt: skip


def _line(line: Any, frame: _Frame, place: int) -> Detection | None:
    where = f"objects[{place}]"
    if not isinstance(line, str):
        raise SchemaError(f"{where} must be text with {SEPARATOR!r} between its parts, not {line!r:.60}")
    parts = [part.strip() for part in line.split(SEPARATOR)]
    if len(parts) < 6:
        raise SchemaError(f"{where} has {len(parts)} parts; an object has at least 6: {line!r:.80}")
    label = _label(parts[5])
    if label not in VEHICLE_LABELS | PLATE_LABELS:
        return None
    attributes: dict[str, str] = {}
    confidence = None
    extras = {"bbox": ",".join(parts[1:5])}
    given = parts[7:] if parts[6:7] == [ATTRIBUTES_MARK] else []
    if given:
        *values, last = given
        confidence = _confidence(last, f"{where}: confidence")
        names = _VEHICLE_ATTRIBUTES if label in VEHICLE_LABELS else _PLATE_ATTRIBUTES
        if label in PLATE_LABELS or len(values) == len(names):
            attributes = dict(zip(names, values, strict=False))
        elif values:  # classifiers in an order that only the pipeline knows
            extras["labels"] = SEPARATOR.join(values)
    return _detection(frame, place, parts[0], label, attributes, confidence, extras)


def _full(body: dict[str, Any]) -> tuple[FrameObject, ...]:
    frame = _full_frame(body)
    return (_guarded(0, lambda: _object(body["object"], frame)),)


def _full_frame(body: dict[str, Any]) -> _Frame:
    captured_at, sensor_id = _time(body), _sensor_id(body)
    sensor = body.get("sensor")
    event = body.get("event")
    kind = _text(event.get("type"), "event.type") if isinstance(event, dict) else ""
    extras = {"event": kind, "video": _text(body.get("videoPath"), "videoPath"), **_place(body.get("place"))}
    name = _text(body.get("messageid"), "messageid") or str(captured_at)
    return _Frame(
        captured_at,
        sensor_id,
        name,
        location=_location(sensor.get("location")) if isinstance(sensor, dict) else None,
        node=_node(body.get("analyticsModule")),
        is_final=kind.lower() == "exit",
        extras={key: value for key, value in extras.items() if value},
    )


def _object(body: dict[str, Any], frame: _Frame) -> Detection | None:
    known = {_label(name): value for name, value in body.items()}
    label = next((name for name in known if name in VEHICLE_LABELS | PLATE_LABELS), None)
    if label is None:
        return None
    given = known[label]
    if not isinstance(given, dict):
        raise SchemaError(f"object.{label} must be an object, not {given!r:.60}")
    named = {_label(name): value for name, value in given.items()}
    attributes = {}
    for name, aliases in _ALIASES.items():
        found = next((named[alias] for alias in aliases if named.get(alias) not in (None, "")), None)
        attributes[name] = _text(found, f"object.{label}.{name}")
    confidence = _confidence(given["confidence"], f"object.{label}.confidence") if "confidence" in given else None
    box = body.get("bbox")
    extras = {}
    if isinstance(box, dict):
        sides = [box.get(side) for side in ("topleftx", "toplefty", "bottomrightx", "bottomrighty")]
        extras["bbox"] = ",".join(f"{side:g}" for side in sides if isinstance(side, int | float))
    return _detection(frame, 0, _text(body.get("id"), "object.id"), label, attributes, confidence, extras)


def _detection(
    frame: _Frame,
    place: int,
    track: str,
    label: str,
    attributes: dict[str, str],
    confidence: float | None,
    extras: dict[str, str],
) -> Detection:
    text = attributes.get("license", "")
    plate = None
    if text:
        count = len(normalise(text))
        if count > MAX_PLATE_CHARS:
            raise SchemaError(f"license has {count} letters and digits; a plate has at most {MAX_PLATE_CHARS}")
        region = attributes.get("region") or None
        plate = Plate(text, normalise(text), 0.0 if confidence is None else confidence, region)
    vehicle = None
    if label in VEHICLE_LABELS:
        kind, make, model, color = (attributes.get(name) or None for name in _VEHICLE_ATTRIBUTES[:4])
        vehicle = Vehicle(kind or (label if label != "vehicle" else None), make, model, color, confidence)
    return Detection(
        event_id=frame_object_id(frame.camera_id, frame.name, f"{place}/{track}"),
        captured_at=frame.captured_at,
        camera_id=frame.camera_id,
        track_id=None if track in UNTRACKED else track,
        plate=plate,
        vehicle=vehicle,
        location=frame.location,
        first_seen_at=frame.captured_at,
        last_seen_at=frame.captured_at,
        node=frame.node,
        is_final=frame.is_final,
        extras={name: value[:MAX_EXTRA_CHARS] for name, value in {**frame.extras, **extras}.items() if value},
    )


def _guarded(place: int, read: Any) -> FrameObject:
    try:
        return FrameObject(place, detection=read())
    except SchemaError as error:
        return FrameObject(place, error=error)


def _time(body: dict[str, Any]) -> Micros:
    value = body.get("@timestamp", body.get("timestamp"))
    if value is None:
        raise SchemaError("@timestamp is missing: when was it seen?")
    if not isinstance(value, str | int | float):
        raise SchemaError(f"@timestamp must be a time, not {value!r:.60}")
    try:
        return parse_time(value)
    except (ValueError, OverflowError) as error:
        raise SchemaError(f"@timestamp: {value!r:.60} is no time ({error})") from error


def _sensor_id(body: dict[str, Any]) -> str:
    sensor = body.get("sensorId", body.get("sensor"))
    if isinstance(sensor, dict):
        sensor = sensor.get("id")
    found = _text(sensor, "sensorId")
    if not found:
        raise SchemaError("sensorId (or sensor.id) is missing: which camera saw it?")
    return found


def _place(place: Any) -> dict[str, str]:
    if not isinstance(place, dict):
        return {}
    found = {"place": _text(place.get("name"), "place.name")}
    for part in ("info", "entrance", "aisle", "parkingSpot"):
        inner = place.get(part)
        if isinstance(inner, dict):
            found.update({name: _text(inner.get(name), f"place.{part}.{name}") for name in ("lane", "level")})
    return found


def _location(place: Any) -> Location | None:
    if not isinstance(place, dict):
        return None
    lat, lon = place.get("lat"), place.get("lon")
    if not all(isinstance(side, int | float) and not isinstance(side, bool) for side in (lat, lon)):
        return None
    if lat == 0 and lon == 0:  # the converter's value for a place that nobody configured
        return None
    return Location(float(lat), float(lon))  # type: ignore[arg-type]  # numbers: checked above, which mypy cannot see


def _node(module: Any) -> Node | None:
    if not isinstance(module, dict):
        return None
    name = _text(module.get("id"), "analyticsModule.id")
    source = _text(module.get("source"), "analyticsModule.source")
    version = _text(module.get("version"), "analyticsModule.version")
    return Node(name or "deepstream", models={source: version} if source else {})


def _label(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _confidence(value: Any, where: str) -> float | None:
    """A probability; percentages are scaled, a negative number (no confidence known) is None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise SchemaError(f"{where} must be a number, not {value!r:.60}")
    try:
        number = float(value) if value != "" else -1.0
    except (ValueError, OverflowError) as error:
        raise SchemaError(f"{where} must be a number, not {value!r:.60}") from error
    if math.isnan(number) or number > 100:
        raise SchemaError(f"{where} is {value!r:.60}; it must lie between 0 and 1")
    if number < 0:
        return None
    return number / 100 if number > 1 else number


def _text(value: Any, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise SchemaError(f"{where} must be text, not {json.dumps(value)!r:.60}")
    text = str(value).strip()
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise SchemaError(f"{where} holds half a surrogate pair: not valid Unicode")
    return text
