"""The archive on a real S3 server."""

import io
import json

import pytest

from agents.sinks.archive import ImageTagger, Look
from agents.sinks.archive_keys import ImageRef, document_key
from schemas.events import Images
from schemas.records import to_json_record
from tests.connected.sinks.conftest import ArchiveHarness
from tests.unit.agents.sinks.sightings import new_id, sighting


def upload(archive: ArchiveHarness, key: str) -> None:
    """What the edge does."""
    archive.direct._client.put_object(
        archive.direct.bucket, key, io.BytesIO(b"jpeg"), 4, "image/jpeg", metadata={"camera_id": "gate-1"}
    )


async def test_document_is_the_whole_sighting_beside_its_image(archive: ArchiveHarness) -> None:
    """Whoever finds the folder needs nothing else: JSON with every field, its revision in the metadata."""
    event = new_id()
    folder = f"gate-1/2026/11/24/{event}"
    seen = sighting(event, 2, "京-1", images=Images(f"s3://{archive.direct.bucket}/{folder}/plate.jpg"))
    assert await archive.sink.write([seen]) == []
    assert document_key(seen, archive.direct.bucket) == f"{folder}/sighting.json"
    found = archive.direct._client.get_object(archive.direct.bucket, f"{folder}/sighting.json")
    assert json.loads(found.data) == to_json_record(seen)
    assert found.headers["content-type"] == "application/json"
    assert await archive.direct.metadata(f"{folder}/sighting.json") == {"revision": "2"}


async def test_tags_arrive_with_the_image_and_keep_its_metadata(archive: ArchiveHarness) -> None:
    """Missing before the upload, tagged after it, left alone when looked at again; content and metadata stay."""
    await archive.sink.setup()
    tagger, ref = ImageTagger(archive.store), ImageRef("g/e1/plate.jpg", "e1", "AB京1", 1)
    assert await tagger.tag([ref]) == [Look.MISSING]
    upload(archive, ref.key)
    assert await tagger.tag([ref]) == [Look.TAGGED]
    assert await tagger.tag([ref]) == [Look.LEFT]
    assert await archive.direct.tags(ref.key) == {"event_id": "e1", "plate": "AB京1", "revision": "1"}
    assert await archive.direct.metadata(ref.key) == {"camera_id": "gate-1"}


async def test_only_higher_revisions_change_tags(archive: ArchiveHarness) -> None:
    """A later identity is written over an earlier one, never the other way."""
    await archive.sink.setup()
    tagger = ImageTagger(archive.store)
    upload(archive, "g/e1/plate.jpg")
    looks = [
        (await tagger.tag([ImageRef("g/e1/plate.jpg", "e1", plate, revision)]))[0]
        for plate, revision in (("B", 2), ("A", 1), ("C", 3))
    ]
    assert looks == [Look.TAGGED, Look.LEFT, Look.TAGGED]
    assert (await archive.direct.tags("g/e1/plate.jpg") or {})["plate"] == "C"


async def test_another_events_image_is_never_taken_over(archive: ArchiveHarness) -> None:
    """A producer cannot put its event's name on an image that belongs to another one."""
    await archive.sink.setup()
    tagger = ImageTagger(archive.store)
    upload(archive, "g/e1/plate.jpg")
    await tagger.tag([ImageRef("g/e1/plate.jpg", "e1", "A", 1)])
    assert await tagger.tag([ImageRef("g/e1/plate.jpg", "evil", "B", 99)]) == [Look.LEFT]
    assert (await archive.direct.tags("g/e1/plate.jpg") or {})["event_id"] == "e1"


@pytest.mark.parametrize("count", [3, 10])
async def test_tags_of_others_stay(archive: ArchiveHarness, count: int) -> None:
    """An operator's tags are kept; where S3 has no room for ours, the image is left as it is."""
    await archive.sink.setup()
    tagger = ImageTagger(archive.store)
    upload(archive, "g/e1/plate.jpg")
    theirs = {f"tag{n}": "x" for n in range(count)}
    await archive.direct.set_tags("g/e1/plate.jpg", theirs)
    (look,) = await tagger.tag([ImageRef("g/e1/plate.jpg", "e1", "A", 1)])
    tags = await archive.direct.tags("g/e1/plate.jpg") or {}
    assert theirs.items() <= tags.items()
    assert (look, "event_id" in tags) == ((Look.TAGGED, True) if count == 3 else (Look.LEFT, False))


async def test_wiped_bucket_comes_back(archive: ArchiveHarness) -> None:
    """A bucket that was removed is made again at the next try, and the batch goes through."""
    client, bucket = archive.direct._client, archive.direct.bucket
    first = sighting(new_id())
    await archive.sink.write([first])
    for item in client.list_objects(bucket, recursive=True):
        assert item.object_name is not None
        client.remove_object(bucket, item.object_name)
    client.remove_bucket(bucket)
    await archive.sink.setup()
    assert await archive.sink.write([first]) == []
    assert await archive.stored(first.event_id) is not None
