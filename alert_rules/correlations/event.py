"""A sighting as correlations keep it: every field that a rule can name, small enough to wait in a table.

What is unknown or as it mostly is takes no room. Left out: models of the agent, and of each character's alternatives
all but the likeliest.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.events import CharacterAlternative, Images, Location, Node, Plate, Resolved, Sighting, Vehicle

Plain = Any
"""Lists, dicts, texts, numbers, flags and None: what JSON can hold."""
MAX_EXTRA_CHARS = 200
_ALTERNATIVES = 3
to_text = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
from_text = json.JSONDecoder().decode


class Mention(NamedTuple):
    """An event that counted: when it was, and which."""

    at_us: int
    event_id: str


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of a group.

    Attributes:
        sighting: all of it that rules can name.
        tags: numbers of the correlation's own conditions (steps of a sequence, start and end of an absence, ...) that
            held when it was admitted.
        notes: texts that came with it from the stage before, or from the rule's match.
        gone: this revision of the event counts for the group no more; it is kept so that an earlier one that is read
            again does not come back.
    """

    sighting: Sighting
    tags: tuple[int, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    gone: bool = False
    _plain: Plain = field(default=None, compare=False, repr=False)
    _text: str | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, sighting: Sighting, text: str, tags: tuple[int, ...], notes: Mapping[str, str]) -> "Seen":
        """An event whose sighting is at hand as text (`sighting_text`): many rules count the same one."""
        return cls(sighting, tags, notes, False, None, _text_with(text, tags, notes))

    @property
    def at_us(self) -> int:
        """Event time."""
        return self.sighting.captured_at

    @property
    def event_id(self) -> str:
        """Of the sighting; for an event that an operator made, an id made of those that it came from."""
        return self.sighting.event_id

    @property
    def mention(self) -> Mention:
        """The event in two words."""
        return Mention(self.at_us, self.event_id)

    @property
    def order(self) -> tuple[int, str]:
        """Events are processed in this order, whatever the order in which they came."""
        return (self.at_us, self.event_id)

    def encode(self) -> Plain:
        """As plain values; what is unknown is left out."""
        if self._plain is not None:
            return self._plain
        return _with(plain_sighting(self.sighting), self.tags, self.notes, self.gone)

    def text(self) -> str:
        """`encode` as JSON."""
        return self._text if self._text is not None else to_text(self.encode())

    @classmethod
    def parse(cls, text: str) -> "Seen":
        """From JSON."""
        return cls.decode(from_text(text))

    @classmethod
    def decode(cls, body: Plain) -> "Seen":
        """From plain values."""
        return cls(_sighting(body), tuple(body.get("tags", ())), body.get("notes", {}), body.get("gone", False), body)


def _with(plain: Plain, tags: tuple[int, ...], notes: Mapping[str, str], gone: bool) -> Plain:
    body = dict(plain)
    if tags:
        body["tags"] = list(tags)
    if notes:
        body["notes"] = dict(notes)
    if gone:
        body["gone"] = True
    return body


def _text_with(text: str, tags: tuple[int, ...], notes: Mapping[str, str]) -> str:
    """A sighting's text with what one rule says of it, as `_with` would have it."""
    more = _with({}, tags, notes, False)
    return f"{text[:-1]},{to_text(more)[1:]}" if more else text


def sighting_text(seen: Sighting) -> str:
    """`plain_sighting` as JSON."""
    return to_text(plain_sighting(seen))


def plain_sighting(seen: Sighting) -> dict[str, Plain]:
    """A sighting in plain values; what is unknown is left out."""
    body: dict[str, Plain] = {
        "id": seen.event_id, "at": seen.captured_at, "rev": seen.revision, "cam": seen.camera_id, "key": seen.match_key,
        "site": seen.site_id, "dir": seen.direction, "visit": seen.visit_id, "track": seen.track_id,
        "latency": seen.latency_ms, "mark": seen.watermark, "into": seen.merged_into,
    }  # fmt: skip
    around = (seen.first_seen_at - seen.captured_at, seen.last_seen_at - seen.captured_at)
    counts = (seen.reads, seen.detections, seen.is_final)
    if around != (0, 0):
        body["around"] = around
    if counts != (1, 1, True):
        body["counts"] = counts
    if seen.node is not None:
        body["node"] = [seen.node.agent_id, seen.node.host]
    if seen.plate is not None:
        body["plate"] = _plain_plate(seen.plate)
    if seen.resolved is not None:
        body["resolved"] = [seen.resolved.text, seen.resolved.confidence, seen.resolved.previous_text]
    if seen.vehicle is not None:
        vehicle = seen.vehicle
        body["vehicle"] = [vehicle.type, vehicle.make, vehicle.model, vehicle.color, vehicle.confidence]
    if seen.images != Images():
        body["images"] = [seen.images.plate_url, seen.images.vehicle_url, seen.images.frame_url]
    if seen.location is not None:
        body["place"] = [seen.location.lat, seen.location.lon]
    if seen.extras:
        body["extras"] = {name: value[:MAX_EXTRA_CHARS] for name, value in sorted(seen.extras.items())}
    return {name: value for name, value in body.items() if value is not None}


def _plain_plate(plate: Plate) -> Plain:
    return [plate.text, plate.normalized_text, plate.confidence, plate.region, plain_characters(plate)]


def plain_characters(plate: Plate) -> Plain:
    """Of each character the likeliest alternatives, in plain values."""
    return [
        [[item.char, round(item.probability, 4)] for item in position[:_ALTERNATIVES]] for position in plate.characters
    ]


def characters_of(plain: Plain) -> tuple[tuple[CharacterAlternative, ...], ...]:
    """Alternatives from plain values."""
    return tuple([tuple([CharacterAlternative(char, share) for char, share in position]) for position in plain])


def _sighting(body: Plain) -> Sighting:
    at_us: int = body["at"]
    plate = resolved = vehicle = location = None
    if "plate" in body:
        text, normalized, confidence, region, characters = body["plate"]
        plate = Plate(text, normalized, confidence, region, characters_of(characters))
    if "resolved" in body:
        text, confidence, previous = body["resolved"]
        resolved = Resolved(text=text, confidence=confidence, previous_text=previous)
    if "vehicle" in body:
        vehicle = Vehicle(*body["vehicle"])
    if "place" in body:
        location = Location(*body["place"])
    first, last = body.get("around", (0, 0))
    reads, detections, is_final = body.get("counts", (1, 1, True))
    return Sighting(
        event_id=body["id"],
        captured_at=at_us,
        first_seen_at=at_us + first,
        last_seen_at=at_us + last,
        reads=reads,
        detections=detections,
        is_final=is_final,
        track_id=body.get("track"),
        latency_ms=body.get("latency"),
        watermark=body.get("mark"),
        merged_into=body.get("into"),
        node=Node(*body["node"]) if "node" in body else None,
        revision=body["rev"],
        camera_id=body["cam"],
        match_key=body["key"],
        site_id=body.get("site"),
        direction=body.get("dir"),
        visit_id=body.get("visit"),
        plate=plate,
        resolved=resolved,
        vehicle=vehicle,
        images=Images(*body["images"]) if "images" in body else Images(),
        location=location,
        extras=body.get("extras", {}),
    )


def plate_of(sighting: Sighting) -> str | None:
    """The plate's text, resolved where it is; None for an unreadable plate."""
    if sighting.resolved is not None and sighting.resolved.text:
        return sighting.resolved.text
    if sighting.plate is not None and sighting.plate.normalized_text:
        return sighting.plate.normalized_text
    return None
