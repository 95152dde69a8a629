"""What a camera hands to the publisher: a detection, and the pictures that belong to it."""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from schemas.clock import to_datetime
from schemas.events import Detection, Node


@dataclass(frozen=True, slots=True)
class Picture:
    """An image for the bucket.

    Attributes:
        key: Object key.
        encode: Makes the JPEG; called by the upload thread, so that a frame is not held up by it.
        metadata: Object metadata, ASCII.
    """

    key: str
    encode: Callable[[], bytes]
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A detection on its way.

    Attributes:
        detection: Complete but for `latency_ms`, which the publisher knows.
        pictures: Uploaded beside it, never waited for.
        grabbed_s: Monotonic clock when the agent got the frame that made it speak.
    """

    detection: Detection
    pictures: tuple[Picture, ...]
    grabbed_s: float


def object_key(camera_id: str, captured_us: int, event_id: str, kind: str) -> str:
    """Key of an image: camera, day (UTC), event, kind.

    Args:
        camera_id: Camera.
        captured_us: Event time.
        event_id: Detection.
        kind: `plate`, `vehicle` or `frame`.
    """
    return f"{camera_id}/{to_datetime(captured_us):%Y/%m/%d}/{event_id}/{kind}.jpg"


def this_node(agent_id: str, models: dict[str, str]) -> Node:
    """The agent as events carry it."""
    return Node(agent_id=agent_id, host=socket.gethostname(), models=models)
