"""Areas on the globe that a sighting may lie in: polygons with holes, and circles. WGS 84, degrees, latitude first.

Edges are straight in latitude and longitude, as in GeoJSON (RFC 7946, 3.1.1), and a border belongs to its area. An edge
takes the short way round: one from 179 to -179 degrees crosses the antimeridian. Which side of an edge a point lies on
is exact: where a float cannot tell, fractions do (after J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic
and Fast Robust Geometric Predicates", 1997).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt
from typing import Any, Protocol

Point = tuple[float, float]
"""Latitude, longitude."""
EARTH_RADIUS_M = 6_371_008.8
_DEGREE_M = 111_000.0
"""A little less than any degree of latitude has."""
_ERROR = 3.3306690738754716e-16
"""Shewchuk's bound for the rounding of an orientation, relative to its products."""


class Shape(Protocol):
    """An area."""

    def contains(self, lat: float, lon: float) -> bool:
        """Whether a point lies in it or on its border."""

    def canonical(self) -> Any:
        """The meaning in plain values."""

    def words(self) -> str:
        """For people."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A closed line, made by `ring`: neighbours are at most 180 degrees of longitude apart, none is there twice.

    Attributes:
        corners: the first one is not repeated; longitudes go on past 180.
        south, west, north, east: the box around it.
    """

    corners: tuple[Point, ...]
    south: float
    west: float
    north: float
    east: float

    def side(self, lat: float, lon: float) -> int:
        """1 inside, 0 on the line, -1 outside. Whole turns of longitude count as different."""
        if not (self.south <= lat <= self.north and self.west <= lon <= self.east):
            return -1
        inside = False
        for start, end in self.edges():
            if start == (lat, lon):
                return 0
            if (start[0] > lat) != (end[0] > lat):
                turn = orientation(start, end, (lat, lon))
                if turn == 0:
                    return 0
                if (turn > 0) == (end[0] > start[0]):
                    inside = not inside
            elif start[0] == end[0] == lat and min(start[1], end[1]) <= lon <= max(start[1], end[1]):
                return 0
        return 1 if inside else -1

    def edges(self) -> Iterator[tuple[Point, Point]]:
        """Each corner with the next; the last one with the first."""
        yield from pairwise(self.corners)
        yield self.corners[-1], self.corners[0]


@dataclass(frozen=True, slots=True)
class Polygon:
    """What lies in one ring and in no hole."""

    outer: Ring
    holes: tuple[Ring, ...] = ()

    def contains(self, lat: float, lon: float) -> bool:
        """Whether a point lies in it; the border of a hole is still in."""
        if not self.outer.south <= lat <= self.outer.north:
            return False
        return any(
            self.outer.side(lat, east) >= 0 and not any(_in_hole(hole, lat, lon) for hole in self.holes)
            for east in (lon, lon + 360, lon - 360)
        )

    def canonical(self) -> Any:
        """Where a ring begins and which way it goes mean nothing."""
        return ["polygon", _canonical(self.outer), sorted(_canonical(hole) for hole in self.holes)]

    def words(self) -> str:
        """Such as ``polygon of 5 corners``."""
        return f"polygon of {len(self.outer.corners)} corners"


@dataclass(frozen=True, slots=True)
class Circle:
    """What is at most so far from a point."""

    lat: float
    lon: float
    radius_m: float

    def contains(self, lat: float, lon: float) -> bool:
        """Whether a point lies in it."""
        if abs(lat - self.lat) * _DEGREE_M > self.radius_m:
            return False
        return distance_m((self.lat, self.lon), (lat, lon)) <= self.radius_m

    def canonical(self) -> Any:
        """The numbers."""
        return ["circle", self.lat, self.lon, self.radius_m]

    def words(self) -> str:
        """Such as ``500 m around 52.5, 13.4``."""
        return f"{self.radius_m:g} m around {self.lat:g}, {self.lon:g}"


def distance_m(one: Point, other: Point) -> float:
    """The great-circle distance on a sphere (haversine), within half a per cent of the ellipsoid's."""
    (lat1, lon1), (lat2, lon2) = one, other
    half = sin(radians(lat2 - lat1) / 2) ** 2
    half += cos(radians(lat1)) * cos(radians(lat2)) * sin(radians(lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(half)))


