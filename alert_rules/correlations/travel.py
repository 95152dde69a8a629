"""impossible_travel and cloned_plate: one plate at places between which nobody can have driven in that time.

Reads of one plate are either one vehicle, two vehicles with one plate (a clone), or some are misreads of other plates.
What is scored is the probability that those reads of the last `MAX_PASSES` which are right cannot be one vehicle
(`alert_rules.correlations.one_vehicle`). For two reads that is

    P(both are this plate) x (1 - P(one vehicle could have been at both))

and with every read that would have to be wrong for the rest to be one vehicle the misread is less likely:

- a read is right with its confidence, less `misread`: the share of a plate's reads that are misreads of other,
  near plates. Where near plates are common it is high, and one contradiction proves little;
- texts that differ count with their likelihood as each other's plate (`schemas.identity.likelihood`);
- a way takes at least the time from a table of travel times, or the distance as the crow flies times a detour, at the
  highest speed. The time that there was is lengthened by the cameras' clock skew. As fast as possible is possible;
  `CERTAIN` times as fast is impossible; in between the probability grows evenly;
- a cloned plate is also contradicted by another make, type or colour, each with the probability that the two
  descriptions of one vehicle do not differ like that (`CONTRADICTIONS`), weighed with the confidence of both.

Distance on the sphere: R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (2), 1984.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import asin, cos, radians, sin, sqrt

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.one_vehicle import contradiction
from alert_rules.correlations.operator import Firing, Result, Timeless, shorten
from alert_rules.correlations.plate_pass import LOOKS, PlatePass
from schemas.clock import MICROS_PER_S
from schemas.events import ConditionProof

EARTH_KM = 6371.0088
CERTAIN = 1.5
"""So many times faster than the highest speed is surely no drive."""
CONTRADICTIONS = (0.6, 0.4, 0.3)
"""Probability that two descriptions which differ in make, type or colour are of two vehicles, both being sure."""
MAX_PASSES = 8
"""Passes of a plate that are compared: the latest."""
Passes = tuple[PlatePass, ...]


@dataclass(frozen=True, slots=True)
class Travel(Timeless):
    """Compares each sighting of a plate with those before it.

    Attributes:
        within_us: an older sighting is not compared with.
        probability: least score of an alert.
        max_speed_kmh: nobody drives faster between two cameras.
        detour: road over crow's flight.
        skew_us: by which the clocks of two cameras may differ.
        times_us: camera to camera, least travel time; goes before distance.
        look: whether make, type and colour count.
        misread: share of a plate's reads that are misreads of others.
    """

    within_us: int
    probability: float = 0.6
    max_speed_kmh: float = 160.0
    detour: float = 1.2
    skew_us: int = 30 * MICROS_PER_S
    times_us: tuple[tuple[str, str, int], ...] = ()
    look: bool = False
    misread: float = 0.0
    _table: dict[tuple[str, str], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_table", {(start, end): time for start, end, time in self.times_us})

    def start(self) -> Passes:
        """Not seen."""
        return ()

    def on_event(self, state: Passes, event: Seen) -> tuple[Passes, Iterable[Result]]:
        """Compare with the sightings before."""
        kept = [each for each in state if event.at_us - each.at_us <= self.within_us]
        before = [each.without(len(state) - len(kept)) for each in kept]
        now = PlatePass.of(event)
        if now is None:
            return tuple(before), ()
        now = now.against([self._contradicts(each, now) for each in before])
        fired = self._compare(before, now, event) if any(now.pairs) else None
        passes = (*before, now)
        if len(passes) > MAX_PASSES:
            passes = tuple(each.without(1) for each in passes[1:])
        return passes, (fired,) if fired is not None else ()

    def _compare(self, before: list[PlatePass], now: PlatePass, event: Seen) -> Firing | None:
        passes = (*before, now)
        right = [each.confidence * (1.0 - self.misread) for each in passes]
        pairs = [each.pairs for each in passes]
        score = contradiction(right, pairs)
        if score < self.probability or score <= contradiction(right[:-1], pairs[:-1]):
            return None
        at = max(range(len(before)), key=lambda place: (now.pairs[place], place))
        return self._firing(passes, at, right[at] * right[-1], score, event)

    def _firing(self, passes: Passes, at: int, both_right: float, score: float, event: Seen) -> Firing:
        """The proof names all passes that were compared, and what speaks most of the last one and an earlier one."""
        other, now = passes[at], passes[-1]
        had_us = self._had_us(other, now)
        distance_km = _distance_km(other, now)
        needed_us = self._needed_us(other, now)
        same_plate = both_right * other.alike(now)
        speed_kmh = distance_km / (had_us / MICROS_PER_S / 3600) if distance_km is not None and had_us else None
        proofs = [ConditionProof("probability", ">=", f"{self.probability:g}", f"{score:.3g}")]
        if needed_us is not None:
            away = f"{distance_km:.1f} km, " if distance_km is not None else ""
            observed = f"{away}{span(had_us)} with {span(self.skew_us)} of clock skew"
            proofs.append(ConditionProof("travel time", ">=", span(needed_us), observed))
        proofs.append(ConditionProof("misread", "probability", "", f"{1.0 - same_plate:.3g}"))
        if self.look:
            proofs += [
                ConditionProof(f"vehicle_{LOOKS[place]}", "differs", "", words)
                for place, words in other.differences(now)
            ]
        values = {
            "distance_km": None if distance_km is None else round(distance_km, 1),
            "speed_kmh": None if speed_kmh is None else round(speed_kmh),
            "probability": score,
            "duration": span(now.at_us - other.at_us),
            "other_camera": other.camera_id,
            "first_at": other.at_us,
            "count": len(passes),
        }
        mentions = shorten([Mention(each.at_us, each.event_id) for each in passes])
        return Firing(event.at_us, event.event_id, event, mentions, tuple(proofs), values)

    def _contradicts(self, before: PlatePass, now: PlatePass) -> float:
        """Probability that one vehicle was not at both, if both reads are right."""
        needed_us = self._needed_us(before, now)
        could_be_one = 1.0 - _impossible(needed_us, self._had_us(before, now))
        if self.look:
            sure = before.looks_confidence * now.looks_confidence
            for place, _ in before.differences(now):
                could_be_one *= 1.0 - CONTRADICTIONS[place] * sure
        return (1.0 - could_be_one) * before.alike(now) if could_be_one < 1.0 else 0.0

    def _had_us(self, before: PlatePass, now: PlatePass) -> int:
        left_us = max(before.at_us, min(before.left_us, now.at_us))
        return now.at_us - left_us + self.skew_us

    def _needed_us(self, before: PlatePass, now: PlatePass) -> int | None:
        """The time that the way takes at least; None where it is unknown."""
        if before.camera_id == now.camera_id:
            return 0
        stated = self._table.get((before.camera_id, now.camera_id))
        if stated is not None:
            return stated
        distance_km = _distance_km(before, now)
        if distance_km is None:
            return None
        return round(distance_km * self.detour / self.max_speed_kmh * 3600 * MICROS_PER_S)

    def keep_until_us(self, state: Passes) -> int | None:
        """Until the last sighting is too old."""
        return state[-1].at_us + self.within_us if state else None

    def dump(self, state: Passes) -> Plain:
        """Lists."""
        return [each.dump() for each in state]

    def load(self, plain: Plain) -> Passes:
        """From lists."""
        return tuple(PlatePass.load(each) for each in plain)

    def words(self, state: Passes) -> str:
        """Where it was."""
        return f"last at {state[-1].camera_id}" if state else "not seen"

    def describe(self) -> str:
        """Such as ``faster than 160 km/h between two cameras, probability >= 0.6``."""
        looks = " or another vehicle" if self.look else ""
        return (
            f"faster than {self.max_speed_kmh:g} km/h between two cameras{looks}, probability >= {self.probability:g}"
        )

    def canonical(self) -> Plain:
        """All of it; the name changes with what the state is."""
        table = sorted([list(each) for each in self.times_us])
        return [
            "travel of passes", self.within_us, self.probability, self.max_speed_kmh, self.detour, self.skew_us, table,
            self.look, self.misread,
        ]  # fmt: skip


def _impossible(needed_us: int | None, had_us: int) -> float:
    """Probability that nobody has driven that."""
    if needed_us is None or needed_us <= had_us:
        return 0.0
    if had_us <= 0:
        return 1.0
    return min(1.0, (needed_us / had_us - 1.0) / (CERTAIN - 1.0))


def _distance_km(one: PlatePass, other: PlatePass) -> float | None:
    if one.place is None or other.place is None:
        return None
    (lat, lon), (other_lat, other_lon) = one.place, other.place
    north, east = radians(other_lat - lat), radians(other_lon - lon)
    half = sin(north / 2) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(east / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))
