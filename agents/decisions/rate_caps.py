"""Per-camera rate caps: a token bucket in event time (Turner, "New directions in communications", 1986).

Time comes from the detections alone, and the bucket is kept in a table with the run's other changes, so reading the log
again samples the same records and reports the same counts. What may differ is the cap itself: the camera registry is
read as it is now.
"""

from dataclasses import dataclass, replace

from schemas.clock import MICROS_PER_S
from schemas.events import Camera, Detection, Metric
from tables.camera_rates import WINDOW, RateBucket

METRIC = "sampled_detections"
MAX_DISORDER = 60 * MICROS_PER_S
"""A capture time that lies further back than this is a clock that was set back, not a late read: the bucket starts
again from it, or a camera that once ran ahead would be sampled until its clock is there again."""


@dataclass(frozen=True, slots=True)
class CapDecision:
    """What becomes of a detection of a camera with a cap.

    Attributes:
        goes_on: False: it is sampled, that is left out.
        bucket: the camera's bucket after it.
        report: what an earlier window had left out, once that is over.
    """

    goes_on: bool
    bucket: RateBucket
    report: Metric | None = None


def cap_of(camera: Camera | None) -> float | None:
    """The camera's cap, detections a second; None where there is none. A negative one is nobody's wish: none."""
    if camera is None or camera.max_rate_per_s is None or not camera.max_rate_per_s >= 0:
        return None
    return camera.max_rate_per_s


def cap(bucket: RateBucket | None, detection: Detection, max_rate_per_s: float, partition: int) -> CapDecision:
    """Decide about one detection.

    A bucket holds what one second may bring, at least one detection. Final detections always go on and take what there
    is: they are what is known in the end, and without them a track would vanish.

    Args:
        bucket: of the camera; None at its first detection.
        detection: valid, in the order of the log.
        max_rate_per_s: the camera's cap, detections a second; 0 lets only final ones on.
        partition: of the raw topic. A camera whose producer spreads it over partitions has a bucket in each, and the
            reports of one window differ by it, in microseconds: stores tell measurements apart by their time.
    """
    size = max(1.0, max_rate_per_s) if max_rate_per_s > 0 else 0.0
    at = detection.captured_at
    before = bucket if bucket is not None else RateBucket(size, at)
    after = before
    if at > before.at:
        gained = (at - before.at) / MICROS_PER_S * max_rate_per_s
        after = replace(before, tokens=before.tokens + gained, at=at)
    elif before.at - at > MAX_DISORDER:
        after = RateBucket(size, at, before.sampled)
    report = None
    if after.window != before.window and before.sampled:
        report = _report(before, detection.camera_id, max_rate_per_s, partition)
        after = replace(after, sampled=0)
    tokens = min(after.tokens, size)  # the cap may have been lowered
    if tokens >= 1.0 or detection.is_final:
        return CapDecision(True, replace(after, tokens=max(0.0, tokens - 1.0)), report)
    return CapDecision(False, replace(after, tokens=tokens, sampled=after.sampled + 1), report)


def _report(bucket: RateBucket, camera_id: str, max_rate_per_s: float, partition: int) -> Metric:
    return Metric(
        name=METRIC,
        value=float(bucket.sampled),
        measured_at=bucket.window + partition,
        unit="detections",
        camera_id=camera_id,
        tags={"agent": "route", "window_s": f"{WINDOW / MICROS_PER_S:g}", "max_rate_per_s": f"{max_rate_per_s:g}"},
    )