def ring(corners: Sequence[Point]) -> Ring:
    """A ring through corners; the first may be repeated at the end.

    Raises:
        ValueError: it goes round a pole, has less than three corners or no area, or crosses itself.
    """
    line: list[Point] = []
    for lat, lon in corners:
        east = lon if not line else lon + 360 * round((line[-1][1] - lon) / 360)
        if not line or line[-1] != (lat, east):
            line.append((lat, east))
    if len(line) > 1 and (line[0][0], line[0][1] % 360) == (line[-1][0], line[-1][1] % 360):
        if line[0] != line[-1]:
            raise ValueError("it goes round a pole")
        line.pop()
    if line and abs(line[-1][1] - line[0][1]) > 180:
        raise ValueError("it goes round a pole")
    if len(line) < 3:
        raise ValueError(f"it has {len(line)} different corners; an area has three or more")
    lats, lons = [lat for lat, _ in line], [lon for _, lon in line]
    made = Ring(tuple(line), min(lats), min(lons), max(lats), max(lons))
    if all(orientation(line[0], line[1], corner) == 0 for corner in line[2:]):
        raise ValueError("it has no area: all corners lie on one line")
    _check_simple(made)
    return made


def polygon(outer: Ring, holes: Sequence[Ring] = ()) -> Polygon:
    """A polygon.

    Raises:
        ValueError: a corner of a hole lies outside.
    """
    made = Polygon(outer)
    for hole in holes:
        for lat, lon in hole.corners:
            if not made.contains(lat, lon):
                raise ValueError(f"the corner {lat:g}, {lon % 360:g} of a hole lies outside")
    return Polygon(outer, tuple(holes))


def orientation(start: Point, end: Point, point: Point) -> int:
    """1 where a point lies left of the line from start to end, -1 right of it, 0 on it; north is up, east is right."""
    left = (end[1] - start[1]) * (point[0] - start[0])
    right = (end[0] - start[0]) * (point[1] - start[1])
    found = left - right
    if abs(found) <= _ERROR * (abs(left) + abs(right)):
        (a, b), (c, d), (e, f) = ((Fraction(lat), Fraction(lon)) for lat, lon in (start, end, point))
        exact = (d - b) * (e - a) - (c - a) * (f - b)
        return (exact > 0) - (exact < 0)
    return (found > 0) - (found < 0)


def _in_hole(hole: Ring, lat: float, lon: float) -> bool:
    return any(hole.side(lat, east) > 0 for east in (lon, lon + 360, lon - 360))


def _check_simple(made: Ring) -> None:
    """Raises ValueError where two edges clash; edges are swept along the axis on which they are short."""
    edges = list(made.edges())
    extents = (made.north - made.south, made.east - made.west)
    shares = [sum(abs(a[axis] - b[axis]) for a, b in edges) / extents[axis] for axis in (0, 1)]
    axis = shares.index(min(shares))
    edges.sort(key=lambda edge: min(edge[0][axis], edge[1][axis]))
    for index, one in enumerate(edges):
        last = max(one[0][axis], one[1][axis])
        for other in edges[index + 1 :]:
            if min(other[0][axis], other[1][axis]) > last:
                break
            if _clash(one, other):
                raise ValueError(f"it crosses or touches itself near {other[0][0]:g}, {_degrees(other[0][1]):g}")


def _clash(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two edges share more than the corner that neighbours share."""
    (a, b), (c, d) = one, other
    if max(a[1], b[1]) < min(c[1], d[1]) or max(c[1], d[1]) < min(a[1], b[1]):
        return False
    if b == c or d == a:
        corner, first, last = (b, a, d) if b == c else (a, b, c)
        if orientation(first, corner, last):
            return False
        ahead = (last[0] - corner[0]) * (first[0] - corner[0]) + (last[1] - corner[1]) * (first[1] - corner[1])
        return ahead > 0  # it turns back on itself
    turns = (orientation(a, b, c), orientation(a, b, d), orientation(c, d, a), orientation(c, d, b))
    if turns == (0, 0, 0, 0):
        return _boxes_meet(one, other)
    return turns[0] * turns[1] <= 0 and turns[2] * turns[3] <= 0


def _boxes_meet(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    return all(
        max(min(one[0][axis], one[1][axis]), min(other[0][axis], other[1][axis]))
        <= min(max(one[0][axis], one[1][axis]), max(other[0][axis], other[1][axis]))
        for axis in (0, 1)
    )


def _degrees(lon: float) -> float:
    return (lon + 180) % 360 - 180


def _canonical(made: Ring) -> list[list[float]]:
    corners = [[lat, lon] for lat, lon in made.corners]
    forms = [corners[at:] + corners[:at] for at in range(len(corners)) if corners[at] == min(corners)]
    forms += [[each[0], *reversed(each[1:])] for each in forms]
    return min(forms)
