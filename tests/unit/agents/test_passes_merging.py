"""Passes that turn out to be one, that are opened again, or that have taken in another vehicle."""

from collections.abc import Iterable

import pytest

from agents.decisions.pass_contents import loader
from agents.decisions.pass_settings import DeduplicationSettings
from agents.decisions.passes import PassKeeper
from agents.decisions.ticks import Timetable
from schemas.events import Detection, Sighting
from tables.passes import CameraPasses
from tests.unit.agents.detections import SECOND, T0, detection, read, value_of

SETTINGS = DeduplicationSettings(gap_s=30, lateness_s=60, early_hold_s=600, reopen_hold_s=3600)


class Camera:
    """One camera's log, applied record by record."""

    def __init__(self, settings: DeduplicationSettings = SETTINGS) -> None:
        self.keeper = PassKeeper(settings)
        self.state = CameraPasses.decode(None, loader(read))
        self.offset = 0
        self.clock = 0

    def see(self, *detections: Detection) -> list[Sighting]:
        """Apply detections; the state goes through its table value between them."""
        sightings: list[Sighting] = []
        for item in detections:
            self.state = CameraPasses.decode(self.state.encode(), loader(read))
            sightings += self.keeper.admit(
                self.state,
                item,
                value=value_of(item),
                offset=self.offset,
                recorded_at_ms=self.offset,
                clock=self.clock,
            ).sightings
            self.offset += 1
        return sightings

    def wait(self, until_s: float) -> tuple[Sighting, ...]:
        """Let the clock of the log come to so many seconds after `T0`."""
        self.clock = T0 + round(until_s * SECOND)
        return self.keeper.settle(self.state, self.clock)[0]

    def due_at(self) -> int:
        """Clock at which the camera has something to settle."""
        timetable = Timetable(self.keeper.lateness)
        self.keeper.note(timetable, "gate", self.state)
        return timetable.cameras["gate"].due_at


@pytest.fixture
def camera() -> Camera:
    """A camera that has seen nothing yet."""
    return Camera()


def told(sightings: Iterable[Sighting]) -> list[tuple[str, int, int, str | None]]:
    """Event ids with revision, detections, and where they went."""
    return [(one.event_id, one.revision, one.detections, one.merged_into) for one in sightings]


def test_late_read_that_bridges_two_passes_makes_them_one(camera: Camera) -> None:
    """The older id goes on with all detections; the younger one is withdrawn under its own frozen fields."""
    first, second = camera.see(detection("a", "AB1034"), detection("b", "A81O34", at_s=50))
    older, younger = camera.see(detection("c", "AB1034", at_s=25))
    assert told([first, second]) == [("a", 1, 1, None), ("b", 1, 1, None)]
    assert told([older, younger]) == [("a", 2, 3, None), ("b", 2, 1, "a")]
    assert (older.first_seen_at, older.last_seen_at) == (T0, T0 + 50 * SECOND)
    assert (younger.match_key, younger.captured_at) == (second.match_key, second.captured_at)
    assert [item.event_id for item in camera.state.passes] == ["a"]


def test_merged_pass_is_found_by_all_its_ids(camera: Camera) -> None:
    """The final message of an early one that went into the older pass revises that."""
    camera.see(detection("a"), detection("b", at_s=50, is_final=False), detection("c", at_s=25))
    (revision,) = camera.see(detection("b", at_s=50, reads=20))
    assert told([revision]) == [("a", 3, 3, None)]
    assert (revision.reads, revision.is_final) == (22, True)


def test_older_id_wins_whichever_came_first(camera: Camera) -> None:
    """Older is by event time, not by arrival."""
    camera.see(detection("b", at_s=50), detection("a"))
    assert told(camera.see(detection("c", at_s=25))) == [("a", 2, 3, None), ("b", 2, 1, "a")]


def test_one_read_may_bridge_more_than_two_passes(camera: Camera) -> None:
    """What the grown pass reaches is part of it too."""
    camera.see(detection("a"), detection("b", at_s=45), detection("c", at_s=90))
    merged = camera.see(detection("d", at_s=28, until_s=62))
    assert told(merged) == [("a", 2, 4, None), ("b", 2, 1, "a"), ("c", 2, 1, "a")]


def test_bridge_that_starts_a_pass_of_its_own_is_not_sent_for_it(camera: Camera) -> None:
    """A pass that nobody has heard of is not withdrawn."""
    camera.see(detection("b", at_s=20))
    assert told(camera.see(detection("a", at_s=10))) == [("b", 2, 2, None)]


def test_read_inside_the_gap_reopens_a_pass_that_idled_out(camera: Camera) -> None:
    """The clock settles the pass and sends what it holds back; a late read of its gap is its next revision."""
    camera.see(*[detection(f"e{i}", at_s=i) for i in range(3)])
    assert told(camera.wait(91.9)) == []
    assert told(camera.wait(92.1)) == [("e0", 3, 3, None)]
    assert told(camera.wait(1000)) == []
    assert told(camera.see(detection("late", at_s=31.5))) == [("e0", 4, 4, None)]
    assert told(camera.see(detection("later", at_s=61))) == [("e0", 5, 5, None)], "nothing is held back any more"


def test_pass_is_kept_by_the_time_of_its_own_camera(camera: Camera) -> None:
    """Gap and lateness past its end by the camera's own reads, it is forgotten; the clock does not count before."""
    camera.see(detection("a"))
    camera.wait(3000)
    camera.see(detection("x", "XY9876", at_s=90))
    assert told(camera.see(detection("b", at_s=29))) == [("a", 2, 2, None)]
    camera = Camera()
    camera.see(detection("a"), detection("x", "XY9876", at_s=90.1))
    assert told(camera.see(detection("b", at_s=29))) == [("b", 1, 1, None)]


