"""The city's readers misread as often as they say, and its roads and labels hold together."""

import random

from bench.city.reading import Resampled, Uniform
from bench.city.roads import Roads
from bench.city.traffic import passes
from bench.city.vehicles import Size, populate


def test_the_measured_reader_is_wrong_as_often_as_it_is_told() -> None:
    """Right reads are the plate, wrong ones are not, and each character has its alternatives."""
    dice = random.Random(5)
    reader = Resampled(0.12)
    reads = [reader.read("KAB1234", dice) for _ in range(3000)]
    wrong = sum(read.normalized_text != "KAB1234" for read in reads)
    assert 0.09 < wrong / len(reads) < 0.15
    assert all(len(read.characters) == len(read.normalized_text) for read in reads)


def test_the_hostile_reader_makes_one_mistake() -> None:
    """A swap keeps the length, a missed or added character changes it by one."""
    dice = random.Random(5)
    reader = Uniform(1.0)
    texts = {reader.read("KAB1234", dice).normalized_text for _ in range(30)}
    assert {len(text) for text in texts} == {6, 7, 8}


def test_convoys_drive_together_and_clones_have_two_vehicles() -> None:
    """The labels are true of the vehicles and their trips."""
    dice = random.Random(3)
    population = populate(Size(vehicles=200, clones=5, convoys=5, listed_here=5, listed_elsewhere=5), dice)
    roads = Roads(60, 3)
    day = passes(roads, population, dice)
    assert day == sorted(day, key=lambda each: (each.at_us, each.vehicle.number)) and len(day) > 300
    for plate, pair in population.clones.items():
        assert {population.vehicles[number].plate for number in pair} == {plate} and len(set(pair)) == 2
    for vehicle in population.vehicles:
        for trip in vehicle.trips:
            if trip.follows_s is not None:
                leader = population.vehicles[trip.leader]
                assert tuple(sorted((leader.plate, vehicle.plate))) in population.convoys
    assert min(roads.least_s().values()) > 0
