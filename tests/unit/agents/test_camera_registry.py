"""The camera registry as workers hold it: what is no camera harms nobody."""

from collections.abc import Callable

from schemas.codec import EventCodec
from schemas.events import Camera
from schemas.registry import MemoryRegistry
from schemas.topics import CAMERAS
from tables.cameras import CameraRegistry


class Entries:
    """Records of the topic, as a broadcast gives them."""

    def __init__(self, snapshot: dict[bytes, bytes]) -> None:
        self.snapshot = snapshot

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return self.snapshot.get(key)

    def on_change(self, listener: Callable[[bytes, bytes | None], None]) -> None:
        """Nothing changes here."""


def test_entries_that_are_no_camera_are_passed_over() -> None:
    """Rubbish under a name, or under a key that is no text, does not stop a look at all cameras."""
    codec = EventCodec(MemoryRegistry())
    codec.prepare(CAMERAS)
    good = codec.encode(CAMERAS, Camera(camera_id="gate", role="entry"))
    entries = Entries({b"broken": b"no Avro", b"gate": good, b"\xff\xfe": good, b"empty": b""})
    cameras = CameraRegistry(entries, codec)  # type: ignore[arg-type]  # what it asks of a broadcast
    assert [camera.role for camera in cameras.values()] == ["entry"]
    assert (list(cameras), len(cameras)) == (["gate"], 1)
    assert "broken" not in cameras
