"""Boxes become tracks: through blur, gaps and neighbours, and not through each other."""

from edge_agent.geometry import Box
from edge_agent.tracking import PLATES, Sighted, Step, TrackerState, advance, end_all, renumber

FPS = 12.0


def _plate(x: float, y: float, confidence: float = 0.8, width: float = 80) -> Sighted:
    return Sighted(Box(x, y, x + width, y + width / 4), confidence)


def _run(frames: list[list[Sighted]], state: TrackerState | None = None) -> list[Step]:
    steps = []
    state = state or TrackerState()
    for number, sighted in enumerate(frames):
        step = advance(state, sighted, number / FPS, PLATES)
        state = step.state
        steps.append(step)
    return steps


def test_a_moving_plate_is_one_track() -> None:
    """A plate that moves by half of its width a frame keeps its number."""
    steps = _run([[_plate(20 + 40 * i, 100 + 5 * i)] for i in range(15)])
    assert {step.assigned for step in steps} == {(1,)}


def test_a_plate_that_grows_fast_is_one_track() -> None:
    """A car that comes close grows by a tenth a frame."""
    steps = _run([[_plate(300 - 3 * 1.1**i, 200 + 2 * 1.1**i, width=30 * 1.1**i)] for i in range(18)])
    assert {step.assigned for step in steps} == {(1,)}


def test_two_plates_one_behind_the_other_are_two_tracks() -> None:
    """Two plates close together, moving alike, never merge and never swap."""
    steps = _run([[_plate(100 + 6 * i, 100 + 3 * i), _plate(104 + 6 * i, 150 + 3 * i)] for i in range(20)])
    assert {step.assigned for step in steps} == {(1, 2)}


def test_plates_that_pass_each_other_keep_their_numbers() -> None:
    """Opposite directions on neighbouring lanes: speed tells them apart."""
    steps = _run([[_plate(10 + 20 * i, 100), _plate(410 - 20 * i, 135)] for i in range(20)])
    assert {step.assigned for step in steps} == {(1, 2)}


def test_a_doubtful_box_keeps_a_track_alive_and_starts_none() -> None:
    """Low confidence continues what is known (ByteTrack's second round) and is nothing by itself."""
    steps = _run([[_plate(100, 100)], [_plate(104, 100, 0.3)], [_plate(108, 100)]])
    assert [step.assigned for step in steps] == [(1,), (1,), (1,)]
    assert _run([[_plate(100, 100, 0.3)]])[0].assigned == (None,)


def test_a_gap_shorter_than_the_limit_is_bridged_and_a_longer_one_ends_the_track() -> None:
    """After half a second the plate is the same one, after two it is another."""
    first = advance(TrackerState(), [_plate(100, 100)], 0.0, PLATES)
    soon = advance(first.state, [_plate(102, 100)], 0.5, PLATES)
    assert soon.assigned == (1,)
    gone = advance(soon.state, [], 2.5, PLATES)
    assert gone.ended == (1,)
    late = advance(gone.state, [_plate(102, 100)], 2.6, PLATES)
    assert late.assigned == (2,)


def test_the_end_of_a_scene_ends_all_and_numbers_go_on() -> None:
    """A cut ends every track, and a plate at the same spot is a new one."""
    step = advance(TrackerState(), [_plate(100, 100), _plate(300, 100)], 0.0, PLATES)
    state, ended = end_all(step.state)
    assert ended == (1, 2)
    assert advance(state, [_plate(100, 100)], 0.1, PLATES).assigned == (3,)


def test_a_place_can_be_given_to_a_new_track() -> None:
    """Bumper to bumper: the box goes on under a new number."""
    step = advance(TrackerState(), [_plate(100, 100)], 0.0, PLATES)
    state, number = renumber(step.state, 1)
    assert number == 2
    assert advance(state, [_plate(101, 100)], 0.1, PLATES).assigned == (2,)


def test_the_state_that_was_given_is_left_alone() -> None:
    """Value in, value out: the same step twice gives the same answer."""
    state = advance(TrackerState(), [_plate(100, 100)], 0.0, PLATES).state
    again = [advance(state, [_plate(110, 100)], 0.1, PLATES) for _ in range(2)]
    assert again[0].assigned == again[1].assigned == (1,)
    assert state.tracks[0].hits == 1


def test_empty_frames_are_fine() -> None:
    """No boxes, no tracks, no error."""
    assert _run([[], [], []])[-1] == Step(TrackerState((), 2 / FPS, 1), (), ())
