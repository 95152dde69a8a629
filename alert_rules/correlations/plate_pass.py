"""A pass of a plate as it is compared with later ones: where, when, how sure, and what the vehicle looked like."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from alert_rules.correlations.event import Plain, Seen, characters_of, plain_characters, plate_of
from alert_rules.fields import normal_text
from schemas.events import Plate, Sighting
from schemas.identity import likelihood

LOOKS = ("make", "type", "color")
UNSTATED_CONFIDENCE = 0.5


@dataclass(frozen=True, slots=True)
class PlatePass:
    """A sighting with a readable plate.

    Attributes:
        left_us: when it was last seen there.
        place: latitude and longitude.
        text: what the plate was taken for.
        confidence: that it is so.
        read: the observed plate: normalised text, its confidence and characters, in plain values.
        looks: make, type and colour as they were written; None for what was not seen.
        looks_confidence: of all of these.
        pairs: for each pass before it that is remembered, in order, the probability that one vehicle was not at both.
    """

    at_us: int
    left_us: int
    event_id: str
    camera_id: str
    place: tuple[float, float] | None
    text: str
    confidence: float
    read: Plain
    looks: tuple[str | None, ...]
    looks_confidence: float
    pairs: tuple[float, ...] = ()

    @classmethod
    def of(cls, event: Seen) -> "PlatePass | None":
        """The pass of an event; None where no plate was read."""
        sighting = event.sighting
        text, plate, vehicle, place = plate_of(sighting), sighting.plate, sighting.vehicle, sighting.location
        if text is None or plate is None:
            return None
        looks = (None, None, None) if vehicle is None else (vehicle.make, vehicle.type, vehicle.color)
        sure = vehicle.confidence if vehicle is not None else None
        return cls(
            at_us=event.at_us,
            left_us=sighting.last_seen_at,
            event_id=event.event_id,
            camera_id=sighting.camera_id,
            place=None if place is None else (place.lat, place.lon),
            text=text,
            confidence=_confidence(sighting),
            read=[plate.normalized_text, plate.confidence, plain_characters(plate)],
            looks=looks,
            looks_confidence=UNSTATED_CONFIDENCE if sure is None else sure,
        )

    def against(self, pairs: Sequence[float]) -> "PlatePass":
        """The same, compared with those before it."""
        return replace(self, pairs=tuple(pairs))

    def without(self, oldest: int) -> "PlatePass":
        """The same, once the oldest so many of those before it are forgotten."""
        return replace(self, pairs=self.pairs[oldest:]) if oldest and self.pairs else self

    def alike(self, other: "PlatePass") -> float:
        """Likelihood of one text as a misread of the other, the better of both ways; 1 for the same text."""
        if self.text == other.text:
            return 1.0
        return max(likelihood(self._plate(), other.text), likelihood(other._plate(), self.text))

    def differences(self, other: "PlatePass") -> Iterator[tuple[int, str]]:
        """In what they look different: place in `LOOKS`, and both in words. The unknown is no difference."""
        for place, (mine, its) in enumerate(zip(self.looks, other.looks, strict=True)):
            if mine and its and mine != its and normal_text(mine) != normal_text(its):
                yield place, f"{mine} and {its}"

    def _plate(self) -> Plate:
        text, confidence, characters = self.read
        return Plate(text, text, confidence, None, characters_of(characters))

    def dump(self) -> Plain:
        """Lists."""
        place = None if self.place is None else list(self.place)
        return [
            self.at_us, self.left_us, self.event_id, self.camera_id, place, self.text, self.confidence, self.read,
            list(self.looks), self.looks_confidence, list(self.pairs),
        ]  # fmt: skip

    @classmethod
    def load(cls, plain: Plain) -> "PlatePass":
        """From lists."""
        at_us, left_us, event_id, camera_id, place, text, confidence, read, looks, sure, pairs = plain
        where = None if place is None else (place[0], place[1])
        return cls(at_us, left_us, event_id, camera_id, where, text, confidence, read, tuple(looks), sure, tuple(pairs))


def _confidence(sighting: Sighting) -> float:
    if sighting.resolved is not None:
        return sighting.resolved.confidence
    return sighting.plate.confidence if sighting.plate is not None else 0.0
