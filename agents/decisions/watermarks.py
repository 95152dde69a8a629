"""How far the cameras are, as a reader of ticks knows it.

Every partition of the sightings has the ticks of all partitions of the detections; nothing that was read before can go
back. What is said of a camera that was never named is what holds for all: the lowest watermark of all partitions.
"""

import json
from dataclasses import dataclass, field

from schemas.clock import Micros
from schemas.events import Tick


@dataclass(slots=True)
class Progress:
    """One partition of the detections.

    Attributes:
        at: its clock.
        watermark: lowest of its cameras.
        rest: of the cameras that the last tick did not name.
        cameras: watermark of each camera that was ever named.
    """

    at: Micros = 0
    watermark: Micros = 0
    rest: Micros = 0
    cameras: dict[str, Micros] = field(default_factory=dict)


class Watermarks:
    """Takes ticks, tells watermarks."""

    def __init__(self) -> None:
        self._partitions: dict[int, Progress] = {}

    def take(self, tick: Tick) -> None:
        """Go on with a tick; one that is older than what is known changes nothing."""
        known = self._partitions.setdefault(tick.partition, Progress())
        known.at = max(known.at, tick.at)
        known.watermark = max(known.watermark, tick.watermark)
        known.rest = max(known.rest, tick.rest)
        if not tick.is_full:  # a full one speaks of no other camera
            for camera_id in known.cameras.keys() - tick.cameras.keys():
                known.cameras[camera_id] = max(known.cameras[camera_id], tick.rest)
        for camera_id, watermark in tick.cameras.items():
            known.cameras[camera_id] = max(watermark, known.cameras.get(camera_id, watermark))

    def of_partition(self, partition: int) -> Micros | None:
        """Lowest watermark of a partition's cameras; None before its first tick."""
        known = self._partitions.get(partition)
        return None if known is None else known.watermark

    def of_camera(self, camera_id: str) -> Micros | None:
        """Event time up to which a camera's reads are complete; for an unknown one that of all cameras."""
        found = [known.cameras[camera_id] for known in self._partitions.values() if camera_id in known.cameras]
        return max(found) if found else self.overall

    @property
    def overall(self) -> Micros | None:
        """Event time up to which all cameras are complete, those that were never named too; None before any tick."""
        return min((min(known.watermark, known.rest) for known in self._partitions.values()), default=None)

    @property
    def clock(self) -> Micros:
        """The slowest clock of the partitions that tick; 0 before any tick."""
        return min((known.at for known in self._partitions.values()), default=0)

    def encode(self) -> bytes:
        """As it is kept in a table: the same knowledge gives the same bytes."""
        known = {
            str(partition): [one.at, one.watermark, one.rest, one.cameras]
            for partition, one in sorted(self._partitions.items())
        }
        return json.dumps(known, separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def decode(cls, value: bytes | None) -> "Watermarks":
        """The knowledge of a table value; None is none."""
        made = cls()
        for partition, (at, watermark, rest, cameras) in json.loads(value or b"{}").items():
            made._partitions[int(partition)] = Progress(at, watermark, rest, cameras)
        return made
