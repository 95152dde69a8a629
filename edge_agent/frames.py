"""A frame, and the port of what delivers frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from edge_agent.geometry import Image


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a camera.

    Attributes:
        image: Pixels.
        captured_us: Event time, microseconds since the epoch.
        stream_s: Seconds since the start of the stream.
        grabbed_s: Monotonic clock when the agent got it; latency is measured from here.
        is_photograph: It stands alone: no track goes on from it.
    """

    image: Image
    captured_us: int
    stream_s: float
    grabbed_s: float
    is_photograph: bool = False


class Source(Protocol):
    """Delivers the frames of one stream."""

    @property
    def started_us(self) -> int:
        """Event time of the stream's start; part of every id."""
        ...

    @property
    def dropped(self) -> int:
        """Frames that came faster than they were taken, so far."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Frames in order until the end of the stream or `close`.

        Raises:
            CameraLost: A live stream does not open, or has stopped.
        """
        ...

    def close(self) -> None:
        """Ends `frames` soon, from any thread."""
        ...
