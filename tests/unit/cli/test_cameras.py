"""What `alpr cameras` says about gates."""

import pytest

from cli.cameras import gate_problems
from schemas.events import Camera


@pytest.mark.parametrize(
    ("camera", "word"),
    [
        (Camera(camera_id="c", role="entry"), "--site"),
        (Camera(camera_id="c", site_id="north", role="both", direction="in"), "silence"),
    ],
)
def test_gate_that_may_stand_there_for_nothing_is_told(camera: Camera, word: str) -> None:
    """The camera is written all the same: its producer may know better."""
    (problem,) = gate_problems(camera)
    assert word in problem


def test_good_gates_and_other_cameras_are_not_talked_about() -> None:
    """No warning where nothing is wrong."""
    assert gate_problems(Camera(camera_id="c", site_id="north", role="exit", direction="out")) == []
    assert gate_problems(Camera(camera_id="c", direction="in")) == []
