"""Constant-velocity Kalman filter over a box, as SORT and ByteTrack use it, with time steps of any length.

The four coordinates (centre x, centre y, width, height) are independent filters of position and speed; noise scales
with the box's size (Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Box

MEASUREMENT_NOISE = 0.05
"""Standard deviation of a detected coordinate, as a share of the box's height."""
ACCELERATION_NOISE = 6.0
"""Standard deviation of the acceleration, in box heights per square second."""
INITIAL_SPEED_NOISE = 8.0
"""Standard deviation of the first speed, in box heights per second."""


@dataclass(frozen=True, slots=True)
class Motion:
    """Belief about a box.

    Attributes:
        position: Centre x, centre y, width, height in pixels, shape (4,).
        speed: The same per second, shape (4,).
        covariance: Of position and speed for each coordinate, shape (4, 2, 2).
    """

    position: NDArray[np.float64]
    speed: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @property
    def box(self) -> Box:
        """The box that is believed."""
        x, y, width, height = (float(v) for v in self.position)
        width, height = max(1.0, width), max(1.0, height)
        return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def start(box: Box) -> Motion:
    """Belief after the first sight of a box: it may move anywhere."""
    height = max(1.0, box.height)
    covariance = np.zeros((4, 2, 2))
    covariance[:, 0, 0] = (MEASUREMENT_NOISE * height) ** 2
    covariance[:, 1, 1] = (INITIAL_SPEED_NOISE * height) ** 2
    return Motion(_measured(box), np.zeros(4), covariance)


def predict(motion: Motion, elapsed_s: float) -> Motion:
    """Belief after some time without a look."""
    step = np.asarray([[1.0, elapsed_s], [0.0, 1.0]])
    noise = (ACCELERATION_NOISE * max(1.0, float(motion.position[3]))) ** 2
    shape = np.asarray([[elapsed_s**4 / 4, elapsed_s**3 / 2], [elapsed_s**3 / 2, elapsed_s**2]])
    return Motion(
        motion.position + motion.speed * elapsed_s,
        motion.speed,
        step @ motion.covariance @ step.T + noise * shape,
    )


def update(motion: Motion, box: Box) -> Motion:
    """Belief after seeing the box."""
    noise = (MEASUREMENT_NOISE * max(1.0, box.height)) ** 2
    gain = motion.covariance[:, :, 0] / (motion.covariance[:, 0, 0] + noise)[:, None]
    miss = _measured(box) - motion.position
    covariance = motion.covariance - gain[:, :, None] * motion.covariance[:, None, 0, :]
    return Motion(motion.position + gain[:, 0] * miss, motion.speed + gain[:, 1] * miss, covariance)


def _measured(box: Box) -> NDArray[np.float64]:
    x, y = box.centre
    return np.asarray([x, y, box.width, box.height])
