"""Which detections make one pass, and which revisions a pass sends."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from agents.decisions.pass_settings import DeduplicationSettings
from agents.decisions.passes import PassKeeper
from schemas.events import Detection, Images, Sighting, Vehicle
from tables.passes import CameraPasses
from tests.unit.agents.detections import SECOND, T0, detection, value_of

SETTINGS = DeduplicationSettings(gap_s=30, lateness_s=10, early_hold_s=600)


class Camera:
    """One camera's log, applied record by record."""

    def __init__(self, settings: DeduplicationSettings = SETTINGS) -> None:
        self.keeper = PassKeeper(settings)
        self.state = CameraPasses()
        self.offset = 0

    def see(self, *detections: Detection) -> list[Sighting]:
        """Apply detections; the revisions that they led to."""
        sightings: list[Sighting] = []
        for item in detections:
            sightings += self.keeper.admit(
                self.state, item, value=value_of(item), offset=self.offset, recorded_at_ms=self.offset
            ).sightings
            self.offset += 1
        return sightings


def ids(sightings: Iterable[Sighting]) -> list[tuple[str, int]]:
    """Event ids and revisions."""
    return [(sighting.event_id, sighting.revision) for sighting in sightings]


@pytest.fixture
def camera() -> Camera:
    """A camera that has seen nothing yet."""
    return Camera()


def test_first_read_makes_a_sighting(camera: Camera) -> None:
    """The first revision has the detection's id, time and folded plate as its key."""
    (sighting,) = camera.see(detection("e1", "AB 1O34"))
    assert (sighting.event_id, sighting.revision, sighting.captured_at) == ("e1", 1, T0)
    assert sighting.match_key == "A81034"
    assert sighting.plate is not None
    assert sighting.plate.text == "AB 1O34"
    assert sighting.resolved is not None
    assert sighting.resolved.text == "AB1O34"
    assert sighting.resolved.previous_text is None
    assert sighting.watermark == T0 - 10 * SECOND


def test_repeat_is_counted_not_sent(camera: Camera) -> None:
    """Reads of a pass send revisions at 2, 4, 8 detections; the ones between are counted in the next."""
    sightings = camera.see(*[detection(f"e{i}", at_s=i) for i in range(9)])
    assert ids(sightings) == [("e0", 1), ("e0", 2), ("e0", 3), ("e0", 4)]
    assert [sighting.detections for sighting in sightings] == [1, 2, 4, 8]
    assert [sighting.reads for sighting in sightings] == [1, 2, 4, 8]
    assert sightings[-1].last_seen_at == T0 + 7 * SECOND


def test_read_after_the_gap_is_a_new_pass(camera: Camera) -> None:
    """A plate that comes back later than the gap is sighted anew."""
    assert ids(camera.see(detection("e1"), detection("e2", at_s=30.5))) == [("e1", 1), ("e2", 1)]


def test_gap_counts_from_the_end_of_the_pass(camera: Camera) -> None:
    """A car that stands for long stays one pass as long as it is read within the gap."""
    sightings = camera.see(*[detection(f"e{i}", at_s=25 * i) for i in range(4)])
    assert {sighting.event_id for sighting in sightings} == {"e0"}


def test_confusable_reads_are_one_pass(camera: Camera) -> None:
    """O for 0 and B for 8 are one plate."""
    sightings = camera.see(detection("e1", "AB1034"), detection("e2", "A81O34", at_s=1))
    assert {sighting.event_id for sighting in sightings} == {"e1"}


@pytest.mark.parametrize("other", ["AB1235", "AB123", "AB12345", "XB1234", "AC1234"])
def test_near_plate_is_never_swallowed(camera: Camera, other: str) -> None:
    """A plate that differs by more than confusables is another vehicle, however near."""
    assert ids(camera.see(detection("e1", "AB1234"), detection("e2", other, at_s=1))) == [("e1", 1), ("e2", 1)]


def test_track_joins_a_likely_misread(camera: Camera) -> None:
    """A read of the same track whose evidence supports the plate of the pass joins it."""
    sure = detection("e1", "AB1234", track_id="7")
    doubtful = detection("e2", "AB123A", at_s=1, alternatives=["A", "B", "1", "2", "3", "A4"], track_id="7")
    assert {sighting.event_id for sighting in camera.see(sure, doubtful)} == {"e1"}
    assert ids(Camera().see(sure, replace(doubtful, track_id="8"))) == [("e1", 1), ("e2", 1)]