def test_idle_camera_forgets_in_the_end(camera: Camera) -> None:
    """After the hold nothing of a plate is left in the state of a camera that is gone."""
    camera.see(detection("a"))
    camera.wait(30 + 60 + 3600)
    assert len(camera.state.passes) == 1
    assert camera.due_at() == T0 + (30 + 60 + 3600) * SECOND
    camera.wait(30 + 60 + 3600 + 1)
    assert camera.state.passes == []
    assert camera.due_at() > T0 + 10**9 * SECOND
    assert told(camera.see(detection("b", at_s=29))) == [("b", 1, 1, None)]


def test_watermark_follows_reads_and_clock_and_never_goes_back(camera: Camera) -> None:
    """Sightings are stamped with the newest of both, less the camera's lateness."""
    stamps = [camera.see(detection("a", at_s=100))[0].watermark]
    stamps += [camera.see(detection("b", "XY1111", at_s=90))[0].watermark]
    camera.wait(300)
    stamps += [camera.see(detection("c", "XY2222", at_s=200))[0].watermark]
    assert stamps == [T0 + 40 * SECOND, T0 + 40 * SECOND, T0 + 240 * SECOND]


def test_lateness_of_the_camera_goes_before_the_setting(camera: Camera) -> None:
    """A camera that delivers by the hour keeps its passes for that long; less lateness does not turn time back."""
    keeper, state = camera.keeper, camera.state
    stamps = []
    for offset, (item, lateness) in enumerate(
        [
            (detection("a"), 3600 * SECOND),
            (detection("x", "XY1111", at_s=3000), 3600 * SECOND),
            (detection("b", at_s=20), 3600 * SECOND),
            (detection("y", "XY2222", at_s=3001), None),
            (detection("z", "XY3333", at_s=3002), 3600 * SECOND),
        ]
    ):
        admission = keeper.admit(
            state, item, value=value_of(item), offset=offset, recorded_at_ms=offset, lateness=lateness
        )
        stamps += [(one.event_id, one.revision, one.watermark) for one in admission.sightings]
    assert stamps == [
        ("a", 1, T0 - 3600 * SECOND),
        ("x", 1, T0 - 600 * SECOND),
        ("a", 2, T0 - 600 * SECOND),
        ("y", 1, T0 + 2941 * SECOND),
        ("z", 1, T0 + 2941 * SECOND),
    ]


def test_final_that_names_another_plate_leaves_the_pass_of_others(camera: Camera) -> None:
    """An early misread had joined another vehicle; its final message is no part of that, and the count goes back."""
    camera.see(detection("a", "AB1034"), detection("b", "AB1034", at_s=1, is_final=False))
    of_others, own = camera.see(detection("b", "XY9876", at_s=1))
    assert told([of_others]) == [("a", 3, 1, None)]
    assert (own.revision, own.detections, own.match_key) == (1, 1, "XY9876")
    assert own.event_id not in ("a", "b"), "b may have been a sighting of its own before it was merged"
    assert told(camera.see(detection("c", "XY9876", at_s=2))) == [(own.event_id, 2, 2, None)]


def test_sighting_of_a_detection_stays_with_it_when_the_others_leave(camera: Camera) -> None:
    """The pass was named after the misread detection: it keeps its id, the others get one of their own."""
    camera.see(detection("b", "AB1034", is_final=False), detection("a", "AB1034", at_s=1))
    of_others, own = camera.see(detection("b", "XY9876"))
    assert (of_others.revision, of_others.detections, of_others.captured_at) == (1, 1, T0 + SECOND)
    assert of_others.match_key == "A81034"
    assert told([own]) == [("b", 3, 1, None)]
    assert own.resolved is not None
    assert (own.resolved.text, own.resolved.previous_text, own.match_key) == ("XY9876", "AB1034", "A81034")
    assert told(camera.see(detection("c", "AB1034", at_s=2))) == [(of_others.event_id, 2, 2, None)]


def test_leaving_detection_joins_the_pass_of_its_plate(camera: Camera) -> None:
    """Its own sighting, if it had one, is withdrawn into that."""
    camera.see(detection("x", "XY9876", at_s=-5), detection("b", "AB1034", is_final=False), detection("a", "AB1034"))
    sightings = camera.see(detection("b", "XY9876"))
    assert [one.detections for one in sightings] == [1, 2, 1]
    assert told(sightings[1:]) == [("x", 2, 2, None), ("b", 3, 1, "x")]


def test_unreadable_read_never_ties_two_plates(camera: Camera) -> None:
    """A tracker that jumps between two cars and loses the plate in between does not make them one."""
    sightings = camera.see(
        detection("a", "AB1034", track_id="7"),
        detection("u", "--", at_s=1, track_id="7"),
        detection("b", "XY9876", at_s=2, track_id="7"),
    )
    assert told(sightings) == [("a", 1, 1, None), ("a", 2, 2, None), ("b", 1, 1, None)]


def test_unreadable_pass_goes_into_the_readable_one_of_its_track(camera: Camera) -> None:
    """The read comes after two unreadable ones that were a pass of their own."""
    camera.see(detection("u", "--", track_id="7"))
    (sighting,) = camera.see(detection("a", "AB1034", at_s=1, track_id="7"))
    assert told([sighting]) == [("u", 2, 2, None)]
    assert sighting.match_key == "gate"


def test_overtaken_early_message_bridges_nothing(camera: Camera) -> None:
    """Its final message was faster, so what the early one said does not count."""
    camera.see(detection("a", "AB1034"), detection("b", "XY9876", at_s=1))
    assert camera.see(detection("b", "AB1034", at_s=1, is_final=False)) == []
    assert len(camera.state.passes) == 2
