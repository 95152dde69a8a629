"""What deduplication says about time: which cameras have something to settle, and how far all of them are.

The watermark of a camera is the newest of its reads and of the log's clock, less its lateness. A camera that sees
nothing is as far as the clock says; so a tick need only name the cameras that are not.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.clock import Micros
from schemas.events import Tick


@dataclass(frozen=True, slots=True)
class CameraTime:
    """What is known of a camera.

    Attributes:
        newest_at: newest `captured_at`.
        lateness: how late its reads may come, microseconds.
        watermark: the last one that its state holds.
        due_at: clock before which it has nothing to settle.
    """

    newest_at: Micros
    lateness: Micros
    watermark: Micros
    due_at: Micros

    def watermark_at(self, clock: Micros) -> Micros:
        """Event time up to which its reads are complete."""
        return max(self.watermark, max(self.newest_at, clock) - self.lateness)


class Timetable:
    """The cameras of one partition.

    Args:
        lateness: of cameras for which the registry says nothing, microseconds.
    """

    def __init__(self, lateness: Micros) -> None:
        self._lateness = lateness
        self.cameras: dict[str, CameraTime] = {}

    def due(self, clock: Micros) -> list[str]:
        """Cameras that may have something to settle."""
        return [camera_id for camera_id, known in self.cameras.items() if known.due_at < clock]

    def tick(self, partition: int, clock: Micros, is_full: bool) -> Tick | None:
        """How far the cameras are; None while there is none."""
        if not self.cameras:
            return None
        rest = clock - self._lateness
        watermarks = {camera_id: known.watermark_at(clock) for camera_id, known in self.cameras.items()}
        named = watermarks if is_full else _others(watermarks.items(), rest)
        return Tick(
            partition=partition,
            at=clock,
            watermark=min(watermarks.values()),
            rest=rest,
            cameras=dict(sorted(named.items())),
            is_full=is_full,
        )


def _others(watermarks: Iterable[tuple[str, Micros]], rest: Micros) -> dict[str, Micros]:
    return {camera_id: at for camera_id, at in watermarks if at != rest}