def test_track_does_not_join_another_plate(camera: Camera) -> None:
    """A tracker that jumps from one car to the next does not merge their plates."""
    sightings = camera.see(detection("e1", "AB1234", track_id="7"), detection("e2", "XY9876", at_s=1, track_id="7"))
    assert ids(sightings) == [("e1", 1), ("e2", 1)]


def test_final_joins_its_early_whatever_it_says(camera: Camera) -> None:
    """The final message replaces the early one: counted once, new identity told with the old one, key frozen."""
    early = detection("e1", "AB1234", is_final=False, reads=3)
    final = detection("e1", "XY987", is_final=True, reads=20, until_s=4)
    first, second = camera.see(early, final)
    assert ids([first, second]) == [("e1", 1), ("e1", 2)]
    assert (second.detections, second.reads, second.is_final) == (1, 20, True)
    assert second.resolved is not None
    assert (second.resolved.text, second.resolved.previous_text) == ("XY987", "AB1234")
    assert (second.match_key, second.captured_at) == (first.match_key, first.captured_at)
    assert not first.is_final


def test_early_that_comes_after_its_final_changes_nothing(camera: Camera) -> None:
    """Order of the two messages does not matter to the contents."""
    final = detection("e1", reads=20)
    early = detection("e1", is_final=False, reads=3)
    (only,) = camera.see(final, early)
    assert (only.reads, only.detections, only.is_final) == (20, 1, True)
    assert camera.state.passes[0].unsent is False


def test_final_that_says_nothing_new_is_held_back(camera: Camera) -> None:
    """A final message with the content of its early one makes no revision until the pass closes."""
    early = detection("e1", is_final=False, reads=3)
    assert ids(camera.see(early, replace(early, is_final=True))) == [("e1", 1)]
    later = camera.see(detection("e2", "XY9876", at_s=60))
    assert ids(later) == [("e2", 1), ("e1", 2)]
    assert later[1].is_final


def test_final_with_images_is_sent(camera: Camera) -> None:
    """Images and vehicle that come late are worth a revision."""
    early = detection("e1", is_final=False)
    final = replace(early, is_final=True, images=Images(plate_url="s3://b/p.jpg"), vehicle=Vehicle(color="red"))
    _, second = camera.see(early, final)
    assert second.images.plate_url == "s3://b/p.jpg"
    assert second.vehicle == Vehicle(color="red")


def test_final_is_awaited_beyond_the_gap(camera: Camera) -> None:
    """A car waits at a barrier while others are read; its final message still revises its sighting."""
    camera.see(detection("e1", is_final=False, reads=3))
    camera.see(*[detection(f"x{i}", f"XY{i:04}", at_s=40 * i) for i in range(1, 8)])
    (revision,) = camera.see(detection("e1", reads=30, until_s=280))
    assert (revision.event_id, revision.revision, revision.reads) == ("e1", 2, 30)


def test_closing_pass_sends_what_it_held_back(camera: Camera) -> None:
    """When no read can join any more, the last counts go out; a pass without news closes silently."""
    camera.see(*[detection(f"e{i}", at_s=i) for i in range(3)])
    sightings = camera.see(detection("z", "XY9876", at_s=60))
    assert ids(sightings) == [("z", 1), ("e0", 3)]
    assert (sightings[1].detections, sightings[1].last_seen_at) == (3, T0 + 2 * SECOND)
    assert ids(camera.see(detection("y", "QQ1111", at_s=120))) == [("y", 1)]
    assert len(camera.state.passes) == 1


@pytest.mark.parametrize("text", ["🚗🚗", "---", ""])
def test_unreadable_plate_keeps_its_text_and_goes_by_camera(camera: Camera, text: str) -> None:
    """No letters and digits: no identity, keyed by camera, what was observed stays."""
    (sighting,) = camera.see(detection("e1", text))
    assert sighting.resolved is None
    assert sighting.match_key == "gate"
    assert sighting.plate is not None
    assert sighting.plate.text == text


def test_unreadable_plates_are_not_one_vehicle(camera: Camera) -> None:
    """Unreadable reads of different tracks are different passes; of one track, one."""
    sightings = camera.see(
        detection("e1", "--", track_id="1"), detection("e2", "--", track_id="2"), detection("e3", "--", track_id="1")
    )
    assert ids(sightings) == [("e1", 1), ("e2", 1), ("e1", 2)]


