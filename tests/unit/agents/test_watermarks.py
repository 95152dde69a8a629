"""What a reader of ticks knows: it never goes back, and never knows more than all partitions have said."""

from hypothesis import given
from hypothesis import strategies as st

from agents.decisions.ticks import CameraTime, Timetable
from agents.decisions.watermarks import Watermarks
from schemas.events import Tick

CAMERAS = ("a", "b", "c")
TEN = 10
times = st.integers(0, 1000)


@st.composite
def ticks(draw: st.DrawFn) -> Tick:
    """Ticks as deduplication writes them: cameras of their own partition, late ones named."""
    partition, at = draw(st.integers(0, 2)), draw(times)
    table = Timetable(TEN)
    for name in draw(st.sets(st.sampled_from(CAMERAS), min_size=1)):
        table.cameras[f"{name}{partition}"] = CameraTime(draw(times), draw(st.sampled_from((TEN, 50))), 0, 0)
    tick = table.tick(partition, at, draw(st.booleans()))
    assert tick is not None
    return tick


logs = st.lists(ticks(), max_size=20)


@given(logs)
def test_nothing_ever_goes_back(log: list[Tick]) -> None:
    """Partitions, cameras that are known, and the clock of each partition only go on."""
    known = Watermarks()
    before: dict[str, int] = {}
    named: set[str] = set()
    for tick in log:
        known.take(tick)
        now = {str(number): at for number in range(3) if (at := known.of_partition(number)) is not None}
        named |= tick.cameras.keys()
        now |= {name: at for name in named if (at := known.of_camera(name)) is not None}
        assert all(now[name] >= at for name, at in before.items())
        before = now


@given(logs)
def test_what_holds_for_all_is_the_lowest_of_the_partitions(log: list[Tick]) -> None:
    """An unknown camera is no further than the slowest partition; before any tick nothing is known."""
    known = Watermarks()
    assert (known.overall, known.of_camera("a0"), known.of_partition(0), known.clock) == (None, None, None, 0)
    for tick in log:
        known.take(tick)
        partitions = [at for number in range(3) if (at := known.of_partition(number)) is not None]
        overall = known.overall
        assert overall is not None
        assert overall <= min(partitions)
        assert known.of_camera("never seen") == overall


@given(logs)
def test_table_value_round_trips(log: list[Tick]) -> None:
    """A restart in the middle forgets nothing, and ticks that come twice change nothing."""
    known = Watermarks()
    for tick in log:
        known.take(tick)
        again = Watermarks.decode(known.encode())
        again.take(tick)
        assert again.encode() == known.encode()
        known = again


def test_camera_that_is_not_named_is_where_the_rest_is() -> None:
    """A full tick names all; later ones only who is elsewhere."""
    known = Watermarks()
    known.take(Tick(partition=1, at=100, watermark=40, rest=90, cameras={"slow": 40, "fast": 90}, is_full=True))
    known.take(Tick(partition=1, at=110, watermark=50, rest=100, cameras={"slow": 50}))
    assert [known.of_camera(name) for name in ("slow", "fast")] == [50, 100]


def test_camera_that_a_full_tick_leaves_out_stays_where_it_was() -> None:
    """Nothing is said of it."""
    known = Watermarks()
    known.take(Tick(partition=1, at=100, watermark=90, rest=90, cameras={"a": 95, "b": 90}, is_full=True))
    known.take(Tick(partition=1, at=110, watermark=100, rest=100, cameras={"b": 100}, is_full=True))
    assert known.of_camera("a") == 95
