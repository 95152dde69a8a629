"""What a vehicle's track has gathered: its kind by vote, its best picture, and whether a plate was read on it."""

from collections import Counter
from dataclasses import dataclass, field

from edge_agent.geometry import Box, Image
from edge_agent.ports import VehicleBox

LEAST_HITS = 5
LEAST_DURATION_US = 500_000
LEAST_IMAGE_SHARE = 0.004


@dataclass(slots=True)
class VehicleTrack:
    """One vehicle.

    Attributes:
        first_seen_us: Event time of its first frame.
        last_seen_us: Event time of its last frame.
        has_plate: A plate was read on it, so the plate's detection stands for it.
    """

    first_seen_us: int
    last_seen_us: int = 0
    has_plate: bool = False
    _kinds: Counter[str] = field(default_factory=Counter)
    _hits: int = 0
    _confidence_sum: float = 0.0
    _best: tuple[float, Image, Box] | None = None
    _image_share: float = 0.0

    def seen(self, found: VehicleBox, frame: Image, captured_us: int) -> None:
        """Takes a sight of it in; the picture in which it is largest is kept."""
        self.last_seen_us = captured_us
        self._hits += 1
        self._kinds[found.type] += 1
        self._confidence_sum += found.confidence
        worth = found.box.area * found.confidence
        if self._best is None or worth > self._best[0]:
            self._best = (worth, frame, found.box)
            self._image_share = found.box.area / (frame.shape[0] * frame.shape[1])

    @property
    def kind(self) -> str:
        """What most frames took it for."""
        return min(self._kinds.items(), key=lambda item: (-item[1], item[0]))[0]

    @property
    def confidence(self) -> float:
        """Mean confidence of the detector."""
        return self._confidence_sum / max(1, self._hits)

    @property
    def picture(self) -> tuple[Image, Box]:
        """Best frame and the vehicle's box in it."""
        assert self._best is not None
        return self._best[1], self._best[2]

    @property
    def is_worth_telling(self) -> bool:
        """Long enough in view, and large enough, to be an event without a plate."""
        lasted_us = self.last_seen_us - self.first_seen_us
        return self._hits >= LEAST_HITS and lasted_us >= LEAST_DURATION_US and self._image_share >= LEAST_IMAGE_SHARE
