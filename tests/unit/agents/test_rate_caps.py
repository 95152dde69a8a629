"""Rate caps: event time decides, finals go on, and everything that is left out is reported once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.decisions.rate_caps import METRIC, cap, cap_of
from schemas.events import Camera, Metric
from tables.camera_rates import WINDOW, RateBucket
from tests.unit.agents.detections import T0, detection

BASE = T0 - T0 % WINDOW
OFFSET_S = (BASE - T0) / 1_000_000


def run(
    moments_s: list[float], rate: float, *, final: bool = False, bucket: RateBucket | None = None
) -> tuple[list[bool], list[Metric], RateBucket]:
    """What becomes of detections at these seconds of a window's time."""
    decisions, reports = [], []
    for at in moments_s:
        decision = cap(bucket, detection(at_s=OFFSET_S + at, is_final=final), rate, 3)
        bucket = decision.bucket
        decisions.append(decision.goes_on)
        reports += [decision.report] if decision.report is not None else []
    assert bucket is not None
    return decisions, reports, bucket


def test_what_the_cap_allows_goes_on() -> None:
    """Two a second: a pair each second passes, a third one does not."""
    assert run([0, 0.1, 1.1, 1.2, 2.3, 2.4], 2)[0] == [True] * 6
    assert run([0, 0.1, 0.2], 2)[0] == [True, True, False]


def test_slow_caps_let_one_through() -> None:
    """One in ten seconds: the bucket holds one detection at least."""
    assert run([0, 5, 9.9, 10, 15, 20], 0.1)[0] == [True, False, False, True, False, True]


def test_final_detections_always_go_on() -> None:
    """A track would vanish without its last message."""
    assert run([0] * 50, 1, final=True)[0] == [True] * 50
    assert run([0, 0], 0)[0] == [False, False]
    assert run([0, 0], 0, final=True)[0] == [True, True]


def test_finals_take_from_the_bucket() -> None:
    """The cap is of all detections."""
    _, _, bucket = run([0, 0], 2, final=True)
    assert run([0.1], 2, bucket=bucket)[0] == [False]


def test_what_is_left_out_is_reported_when_its_window_is_over() -> None:
    """Ten seconds of event time a sum, told apart by partition, whichever detection ends the window."""
    decisions, reports, bucket = run([0, 0, 0, 9, 9, 10.5, 10.5, 31], 1)
    assert decisions.count(False) == 4
    assert [(report.value, report.measured_at) for report in reports] == [(3.0, BASE + 3), (1.0, BASE + WINDOW + 3)]
    assert (reports[0].name, reports[0].camera_id, reports[0].unit) == (METRIC, "gate", "detections")
    assert bucket.sampled == 0


def test_late_read_gains_nothing() -> None:
    """Time that goes back a little fills no bucket."""
    assert run([5, 4, 3, 2], 1)[0] == [True, False, False, False]


def test_clock_that_was_set_back_does_not_silence_a_camera() -> None:
    """After more than a minute back the bucket starts again, and what it had left out is reported."""
    decisions, reports, _ = run([290, 290, 0, 1, 2], 1)
    assert decisions == [True, False, True, True, True]
    assert [report.value for report in reports] == [1.0]


def test_lowered_cap_holds_at_once() -> None:
    """Tokens of a larger bucket are not kept."""
    assert run([0, 0, 0], 2, bucket=RateBucket(100.0, BASE))[0] == [True, True, False]


@pytest.mark.parametrize(
    ("rate", "expected"), [(None, None), (0.0, 0.0), (2.5, 2.5), (-1.0, None), (float("nan"), None)]
)
def test_cap_of_a_camera(rate: float | None, expected: float | None) -> None:
    """What is no rate is no cap."""
    assert cap_of(Camera(camera_id="gate", max_rate_per_s=rate)) == expected
    assert cap_of(None) is None


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(0, 120), max_size=60), st.floats(0, 5), st.integers(0, 60))
def test_log_cut_anywhere_gives_the_same(moments_s: list[float], rate: float, cut: int) -> None:
    """A worker that is killed goes on from the stored bucket: same decisions, same reports, nothing counted twice.

    What was left out is in a report or still in the bucket, whatever the order of times.
    """
    decisions, reports, bucket = run([0, *moments_s], rate)
    first = run([0, *moments_s[:cut]], rate)
    rest = run(moments_s[cut:], rate, bucket=first[2]) if moments_s[cut:] else ([], [], first[2])
    assert (first[0] + rest[0], first[1] + rest[1], rest[2]) == (decisions, reports, bucket)
    assert sum(report.value for report in reports) + bucket.sampled == decisions.count(False)
