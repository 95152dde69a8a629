"""Who drives in the city: plates, looks, trips; among them clones, convoys and listed vehicles, with labels.

Plates are dense: the city's own series holds one vehicle in `DENSITY` of its plates, so that a misread often is
somebody else's plate. That is what makes clones hard.
"""

import random
import string
from dataclasses import dataclass, field

from bench.city.roads import SIZE, Crossing

LETTERS = "".join(sorted(set(string.ascii_uppercase) - set("IOQ")))
"""Most countries leave these out of their series."""
DENSITY = 0.02
LOCAL = 0.7
"""Share of vehicles with a plate of the city's own series; the others' are of anywhere."""
LOOKS = tuple((make, kind) for make, kind in (
    ("volkswagen", "car"), ("toyota", "car"), ("ford", "car"), ("renault", "car"), ("skoda", "car"), ("bmw", "car"),
    ("mercedes", "van"), ("ford", "van"), ("man", "truck"),
))  # fmt: skip
COLORS = ("white", "black", "silver", "grey", "blue", "red", "green")
DAY_S = (5 * 3600, 23 * 3600)
"""First departure and last."""
CLONE_LOOKS_SAME = 0.5
"""Who clones a plate may look for one of a like vehicle."""
CLONE_TRIPS = 12
"""A plate is worth cloning where its vehicle is on the road all day, such as a taxi or a van."""
CONVOY_GAP_S = (2.0, 12.0)
CONVOY_TRIPS = 3


@dataclass(frozen=True, slots=True)
class Trip:
    """One drive.

    Attributes:
        leaves_s: second of the day.
        follows_s: seconds behind the vehicle that leads a convoy; None for a driver who chooses his own way.
        leader: that vehicle's number.
    """

    leaves_s: float
    start: Crossing
    end: Crossing
    follows_s: float | None = None
    leader: int = -1


@dataclass(frozen=True, slots=True)
class CityVehicle:
    """A vehicle with what is true of it."""

    number: int
    plate: str
    make: str
    kind: str
    color: str
    trips: tuple[Trip, ...]


@dataclass(slots=True)
class Population:
    """Everybody, and the labels.

    Attributes:
        clones: plate to the numbers of its two vehicles.
        convoys: pairs of plates, sorted, that drive together on purpose.
        listed: plates of the watchlist, also of vehicles that are elsewhere.
    """

    vehicles: list[CityVehicle] = field(default_factory=list)
    clones: dict[str, tuple[int, int]] = field(default_factory=dict)
    convoys: set[tuple[str, str]] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each."""

    vehicles: int = 6000
    clones: int = 30
    convoys: int = 40
    listed_here: int = 200
    listed_elsewhere: int = 5000


def populate(size: Size, dice: random.Random) -> Population:
    """Vehicles with their plates and trips."""
    plates = _plates(size, dice)
    here, elsewhere = plates[: size.vehicles], plates[size.vehicles :]
    found = Population(listed={*dice.sample(here, size.listed_here), *elsewhere})
    for plate in here:
        _add(found, plate, _errands(dice, dice.choice((2, 2, 2, 3, 4, 4, 6))), dice)
    for original in dice.sample(found.vehicles, size.clones):
        replaced = CityVehicle(
            original.number, original.plate, original.make, original.kind, original.color, _errands(dice, CLONE_TRIPS)
        )
        found.vehicles[original.number] = replaced
        like = original if dice.random() < CLONE_LOOKS_SAME else None
        clone = _add(found, original.plate, _errands(dice, CLONE_TRIPS), dice, like)
        found.clones[original.plate] = (original.number, clone.number)
    cloned = set(found.clones)
    honest = [vehicle for vehicle in found.vehicles if vehicle.plate not in cloned]
    chosen = dice.sample(honest, 2 * size.convoys)
    for leader, follower in zip(chosen[::2], chosen[1::2], strict=True):
        together = _errands(dice, CONVOY_TRIPS)
        found.vehicles[leader.number] = _with(leader, together)
        behind = tuple(
            Trip(trip.leaves_s, trip.start, trip.end, dice.uniform(*CONVOY_GAP_S), leader.number) for trip in together
        )
        found.vehicles[follower.number] = _with(follower, behind)
        a, b = sorted((leader.plate, follower.plate))
        found.convoys.add((a, b))
    return found


def _with(vehicle: CityVehicle, trips: tuple[Trip, ...]) -> CityVehicle:
    return CityVehicle(vehicle.number, vehicle.plate, vehicle.make, vehicle.kind, vehicle.color, trips)


def _add(
    found: Population, plate: str, trips: tuple[Trip, ...], dice: random.Random, like: CityVehicle | None = None
) -> CityVehicle:
    make, kind = (like.make, like.kind) if like is not None else dice.choice(LOOKS)
    color = like.color if like is not None else dice.choice(COLORS)
    vehicle = CityVehicle(len(found.vehicles), plate, make, kind, color, trips)
    found.vehicles.append(vehicle)
    return vehicle


def _errands(dice: random.Random, trips: int) -> tuple[Trip, ...]:
    """From home to somewhere and on, at last home again; busiest in the morning and the late afternoon."""
    home = here = _crossing(dice)
    made: list[Trip] = []
    for number, planned_s in enumerate(sorted(_departure(dice) for _ in range(trips))):
        there = home if number == trips - 1 and here != home else _crossing(dice, here)
        leaves_s = planned_s
        if made and planned_s - made[-1].leaves_s < 3600:  # nobody leaves before he has come
            leaves_s = made[-1].leaves_s + dice.uniform(3600, 5400)
        made.append(Trip(leaves_s, here, there))
        here = there
    return tuple(made)


def _departure(dice: random.Random) -> float:
    peak = dice.choice((8 * 3600, 17 * 3600, None))
    at = dice.uniform(*DAY_S) if peak is None else dice.gauss(peak, 4500)
    return min(max(at, DAY_S[0]), DAY_S[1])


def _crossing(dice: random.Random, other: Crossing | None = None) -> Crossing:
    """Anywhere, and not near another one."""
    while True:
        found = (dice.randrange(SIZE), dice.randrange(SIZE))
        if other is None or abs(found[0] - other[0]) + abs(found[1] - other[1]) >= 5:
            return found


def _plates(size: Size, dice: random.Random) -> list[str]:
    """Different plates; those of the city share their first letters."""
    number = size.vehicles + size.listed_elsewhere
    blocks = max(1, round(size.vehicles * LOCAL / DENSITY / 10_000))
    town = dice.choice(LETTERS)
    series = [town + "".join(dice.choice(LETTERS) for _ in range(2)) for _ in range(blocks)]
    found: dict[str, None] = {}
    while len(found) < number:
        local = dice.random() < LOCAL and len(found) < size.vehicles
        first = dice.choice(series) if local else "".join(dice.choice(LETTERS) for _ in range(3))
        found[first + "".join(dice.choice(string.digits) for _ in range(4))] = None
    return list(found)
