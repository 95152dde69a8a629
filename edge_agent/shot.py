"""How good a picture of a plate is: for the weight of its read and for the choice of the best shot."""

import math

import cv2
import numpy as np

from edge_agent.geometry import Box, Image, crop

REFERENCE_HEIGHT_PX = 32
_SHARP_AT = 150.0


def sharpness(image: Image, box: Box) -> float:
    """Sharpness of the plate, 0..1: variance of the Laplacian at one size (Pech-Pacheco et al., ICPR 2000)."""
    plate = crop(image, box)
    if plate.shape[0] < 4 or plate.shape[1] < 4:
        return 0.0
    width_px = max(8, round(plate.shape[1] * REFERENCE_HEIGHT_PX / plate.shape[0]))
    grey = cv2.cvtColor(cv2.resize(plate, (width_px, REFERENCE_HEIGHT_PX)), cv2.COLOR_BGR2GRAY)
    variance = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    return variance / (variance + _SHARP_AT)


def quality(image: Image, box: Box) -> float:
    """Weight of a read from its picture, above 0: sharpness times size, where size counts by its square root."""
    size = math.sqrt(min(2.0, max(box.height, 1.0) / REFERENCE_HEIGHT_PX))
    return max(0.01, sharpness(image, box) * size)


def encode_jpeg(image: Image, *, quality_percent: int = 88, longest_px: int | None = None) -> bytes:
    """The image as a JPEG.

    Args:
        image: Not empty.
        quality_percent: JPEG quality.
        longest_px: Scale down to this longest side.
    """
    longest = max(image.shape[:2])
    if longest_px is not None and longest > longest_px:
        scale = longest_px / longest
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality_percent])
    return encoded.tobytes()
