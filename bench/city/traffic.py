"""A day in the city: who passes which camera when, and what the cameras make of it."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from agents.decisions.plate_vote import resolve_one
from bench.city.reading import CameraReader
from bench.city.roads import CityCamera, Road, Roads
from bench.city.vehicles import COLORS, LOOKS, CityVehicle, Population, Trip
from schemas.clock import MICROS_PER_S
from schemas.events import Location, Plate, Resolved, Sighting, Vehicle
from schemas.identity import match_key

START_US = 1_767_571_200_000_000
SEEN = 0.95
"""Share of passes that a camera sees at all."""
READS = 4
WRONG_LOOKS = 0.08
"""Share of descriptions with a wrong make, of the others with a wrong colour, each: an assumption."""
PACE = (0.85, 1.35)
"""A trip's driving time over that of free roads; each road differs besides."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A vehicle at a camera: the truth."""

    at_us: int
    camera: CityCamera
    vehicle: CityVehicle


def passes(roads: Roads, population: Population, dice: random.Random) -> list[Pass]:
    """All passes of the day, in order of time."""
    found: list[Pass] = []
    drives: dict[tuple[int, int], list[tuple[Road, float]]] = {}
    for vehicle in population.vehicles:  # leaders come before nobody: their trips are made when they are asked for
        for number, trip in enumerate(vehicle.trips):
            found += _passes(roads, vehicle, _drive(roads, population, drives, vehicle, number, trip, dice), dice)
    found.sort(key=lambda each: (each.at_us, each.vehicle.number))
    return found


def _drive(
    roads: Roads,
    population: Population,
    drives: dict[tuple[int, int], list[tuple[Road, float]]],
    vehicle: CityVehicle,
    number: int,
    trip: Trip,
    dice: random.Random,
) -> list[tuple[Road, float]]:
    """The roads of a trip with the second of the day at the middle of each."""
    key = (vehicle.number, number)
    if key not in drives:
        if trip.follows_s is not None:
            leader = population.vehicles[trip.leader]
            ahead = _drive(roads, population, drives, leader, number, leader.trips[number], dice)
            gap = trip.follows_s
            drives[key] = [(road, at + max(1.0, gap + dice.gauss(0, 2.0))) for road, at in ahead]
        else:
            at, pace, made = trip.leaves_s, dice.uniform(*PACE), []
            for road in roads.route(trip.start, trip.end, dice):
                takes = roads.driving_s[road] * pace * dice.uniform(0.85, 1.3)
                made.append((road, at + takes / 2))
                at += takes
            drives[key] = made
    return drives[key]


def _passes(
    roads: Roads, vehicle: CityVehicle, drive: Iterable[tuple[Road, float]], dice: random.Random
) -> Iterator[Pass]:
    for road, at_s in drive:
        camera = roads.camera_at.get(road)
        if camera is not None and dice.random() < SEEN:
            yield Pass(START_US + round(at_s * MICROS_PER_S), camera, vehicle)


def sighting(number: int, each: Pass, reader: CameraReader, dice: random.Random) -> Sighting:
    """What the platform makes of a pass: the read, and the resolved plate of a lone read."""
    plate = reader.read(each.vehicle.plate, dice)
    resolved = resolve_one(plate, READS)
    at_us = each.at_us
    return Sighting(
        event_id=event_id(number),
        captured_at=at_us,
        first_seen_at=at_us - MICROS_PER_S // 2,
        last_seen_at=at_us + MICROS_PER_S // 2,
        camera_id=each.camera.camera_id,
        revision=1,
        match_key=match_key(plate, each.camera.camera_id),
        plate=plate,
        resolved=Resolved(text=resolved[0], confidence=resolved[1]) if resolved is not None else None,
        vehicle=_seen(each.vehicle, dice),
        location=Location(each.camera.lat, each.camera.lon),
        reads=READS,
    )


def event_id(number: int) -> str:
    """Of the pass with a number; in no order, as real ids are."""
    return sha256(str(number).encode()).hexdigest()[:16]


def by_text_alone(seen: Sighting) -> Sighting:
    """The sighting as a system has it that compares texts: one text, no doubts, and the text is the key."""
    assert seen.plate is not None
    text = seen.plate.normalized_text
    plate = Plate(text, text, 1.0)
    return _replace(seen, plate, text)


def _replace(seen: Sighting, plate: Plate, key: str) -> Sighting:
    return Sighting(
        event_id=seen.event_id, captured_at=seen.captured_at, first_seen_at=seen.first_seen_at,
        last_seen_at=seen.last_seen_at, camera_id=seen.camera_id, revision=1, match_key=key, plate=plate,
        resolved=Resolved(text=plate.normalized_text, confidence=1.0), vehicle=seen.vehicle, location=seen.location,
        reads=seen.reads,
    )  # fmt: skip


def _seen(vehicle: CityVehicle, dice: random.Random) -> Vehicle:
    make = dice.choice(LOOKS)[0] if dice.random() < WRONG_LOOKS else vehicle.make
    color = dice.choice(COLORS) if dice.random() < WRONG_LOOKS else vehicle.color
    return Vehicle(vehicle.kind, make, None, color, round(dice.uniform(0.7, 0.98), 2))
