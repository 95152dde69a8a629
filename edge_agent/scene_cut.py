"""Hard cuts: a frame that shows another scene ends every track, whatever stands where a plate stood."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Image

THUMBNAIL_PX = (48, 27)
LEAST_CORRELATION = 0.5
_FLAT = 1e-3


class SceneCut:
    """Compares each frame with the one before.

    Thumbnails are compared by normalised correlation, which a change of exposure (headlights, a cloud) leaves alone
    and another scene does not.
    """

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None

    def is_cut(self, image: Image) -> bool:
        """Whether this frame shows another scene than the last one; False for the first."""
        grey = cv2.cvtColor(cv2.resize(image, THUMBNAIL_PX, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        now = grey.astype(np.float32) - float(grey.mean())
        before, self._before = self._before, now
        if before is None or before.shape != now.shape:
            return False
        spread = float(np.linalg.norm(before) * np.linalg.norm(now))
        if spread < _FLAT * now.size:  # a black or blank frame tells nothing
            return False
        return float((before * now).sum()) / spread < LEAST_CORRELATION