def test_track_that_becomes_readable_gains_an_identity(camera: Camera) -> None:
    """An unreadable pass takes the identity of the read that follows on its track, under its old key."""
    _, second = camera.see(detection("e1", "--", is_final=False, track_id="1"), detection("e1", "AB1234", track_id="1"))
    assert second.resolved is not None
    assert (second.resolved.text, second.resolved.previous_text, second.match_key) == ("AB1234", None, "gate")


def test_late_read_joins_by_its_event_time(camera: Camera) -> None:
    """A read that arrives after newer ones of other cars still joins its pass."""
    sightings = camera.see(detection("e1"), detection("x", "XY9876", at_s=15), detection("e2", at_s=6))
    assert ids(sightings) == [("e1", 1), ("x", 1), ("e1", 2)]


def test_read_before_the_pass_extends_it_backwards(camera: Camera) -> None:
    """An earlier read that comes late moves first_seen_at, not the frozen captured_at."""
    _, second = camera.see(detection("e1", at_s=10), detection("e2", at_s=2))
    assert second.first_seen_at == T0 + 2 * SECOND
    assert second.captured_at == T0 + 10 * SECOND


def test_very_late_pass_lives_long_enough_for_its_final(camera: Camera) -> None:
    """A pair that was spooled and comes long after newer reads is one sighting with two revisions."""
    camera.see(detection("new", "XY9876", at_s=3600))
    sightings = camera.see(detection("e1", is_final=False), detection("e1", reads=9))
    assert ids(sightings) == [("e1", 1), ("e1", 2)]


def test_vote_corrects_the_identity(camera: Camera) -> None:
    """Many readings outvote one; the revision names the old identity and keeps the key."""
    first, second = camera.see(
        detection("e1", "AB1O34", reads=1, confidence=0.6), detection("e2", "AB1034", at_s=1, reads=9)
    )
    assert second.resolved is not None
    assert (second.resolved.text, second.resolved.previous_text) == ("AB1034", "AB1O34")
    assert second.match_key == first.match_key


def test_replayed_records_change_nothing(camera: Camera) -> None:
    """Records at offsets that were applied before are left out."""
    log = [detection(f"e{i}", at_s=i) for i in range(3)]
    camera.see(*log)
    before = camera.state.encode()
    camera.offset = 0
    assert camera.see(*log) == []
    assert camera.state.encode() == before


def test_topic_made_anew_is_not_taken_for_a_replay(camera: Camera) -> None:
    """Old offsets with newer Kafka timestamps belong to a new topic and count."""
    camera.see(*[detection(f"e{i}", at_s=i) for i in range(3)])
    new = detection("n", "XY9876", at_s=100)
    admission = camera.keeper.admit(camera.state, new, value=value_of(new), offset=0, recorded_at_ms=1000)
    assert ("n", 1) in ids(admission.sightings)


def test_number_of_passes_is_bounded() -> None:
    """A camera that reads noise keeps a bounded state, and what is pushed out has sent its counts."""
    camera = Camera(DeduplicationSettings(max_passes=3))
    camera.see(*[detection(f"a{i}", "AB1234") for i in range(3)])
    sightings = camera.see(*[detection(f"e{i}", f"XY{i:04}") for i in range(5)])
    assert len(camera.state.passes) == 3
    assert ("a0", 3) in ids(sightings)


def test_number_of_ids_is_bounded_and_counts_stay() -> None:
    """A pass of thousands of detections forgets ids, not counts."""
    camera = Camera(DeduplicationSettings(max_ids=4))
    sightings = camera.see(*[detection(f"e{i}", at_s=i * 0.1, is_final=i % 3 != 0) for i in range(64)])
    item = camera.state.passes[0]
    assert len(item.finals) + len(item.earlies) <= 4
    assert sightings[-1].detections == 64


def test_closed_early_without_final_is_sent_once(camera: Camera) -> None:
    """An edge agent that died leaves an early message; its pass closes after the hold, without a further revision."""
    camera.see(detection("e1", is_final=False))
    sightings = camera.see(detection("x", "XY9876", at_s=2000))
    assert ids(sightings) == [("x", 1)]
    assert [item.event_id for item in camera.state.passes] == ["x"]
