"""Rate caps: what a camera may still send, and what it was denied."""

from dataclasses import dataclass

from schemas.clock import MICROS_PER_S, Micros

WINDOW = 10 * MICROS_PER_S
"""Sampled detections are reported in sums of this event time."""


@dataclass(frozen=True, slots=True)
class RateBucket:
    """Detections that a camera may still send at a moment, and how many it was denied.

    Attributes:
        tokens: whole and parts of detections.
        at: event time that they were counted at.
        sampled: detections that were left out in the window of `at`, and are not reported yet.
    """

    tokens: float
    at: Micros
    sampled: int = 0

    @property
    def window(self) -> Micros:
        """Start of the window of `at`."""
        return self.at - self.at % WINDOW
