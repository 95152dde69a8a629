"""A track speaks early once, and once more at its end."""

import pytest

from edge_agent.geometry import Box
from edge_agent.plate_track import PlateTrack, Shot
from tests.unit.edge_agent.builders import noise_image, read

EARLY_US = 700_000
BOX = Box(10, 10, 90, 30)


def _shot(at_us: int, quality: float = 0.5) -> Shot:
    return Shot(noise_image(), BOX, None, quality, at_us)


def _track(*texts: str, every_us: int = 100_000, probability: float = 0.95) -> PlateTrack:
    track = PlateTrack(0, EARLY_US)
    for number, text in enumerate(texts):
        track.seen(number * every_us, BOX)
        track.add(read(text, probability), _shot(number * every_us), 0.8)
    return track


def test_a_decisive_vote_is_heard_at_once() -> None:
    """Three sure and equal reads are enough, long before the time is up."""
    assert _track("AB12CD", "AB12CD").early(200_000) is None
    verdict = _track("AB12CD", "AB12CD", "AB12CD").early(300_000)
    assert verdict is not None
    assert (verdict.read.text, verdict.is_final, verdict.reads) == ("AB12CD", False, 3)


def test_an_undecided_track_is_heard_when_the_time_is_up() -> None:
    """A barrier does not wait for certainty: after 700 ms the best that is known is said."""
    track = _track("AB12CD", "A812CD", probability=0.7)
    assert track.early(EARLY_US - 1) is None
    assert track.early(EARLY_US) is not None


def test_at_most_two_verdicts() -> None:
    """Early comes once, whatever follows; final is the second and last."""
    track = _track(*["AB12CD"] * 5)
    assert track.early(500_000) is not None
    track.add(read("AB12CD"), _shot(600_000), 0.8)
    assert track.early(900_000) is None
    final = track.final()
    assert final is not None
    assert (final.is_final, final.reads) == (True, 6)


def test_event_time_is_the_first_read_in_both_verdicts() -> None:
    """captured_at never changes between early and final: it is part of an event's identity."""
    track = PlateTrack(0, EARLY_US)
    track.seen(0, BOX)
    for at_us in (200_000, 300_000, 400_000, 900_000):
        track.seen(at_us, BOX)
        track.add(read("AB12CD"), _shot(at_us), 0.8)
        verdict = track.early(at_us) or track.final()
        assert verdict is not None
        assert verdict.read_at_us == 200_000
        assert verdict.first_seen_us == 0


@pytest.mark.parametrize(("texts", "probability"), [(("AB12CD",), 0.6), (("AB12CD",) * 4, 0.4), (("AB",) * 3, 0.7)])
def test_what_is_not_credible_is_not_said(texts: tuple[str, ...], probability: float) -> None:
    """A lone doubtful read, many doubtful ones, and a scrap of two characters are no plate."""
    track = _track(*texts, probability=probability)
    assert track.early(2_000_000) is None
    assert track.final() is None


def test_a_track_that_has_spoken_always_ends_with_a_final() -> None:
    """Consumers wait for the final, so doubt that comes later does not swallow it."""
    track = _track("AB12CD", "AB12CD", "AB12CD")
    assert track.early(300_000) is not None
    for number in range(60):
        track.add(read("XXXXXX", 0.5), _shot(400_000 + number, quality=1.4), 0.5)
    assert track.final() is not None


def test_the_best_shot_is_sharp_large_and_sure() -> None:
    """The kept picture is the one of the highest quality times confidence."""
    track = _track("AB12CD", "AB12CD")
    best = _shot(500_000, quality=0.9)
    track.add(read("AB12CD"), best, 0.9)
    track.add(read("AB12CD"), _shot(600_000, quality=0.2), 0.9)
    verdict = track.final()
    assert verdict is not None
    assert verdict.shot is best


def test_another_plate_is_noticed_only_when_both_are_sure() -> None:
    """A clearly different text is another car; a misread character or a blurred read is not."""
    track = _track(*["AB12CD"] * 4)
    assert track.is_other_plate(read("XY98ZW", 0.95))
    assert not track.is_other_plate(read("A812CD", 0.95))
    assert not track.is_other_plate(read("XY98ZW", 0.5))


def test_a_sure_track_is_read_again_only_for_cause() -> None:
    """A better picture or half a second are causes; an equal picture is none."""
    track = _track(*["AB12CD"] * 3)
    assert not track.wants_read(250_000, 0.5)
    assert track.wants_read(250_000, 0.7)
    assert track.wants_read(800_000, 0.5)
    assert _track("AB12CD").wants_read(110_000, 0.1)


def test_motion_is_told_from_the_size() -> None:
    """A plate that grows comes closer."""
    track = PlateTrack(0, EARLY_US)
    for number in range(3):
        track.seen(number, Box(0, 0, 40 + 20 * number, 10 + 5 * number))
        track.add(read("AB12CD"), _shot(number), 0.8)
    verdict = track.final()
    assert verdict is not None
    assert verdict.motion == "approaching"
