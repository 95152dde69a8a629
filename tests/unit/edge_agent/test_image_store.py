"""Pictures go up in the background with their metadata, and S3's moods stop nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import pytest
import urllib3
from minio.error import S3Error

from edge_agent import image_store
from edge_agent.image_store import ImageStore
from edge_agent.outgoing import Picture, object_key

pytestmark = pytest.mark.thorough

METADATA = {"camera_id": "gate", "track_id": "p1", "plate_text": "AB12CD"}


def _error(code: str) -> S3Error:
    response = urllib3.HTTPResponse(status=503)
    return S3Error(response, code, "no", "r", "i", "h")


@dataclass
class FakeS3:
    """As much of minio.Minio as is used."""

    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=set)
    failures: list[Exception] = field(default_factory=list)
    calls: int = 0

    def bucket_exists(self, bucket: str) -> bool:
        """Whether it was made."""
        return bucket in self.buckets

    def make_bucket(self, bucket: str) -> None:
        """Makes it."""
        self.buckets.add(bucket)

    def put_object(self, bucket: str, key: str, data: IO[bytes], length: int, **options: Any) -> None:
        """Stores, or fails as it was told to."""
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        assert bucket in self.buckets
        self.objects[key] = (data.read(length), options["metadata"])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_store, "FIRST_PAUSE_S", 0.01)


def _store(s3: FakeS3, queue_size: int = 50) -> ImageStore:
    return ImageStore(s3, "plates", queue_size=queue_size)  # type: ignore[arg-type]  # a fake behind the client's face


def _picture(number: int = 0, encode: Callable[[], bytes] | None = None) -> Picture:
    return Picture(f"gate/{number}.jpg", encode or (lambda: b"jpeg"), METADATA)


def test_pictures_arrive_with_their_metadata_and_make_the_bucket() -> None:
    """The first upload makes the bucket; each object says camera, track and plate."""
    s3 = FakeS3()
    store = _store(s3)
    store.start()
    for number in range(5):
        store.put(_picture(number))
    assert store.close(5) == 0
    assert len(s3.objects) == 5
    assert s3.objects["gate/0.jpg"] == (b"jpeg", METADATA)


@pytest.mark.parametrize("failure", [urllib3.exceptions.MaxRetryError(None, "/", None), _error("SlowDown")])  # type: ignore[arg-type]  # what a dead server gives
def test_a_passing_trouble_is_tried_again(failure: Exception) -> None:
    """A server that is away or busy twice gets the picture the third time."""
    s3 = FakeS3(failures=[failure, failure])
    store = _store(s3)
    store.start()
    store.put(_picture())
    assert store.close(5) == 0
    assert s3.calls == 3
    assert len(s3.objects) == 1


def test_a_refusal_is_final_and_the_next_picture_goes_on() -> None:
    """Access denied is not tried again."""
    s3 = FakeS3(failures=[_error("AccessDenied")])
    store = _store(s3)
    store.start()
    store.put(_picture(1))
    store.put(_picture(2))
    assert store.close(5) == 0
    assert list(s3.objects) == ["gate/2.jpg"]
    assert s3.calls == 2


def test_a_full_queue_never_blocks_the_camera() -> None:
    """With S3 stuck, putting returns at once and the excess is dropped."""
    store = _store(FakeS3(), queue_size=2)
    start_s = time.monotonic()
    for number in range(10):
        store.put(_picture(number))
    assert time.monotonic() - start_s < 1
    assert store.close(0) == 2


def test_keys_sort_by_camera_and_day() -> None:
    """The layout is camera, year, month, day, event, kind; the day is UTC."""
    assert object_key("gate", 1769903999_000000, "e1", "plate") == "gate/2026/01/31/e1/plate.jpg"
    assert object_key("gate", 1769904000_000000, "e1", "plate") == "gate/2026/02/01/e1/plate.jpg"
