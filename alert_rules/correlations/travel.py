"""impossible_travel and cloned_plate: one plate at two places between which nobody can have driven in that time.

Two reads of one plate are either one vehicle, two vehicles with one plate (a clone), or a misread. What is scored is

    P(the plate is on both) x (1 - P(one vehicle could have been at both))

- the first factor subtracts the misread: confidence of both reads times their likelihood as each other's plate
  (`schemas.identity.likelihood`);
- the second comes from the time that the way takes at least: from a table of travel times, or the distance as the crow
  flies times a detour, at the highest speed. The time that there was is lengthened by the cameras' clock skew. As fast
  as possible is possible; `CERTAIN` times as fast is impossible; in between the probability grows evenly;
- a cloned plate is also contradicted by another make, type or colour, each with the probability that the two
  descriptions of one vehicle do not differ like that (`CONTRADICTIONS`), weighed with the confidence of both.

Distance on the sphere: R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (2), 1984.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import asin, cos, radians, sin, sqrt

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Plain, Seen, plate_of
from alert_rules.correlations.operator import Firing, Result, Timeless
from alert_rules.fields import normal_text
from schemas.clock import MICROS_PER_S
from schemas.events import ConditionProof, Location, Sighting, Vehicle
from schemas.identity import likelihood

EARTH_KM = 6371.0088
CERTAIN = 1.5
"""So many times faster than the highest speed is surely no drive."""
CONTRADICTIONS = {"make": 0.6, "type": 0.4, "color": 0.3}
"""Probability that two descriptions which differ in this are of two vehicles, both being sure."""
UNSTATED_CONFIDENCE = 0.5
Last = Seen | None


@dataclass(frozen=True, slots=True)
class Travel(Timeless):
    """Compares each sighting of a plate with the one before it at another camera.

    Attributes:
        within_us: an older sighting is not compared with.
        probability: least score of an alert.
        max_speed_kmh: nobody drives faster between two cameras.
        detour: road over crow's flight.
        skew_us: by which the clocks of two cameras may differ.
        times_us: camera to camera, least travel time; goes before distance.
        look: whether make, type and colour count.
    """

    within_us: int
    probability: float = 0.6
    max_speed_kmh: float = 160.0
    detour: float = 1.2
    skew_us: int = 30 * MICROS_PER_S
    times_us: tuple[tuple[str, str, int], ...] = ()
    look: bool = False
    _table: dict[tuple[str, str], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_table", {(start, end): time for start, end, time in self.times_us})

    def start(self) -> Last:
        """Not seen."""
        return None

    def on_event(self, state: Last, event: Seen) -> tuple[Last, Iterable[Result]]:
        """Compare with the sighting before."""
        if state is None or event.at_us - state.at_us > self.within_us:
            return event, ()
        if state.sighting.camera_id == event.sighting.camera_id and not self.look:
            return event, ()
        fired = self._compare(state, event)
        return event, (fired,) if fired is not None else ()

    def _compare(self, before: Seen, event: Seen) -> Firing | None:
        left_us = max(before.at_us, min(before.sighting.last_seen_at, event.at_us))
        had_us = event.at_us - left_us + self.skew_us
        distance_km = _distance_km(before.sighting.location, event.sighting.location)
        needed_us = self._needed_us(before.sighting.camera_id, event.sighting.camera_id, distance_km)
        impossible = _impossible(needed_us, had_us)
        contradictions = list(_contradictions(before.sighting.vehicle, event.sighting.vehicle)) if self.look else []
        could_be_one = 1.0 - impossible
        for _, probability in contradictions:
            could_be_one *= 1.0 - probability
        same_plate = _same_plate(before.sighting, event.sighting)
        score = same_plate * (1.0 - could_be_one)
        if score < self.probability or score == 0.0:
            return None
        speed_kmh = distance_km / (had_us / MICROS_PER_S / 3600) if distance_km is not None and had_us else None
        proofs = [ConditionProof("probability", ">=", f"{self.probability:g}", f"{score:.3g}")]
        if needed_us is not None:
            away = f"{distance_km:.1f} km, " if distance_km is not None else ""
            observed = f"{away}{span(had_us)} with {span(self.skew_us)} of clock skew"
            proofs.append(ConditionProof("travel time", ">=", span(needed_us), observed))
        proofs.append(ConditionProof("misread", "probability", "", f"{1.0 - same_plate:.3g}"))
        proofs += [ConditionProof(f"vehicle_{name}", "differs", "", words) for (name, words), _ in contradictions]
        values = {
            "distance_km": None if distance_km is None else round(distance_km, 1),
            "speed_kmh": None if speed_kmh is None else round(speed_kmh),
            "probability": score,
            "duration": span(event.at_us - before.at_us),
            "other_camera": before.sighting.camera_id,
            "first_at": before.at_us,
            "count": 2,
        }
        return Firing(event.at_us, event.event_id, event, (before.mention, event.mention), tuple(proofs), values)

    def _needed_us(self, start: str, end: str, distance_km: float | None) -> int | None:
        """The time that the way takes at least; None where it is unknown."""
        if start == end:
            return 0
        stated = self._table.get((start, end))
        if stated is not None or distance_km is None:
            return stated
        return round(distance_km * self.detour / self.max_speed_kmh * 3600 * MICROS_PER_S)

    def keep_until_us(self, state: Last) -> int | None:
        """Until the sighting is too old."""
        return None if state is None else state.at_us + self.within_us

    def dump(self, state: Last) -> Plain:
        """The sighting."""
        return None if state is None else state.encode()

    def load(self, plain: Plain) -> Last:
        """The sighting."""
        return None if plain is None else Seen.decode(plain)

    def words(self, state: Last) -> str:
        """Where it was."""
        return "not seen" if state is None else f"last at {state.sighting.camera_id}"

    def describe(self) -> str:
        """Such as ``faster than 160 km/h between two cameras, probability >= 0.6``."""
        looks = " or another vehicle" if self.look else ""
        return (
            f"faster than {self.max_speed_kmh:g} km/h between two cameras{looks}, probability >= {self.probability:g}"
        )

    def canonical(self) -> Plain:
        """All of it."""
        table = sorted([list(each) for each in self.times_us])
        return [
            "travel", self.within_us, self.probability, self.max_speed_kmh, self.detour, self.skew_us, table, self.look
        ]  # fmt: skip


def _impossible(needed_us: int | None, had_us: int) -> float:
    """Probability that nobody has driven that."""
    if needed_us is None or needed_us <= had_us:
        return 0.0
    if had_us <= 0:
        return 1.0
    return min(1.0, (needed_us / had_us - 1.0) / (CERTAIN - 1.0))


def _same_plate(one: Sighting, other: Sighting) -> float:
    """Probability that both vehicles carry the plate: both reads are right, or each other's misread."""
    text_one, text_other = plate_of(one), plate_of(other)
    if text_one is None or text_other is None or one.plate is None or other.plate is None:
        return 0.0
    alike = 1.0
    if text_one != text_other:
        alike = max(likelihood(one.plate, text_other), likelihood(other.plate, text_one))
    return alike * _confidence(one) * _confidence(other)


def _confidence(sighting: Sighting) -> float:
    if sighting.resolved is not None:
        return sighting.resolved.confidence
    return sighting.plate.confidence if sighting.plate is not None else 0.0


def _contradictions(one: Vehicle | None, other: Vehicle | None) -> Iterator[tuple[tuple[str, str], float]]:
    if one is None or other is None:
        return
    sure = _stated(one) * _stated(other)
    for name, probability in CONTRADICTIONS.items():
        before, after = getattr(one, name), getattr(other, name)
        if before and after and normal_text(before) != normal_text(after):
            yield (name, f"{before} and {after}"), probability * sure


def _stated(vehicle: Vehicle) -> float:
    return UNSTATED_CONFIDENCE if vehicle.confidence is None else vehicle.confidence


def _distance_km(one: Location | None, other: Location | None) -> float | None:
    if one is None or other is None:
        return None
    north, east = radians(other.lat - one.lat), radians(other.lon - one.lon)
    half = sin(north / 2) ** 2 + cos(radians(one.lat)) * cos(radians(other.lat)) * sin(east / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))
