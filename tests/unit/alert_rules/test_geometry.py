"""Areas: what lies in them, exactly, holes and the antimeridian included; and rings that are none."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_rules.geometry import Circle, Point, distance_m, orientation, polygon, ring

SQUARE = [(0.0, 0.0), (0.0, 10.0), (10.0, 10.0), (10.0, 0.0)]
HOLE = [(4.0, 4.0), (4.0, 6.0), (6.0, 6.0), (6.0, 4.0)]
L_SHAPE = [(0.0, 0.0), (0.0, 10.0), (5.0, 10.0), (5.0, 5.0), (10.0, 5.0), (10.0, 0.0)]


@pytest.mark.parametrize(
    ("point", "expected"),
    [((5, 5), True), ((0, 0), True), ((0, 5), True), ((10, 10), True), ((5, 10), True), ((5, 10.0000001), False),
     ((-1e-9, 5), False), ((5, 370), True), ((5, -355), True), ((90, 0), False)],
)  # fmt: skip
def test_a_square(point: Point, expected: bool) -> None:
    """Border and corners belong to it; a whole turn of longitude is the same place."""
    assert polygon(ring(SQUARE)).contains(*point) is expected


def test_a_hole_is_out_but_its_border_is_in() -> None:
    """As the outer border does, a hole's belongs to the area."""
    area = polygon(ring(SQUARE), [ring(HOLE)])
    assert [area.contains(*point) for point in ((5, 5), (4, 5), (6, 6), (3, 3))] == [False, True, True, True]


def test_a_shape_that_is_not_convex() -> None:
    """A ray through a corner counts it once."""
    area = polygon(ring(L_SHAPE))
    assert [area.contains(*point) for point in ((7, 7), (5, 2), (5, 7), (2, 7), (7, 2), (5, -1), (10, 7))] == [
        False, True, True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "corners", [[(0, 179), (0, -179), (10, -179), (10, 179)], [(0, 181 - 360), (10, -179), (10, 179), (0, 179)]]
)
def test_the_antimeridian(corners: list[Point]) -> None:
    """An edge takes the short way round, whichever side the ring begins on."""
    area = polygon(ring(corners), [ring([(4.0, 179.9), (4.0, -179.9), (6.0, -179.9)])])
    assert area.contains(2, 180)
    assert area.contains(2, -180)
    assert area.contains(2, 179.5)
    assert area.contains(2, -179.5)
    assert not area.contains(2, 0)
    assert not area.contains(2, 178.9)
    assert not area.contains(4.5, -179.95)
    assert not area.contains(4.5, 180)


def test_where_a_ring_begins_means_nothing() -> None:
    """Nor does its direction, nor a repeated last corner, nor a corner that stands twice."""
    one = polygon(ring(L_SHAPE)).canonical()
    assert polygon(ring([*L_SHAPE[2:], *L_SHAPE[:2]])).canonical() == one
    assert polygon(ring([*reversed(L_SHAPE), L_SHAPE[-1]])).canonical() == one
    assert polygon(ring([L_SHAPE[0], *L_SHAPE])).canonical() == one


@pytest.mark.parametrize(
    ("corners", "reason"),
    [
        ([], "0 different corners"),
        ([(0, 0), (1, 1), (0, 0)], "2 different corners"),
        ([(0, 0), (1, 1), (2, 2)], "no area"),
        ([(0, 0), (10, 10), (10, 0), (0, 10)], "crosses or touches itself near"),
        ([(0, 0), (0, 10), (0, 5), (10, 5)], "crosses or touches itself near"),
        ([(0, 0), (0, 10), (10, 10), (0, 5), (10, 0)], "crosses or touches itself near"),
        ([(80, 0), (80, 90), (80, 180), (80, -90)], "round a pole"),
        ([(80, 0), (80, 120), (80, -120), (80, 0)], "round a pole"),
    ],
)
def test_what_is_no_ring(corners: list[Point], reason: str) -> None:
    """Each is refused with its reason."""
    with pytest.raises(ValueError, match=reason):
        ring(corners)


def test_a_hole_outside_is_refused() -> None:
    """The corner that lies outside is named."""
    with pytest.raises(ValueError, match="corner 4, 12 of a hole"):
        polygon(ring(SQUARE), [ring([(4.0, 4.0), (4.0, 12.0), (6.0, 4.0)])])


def test_a_circle() -> None:
    """Distances are those on the globe: a degree of longitude is short in the north, and 180 is -180."""
    assert distance_m((0, 0), (0, 1)) == pytest.approx(111_195, abs=1)
    assert distance_m((52.5200, 13.4050), (48.8566, 2.3522)) == pytest.approx(877_460, rel=0.001)
    berlin = Circle(52.52, 13.405, 1000)
    assert berlin.contains(52.52, 13.405)
    assert berlin.contains(52.52, 13.4197)
    assert not berlin.contains(52.52, 13.42)
    assert berlin.contains(52.5289, 13.405)
    assert not berlin.contains(52.5291, 13.405)
    assert Circle(0, 179.999, 1000).contains(0, -179.999)
    assert Circle(90, 0, 1000).contains(89.995, 123)


COORDINATES = st.floats(-80, 80, allow_nan=False).map(lambda value: round(value, 3))


@given(COORDINATES, COORDINATES, COORDINATES, COORDINATES, st.floats(0, 1), st.integers(-2, 2))
def test_orientation_is_exact(a: float, b: float, c: float, d: float, along: float, ulps: int) -> None:
    """On, left and right of a line are told apart where floats alone could not."""
    point = (a + (c - a) * along, b + (d - b) * along + ulps * 2.0**-50)
    f = Fraction
    exact = (f(d) - f(b)) * (f(point[0]) - f(a)) - (f(c) - f(a)) * (f(point[1]) - f(b))
    assert orientation((a, b), (c, d), point) == (exact > 0) - (exact < 0)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=7), COORDINATES, COORDINATES)
def test_inside_is_what_the_winding_number_says(corners: list[tuple[int, int]], lat: float, lon: float) -> None:
    """Off the border, crossing counts and winding numbers agree for every ring that does not cross itself."""
    point = (lat % 7, lon % 7)
    try:
        made = ring(corners)
    except ValueError:
        return
    if made.side(*point) == 0:
        assert any(orientation(start, end, point) == 0 for start, end in made.edges())
        return
    winding = 0
    for start, end in made.edges():
        if start[0] <= point[0] < end[0]:
            winding += orientation(start, end, point) > 0
        elif end[0] <= point[0] < start[0]:
            winding -= orientation(start, end, point) < 0
    assert (made.side(*point) > 0) == (winding != 0)
