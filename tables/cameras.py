"""The camera registry as every worker holds it: the compacted topic ``alpr.cameras``, decoded."""

from collections.abc import Iterator, Mapping

from schemas.codec import EventCodec
from schemas.errors import SchemaError, Unavailable
from schemas.events import Camera
from schemas.topics import CAMERAS
from streams.broadcast import Broadcast
from telemetry.log import get_logger

log = get_logger(__name__)


class CameraRegistry(Mapping[str, Camera]):
    """Cameras by camera_id, kept up to date by a broadcast. Values are decoded at their first use.

    A value that is no camera is logged once and passed over: a bad entry must not stop the detections of all others.

    Args:
        broadcast: of ``alpr.cameras``.
        codec: for its values.
    """

    def __init__(self, broadcast: Broadcast, codec: EventCodec) -> None:
        self._broadcast = broadcast
        self._codec = codec
        self._decoded: dict[str, Camera | None] = {}
        broadcast.on_change(self._forget)

    def __getitem__(self, camera_id: str) -> Camera:
        """The camera.

        Raises:
            KeyError: it is not registered.
        """
        if camera_id in self._decoded:
            camera = self._decoded[camera_id]
        else:
            value = self._broadcast.get(camera_id.encode())
            if value is None:
                raise KeyError(camera_id)
            camera = self._decoded[camera_id] = self._decode(camera_id, value)
        if camera is None:
            raise KeyError(camera_id)
        return camera

    def __iter__(self) -> Iterator[str]:
        names = [key.decode(errors="replace") for key in self._broadcast.snapshot]
        return iter([name for name in names if name in self])  # without entries that are no camera

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _decode(self, camera_id: str, value: bytes) -> Camera | None:
        try:
            camera: Camera = self._codec.decode(CAMERAS, value)
        except Unavailable:
            raise
        except SchemaError as error:
            log.error("camera entry cannot be read", camera_id=camera_id, error=str(error))
            return None
        return camera

    def _forget(self, key: bytes, _value: bytes | None) -> None:
        self._decoded.pop(key.decode(errors="replace"), None)
