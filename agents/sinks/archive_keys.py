"""Where things stand in the object store: pure functions from a sighting to keys and tags.

Image URLs come from producers, so they are data to be checked: only keys in our bucket, without ``..``, and a folder is
taken for the event's own only when it bears the event's id.
"""

from dataclasses import dataclass
from urllib.parse import quote

from agents.sinks.storable import moment
from schemas.errors import SinkRejected
from schemas.events import Sighting

DOCUMENT = "sighting.json"
MAX_KEY_BYTES = 1024
MAX_SEGMENT_BYTES = 255  # file systems below S3 servers take no more
MAX_TAG_CHARS = 256
_TAG_PUNCTUATION = frozenset(" +-=._:/@")


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image of a sighting, with the tags that it is to bear.

    Attributes:
        key: in the bucket.
        event_id: of the sighting.
        plate: its identity at the revision; empty for an unreadable plate.
        revision: of the sighting.
    """

    key: str
    event_id: str
    plate: str
    revision: int

    @property
    def tags(self) -> dict[str, str]:
        """Object tags, reduced to the characters that S3 takes."""
        return {
            "event_id": tag_value(self.event_id),
            "plate": tag_value(self.plate),
            "revision": str(self.revision),
        }


def image_refs(sighting: Sighting, bucket: str) -> list[ImageRef]:
    """The sighting's images that stand in the bucket, each once."""
    plate = identity(sighting)
    urls = (sighting.images.plate_url, sighting.images.vehicle_url, sighting.images.frame_url)
    keys = dict.fromkeys(key for url in urls if (key := key_of(url, bucket)) is not None)
    return [ImageRef(key, sighting.event_id, plate, sighting.revision) for key in keys]


def identity(sighting: Sighting) -> str:
    """The plate as it is known at this revision."""
    if sighting.resolved is not None:
        return sighting.resolved.text
    return "" if sighting.plate is None else sighting.plate.normalized_text


def document_key(sighting: Sighting, bucket: str) -> str:
    """Key of the sighting's document: the folder of its images, else ``<camera>/<yyyy>/<mm>/<dd>/<event_id>/``.

    Raises:
        SinkRejected: no key can be made of it.
    """
    own = segment(sighting.event_id)
    for ref in image_refs(sighting, bucket):
        folder, _, _ = ref.key.rpartition("/")
        if folder.rpartition("/")[2] in (own, sighting.event_id):
            return check_key(f"{folder}/{DOCUMENT}")
    day = moment(sighting.captured_at, "captured_at")
    date = f"{day.year:04d}/{day.month:02d}/{day.day:02d}"
    return check_key(f"{segment(sighting.camera_id)}/{date}/{own}/{DOCUMENT}")


def key_of(url: str | None, bucket: str) -> str | None:
    """Key of an ``s3://bucket/key`` URL in this bucket; None for any other URL and for keys that cannot be."""
    prefix = f"s3://{bucket}/"
    if url is None or not url.startswith(prefix):
        return None
    try:
        return check_key(url.removeprefix(prefix))
    except SinkRejected:
        return None


def segment(text: str) -> str:
    """Text as one segment of a key: percent-encoded, never empty, never ``.`` or ``..``."""
    encoded = quote(text, safe="")
    if encoded.strip(".") == "":
        return encoded.replace(".", "%2E") or "%00"
    return encoded


def check_key(key: str) -> str:
    """The key, where it is one.

    Raises:
        SinkRejected: too long, not text, or with empty, ``.`` or ``..`` segments.
    """
    if not key.isprintable() or any("\ud800" <= char <= "\udfff" for char in key):
        raise SinkRejected("the object's key has characters that do not print")
    if len(key.encode()) > MAX_KEY_BYTES:
        raise SinkRejected(f"the object's key has more than {MAX_KEY_BYTES} bytes")
    segments = key.split("/")
    if any(part in ("", ".", "..") for part in segments):
        raise SinkRejected("the object's key has an empty, '.' or '..' segment")
    if any(len(part.encode()) > MAX_SEGMENT_BYTES for part in segments):
        raise SinkRejected(f"a segment of the object's key has more than {MAX_SEGMENT_BYTES} bytes")
    return key


def tag_value(text: str) -> str:
    """Letters, digits, spaces and ``+-=._:/@``, at most 256 characters (S3 User Guide, "Object tagging")."""
    return "".join([char for char in text if char.isalnum() or char in _TAG_PUNCTUATION])[:MAX_TAG_CHARS]
