"""Boxes in pixels, their overlap, and crops of an image."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""Pixels of shape (height, width, 3), blue-green-red, as OpenCV has them."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in pixels; x grows to the right, y downwards."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Width in pixels, never negative."""
        return max(0.0, self.x2 - self.x1)

    @property
    def height(self) -> float:
        """Height in pixels, never negative."""
        return max(0.0, self.y2 - self.y1)

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """Centre as x, y."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def iou(self, other: "Box") -> float:
        """Intersection over union with another box, 0..1."""
        overlap = Box(
            max(self.x1, other.x1), max(self.y1, other.y1), min(self.x2, other.x2), min(self.y2, other.y2)
        ).area
        union = self.area + other.area - overlap
        return overlap / union if union > 0 else 0.0

    def covers(self, x: float, y: float) -> bool:
        """Whether the point lies inside."""
        return self.x1 <= x <= self.x2 and self.y1 <= y <= self.y2

    def inset(self, vertical: float, horizontal: float) -> "Box":
        """The box without a margin on each side.

        Args:
            vertical: margin as a share of the height; negative grows the box.
            horizontal: margin as a share of the width; negative grows the box.
        """
        dx, dy = horizontal * self.width, vertical * self.height
        return Box(self.x1 + dx, self.y1 + dy, self.x2 - dx, self.y2 - dy)

    def within(self, image: Image) -> "Box":
        """The part of the box that lies in the image."""
        height_px, width_px = image.shape[:2]
        return Box(
            min(max(self.x1, 0.0), width_px),
            min(max(self.y1, 0.0), height_px),
            min(max(self.x2, 0.0), width_px),
            min(max(self.y2, 0.0), height_px),
        )

    def rounded(self) -> tuple[int, int, int, int]:
        """Whole pixels as x1, y1, x2, y2."""
        return round(self.x1), round(self.y1), round(self.x2), round(self.y2)


def crop(image: Image, box: Box) -> Image:
    """Pixels under the box (a view, rounded outwards); empty where the box lies outside of the image."""
    inside = box.within(image)
    return image[int(inside.y1) : math.ceil(inside.y2), int(inside.x1) : math.ceil(inside.x2)]
