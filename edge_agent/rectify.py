"""Straightens a plate that hangs askew in its box, so that the reader sees level characters.

A camera beside the road sees the plate's long edges at an angle while its characters stay nearly upright: a vertical
shear, not a rotation. The angle is the one at which the horizontal edges fall into the fewest rows (a projection
profile, as in document deskewing: Postl, "Detection of linear oblique structures and skew scan", ICPR 1986).
"""

import math

import cv2
import numpy as np

from edge_agent.geometry import Box, Image, crop

LEAST_SKEW_DEG = 3.0
MOST_SKEW_DEG = 14.0
WORK_HEIGHT_PX = 96
_EDGE_ROWS = 8
_LEAST_HEIGHT_SHARE = 0.45
_SHEAR_SHARE = 0.8


def skew_deg(image: Image, box: Box) -> float:
    """Angle of the plate's long edges in degrees, positive where they fall to the right; 0 where it cannot be told.

    Args:
        image: The picture.
        box: The plate in it.
    """
    plate = crop(image, box.inset(0.0, 0.05))
    if plate.shape[0] < 8 or plate.shape[1] < 16:
        return 0.0
    scale = WORK_HEIGHT_PX / plate.shape[0]
    size = (max(16, round(plate.shape[1] * scale)), WORK_HEIGHT_PX)
    grey = cv2.resize(cv2.cvtColor(plate, cv2.COLOR_BGR2GRAY), size).astype(np.float32)
    edges = np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    edges[:_EDGE_ROWS] = 0
    edges[-_EDGE_ROWS:] = 0
    best_deg, best_focus = 0.0, -1.0
    for angle_deg in np.arange(-MOST_SKEW_DEG, MOST_SKEW_DEG + 0.5):
        rows = cv2.warpAffine(edges, _shear(float(angle_deg), size[0] / 2), size).sum(1)
        focus = float((rows**2).sum() / max(1e-6, float(rows.sum()) ** 2))
        if focus > best_focus:
            best_deg, best_focus = float(angle_deg), focus
    return best_deg


def level(image: Image, box: Box) -> tuple[Image, Box]:
    """The picture around a plate with the plate made level, and the plate's box in it.

    A plate that is nearly level comes back as it is: resampling costs sharpness.

    Args:
        image: The picture.
        box: The plate in it.
    """
    angle_deg = skew_deg(image, box)
    if abs(angle_deg) < LEAST_SKEW_DEG:
        return image, box
    reach = 0.25 * box.width + 4
    around = Box(box.x1 - 4, box.y1 - reach, box.x2 + 4, box.y2 + reach).within(image)
    left, top = int(around.x1), int(around.y1)
    surroundings = image[top : math.ceil(around.y2), left : math.ceil(around.x2)]
    x, y = box.centre
    size = (surroundings.shape[1], surroundings.shape[0])
    shear = _shear(angle_deg, x - left)
    levelled = cv2.warpAffine(surroundings, shear, size, borderMode=cv2.BORDER_REPLICATE)
    # the box of a skewed plate is higher than the plate, by what the skew adds over its width
    added_px = _SHEAR_SHARE * abs(math.tan(math.radians(angle_deg))) * box.width
    height_px = max(_LEAST_HEIGHT_SHARE * box.height, box.height - added_px)
    middle = y - top
    return (
        np.asarray(levelled, np.uint8),
        Box(box.x1 - left, middle - height_px / 2, box.x2 - left, middle + height_px / 2),
    )


def _shear(angle_deg: float, about_x_px: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    slope = math.tan(math.radians(angle_deg))
    return np.asarray([[1, 0, 0], [-slope, 1, slope * about_x_px]], np.float32)
