"""The roads of the city: a grid of streets with avenues and a ring, and the cameras along them.

Driving times follow from the class of each road. A driver takes the fastest way as he sees it: his idea of each road's
time is off by up to `OPINION`, so that two who go the same way need not drive the same streets (E. W. Dijkstra, "A note
on two problems in connexion with graphs", 1959).
"""

import heapq
import random
from dataclasses import dataclass
from functools import cached_property

SIZE = 15
"""Crossings on a side."""
BLOCK_M = 650.0
AVENUE_EVERY = 4
SPEED_KMH = {"street": 32.0, "avenue": 50.0, "ring": 75.0}
CAMERA_WEIGHT = {"street": 1.0, "avenue": 6.0, "ring": 8.0}
OPINION = 0.25
SOUTH_WEST = (52.42, 13.28)
"""Latitude and longitude of a corner."""
DEG_M = (111_195.0, 67_800.0)
"""Metres in a degree of latitude, and of longitude at 52.4 degrees north."""

Crossing = tuple[int, int]
Road = tuple[Crossing, Crossing]
"""From one crossing to the next; the way back is another road."""


@dataclass(frozen=True, slots=True)
class CityCamera:
    """A camera in the middle of a road; it sees one direction."""

    camera_id: str
    road: Road
    lat: float
    lon: float


@dataclass(frozen=True)
class Roads:
    """The network. The same seed gives the same cameras.

    Attributes:
        cameras: how many.
        seed: of their places.
    """

    cameras: int
    seed: int

    @cached_property
    def driving_s(self) -> dict[Road, float]:
        """Seconds that each road takes in free traffic."""
        return {road: BLOCK_M / (SPEED_KMH[kind_of(road)] / 3.6) for road in _roads()}

    @cached_property
    def camera_at(self) -> dict[Road, CityCamera]:
        """The cameras; busy roads are likelier to have one."""
        dice = random.Random(self.seed)
        ranked = sorted(_roads(), key=lambda road: dice.random() ** (1 / CAMERA_WEIGHT[kind_of(road)]), reverse=True)
        chosen = ranked[: self.cameras]
        return {road: CityCamera(f"cam-{n:03}", road, *_middle(road)) for n, road in enumerate(sorted(chosen))}

    def least_s(self) -> dict[tuple[str, str], float]:
        """Seconds from each camera to each other one on free roads, by the cameras' ids."""
        times: dict[tuple[str, str], float] = {}
        for (start, turn), camera in self.camera_at.items():
            reached = self._reached(turn)
            for (before, end), other in self.camera_at.items():
                if other is not camera:
                    halves = (self.driving_s[start, turn] + self.driving_s[before, end]) / 2
                    times[camera.camera_id, other.camera_id] = reached[before] + halves
        return times

    def _reached(self, start: Crossing) -> dict[Crossing, float]:
        best = {start: 0.0}
        waiting = [(0.0, start)]
        while waiting:
            spent, here = heapq.heappop(waiting)
            if spent > best[here]:
                continue
            for there in _beside(here):
                time = spent + self.driving_s[here, there]
                if time < best.get(there, 1e9):
                    best[there] = time
                    heapq.heappush(waiting, (time, there))
        return best

    def route(self, start: Crossing, end: Crossing, dice: random.Random) -> list[Road]:
        """The way that one driver takes."""
        opinion = random.Random(dice.random())
        best: dict[Crossing, float] = {start: 0.0}
        came: dict[Crossing, Crossing] = {}
        waiting = [(0.0, start)]
        while waiting:
            spent, here = heapq.heappop(waiting)
            if here == end:
                break
            if spent > best[here]:
                continue
            for there in _beside(here):
                time = spent + self.driving_s[here, there] * (1 + OPINION * opinion.random())
                if time < best.get(there, 1e9):
                    best[there], came[there] = time, here
                    heapq.heappush(waiting, (time, there))
        way = [end]
        while way[-1] != start:
            way.append(came[way[-1]])
        return [(way[i], way[i - 1]) for i in range(len(way) - 1, 0, -1)]


def kind_of(road: Road) -> str:
    """``ring``, ``avenue`` or ``street``."""
    (x1, y1), (x2, y2) = road
    for a, b in ((x1, x2), (y1, y2)):
        if a == b:
            if a in (0, SIZE - 1):
                return "ring"
            if a % AVENUE_EVERY == 2:
                return "avenue"
    return "street"


def _roads() -> list[Road]:
    return [((x, y), there) for x in range(SIZE) for y in range(SIZE) for there in _beside((x, y))]


def _beside(here: Crossing) -> list[Crossing]:
    x, y = here
    near = ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1))
    return [(a, b) for a, b in near if 0 <= a < SIZE and 0 <= b < SIZE]


def _middle(road: Road) -> tuple[float, float]:
    (x1, y1), (x2, y2) = road
    east_m, north_m = (x1 + x2) / 2 * BLOCK_M, (y1 + y2) / 2 * BLOCK_M
    return round(SOUTH_WEST[0] + north_m / DEG_M[0], 6), round(SOUTH_WEST[1] + east_m / DEG_M[1], 6)
