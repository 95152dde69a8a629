"""The object store as an archive that needs nothing else: sightings beside their images, images that say whose."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import TypeVar

from agents.sinks.archive_keys import ImageRef, document_key
from agents.sinks.batching import Refused, write_newest
from agents.sinks.object_store import ObjectStore
from agents.sinks.port import Rejection
from agents.sinks.storable import check_storable
from schemas.errors import SinkRejected, SinkUnavailable
from schemas.events import Sighting
from schemas.records import to_json_record

Item = TypeVar("Item")
Result = TypeVar("Result")


class SightingArchive:
    """Writes ``sighting.json`` of each sighting; only a higher revision replaces one.

    S3 has no compare-and-set on a number, so the revision that stands in the object's metadata is read first. That is
    safe while one worker writes an event, which its frozen Kafka key sees to; a worker that was cut off and wakes up in
    between could put an older revision back, until the next one.

    Args:
        store: the bucket.
    """

    name = "images.sightings"

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._ready = False

    async def setup(self) -> None:
        """See `Sink.setup`: the bucket."""
        await self._store.make_bucket()
        self._ready = True

    async def write(self, batch: Sequence[Sighting]) -> list[Rejection]:
        """See `Sink.write`."""
        refused: Refused = {}
        sightings: dict[int, Sighting] = {}
        for index, sighting in enumerate(batch):
            try:
                check_storable(sighting)
                document_key(sighting, self._store.bucket)
                sightings[index] = sighting
            except SinkRejected as error:
                refused[index] = error
        try:
            if not self._ready:
                await self.setup()
            refused |= await write_newest(
                sightings,
                key=lambda sighting: document_key(sighting, self._store.bucket),
                version=lambda sighting: sighting.revision,
                write=self._put_all,
            )
        except SinkUnavailable:
            self._ready = False
            raise
        return [Rejection(index, error) for index, error in sorted(refused.items())]

    async def healthy(self) -> bool:
        """See `Sink.healthy`."""
        return await self._store.healthy()

    async def close(self) -> None:
        """See `Sink.close`."""
        await self._store.close()

    async def _put_all(self, sightings: Mapping[int, Sighting]) -> Refused:
        results = await each(sightings.values(), self._put)
        return {index: error for index, error in zip(sightings, results, strict=True) if error is not None}

    async def _put(self, sighting: Sighting) -> SinkRejected | None:
        key = document_key(sighting, self._store.bucket)
        try:
            standing = await self._store.metadata(key)
            if standing is None or sighting.revision > number(standing.get("revision")):
                body = json.dumps(to_json_record(sighting), ensure_ascii=False, indent=1, allow_nan=False)
                metadata = {"revision": str(sighting.revision)}
                await self._store.put(key, body.encode(), "application/json", metadata)
        except SinkRejected as error:
            return error
        return None


class Look(Enum):
    """What became of an image that was looked for."""

    TAGGED = "tagged"
    MISSING = "missing"  # still on its way
    LEFT = "left"  # it bears these tags, or a higher revision's, or belongs to another event


class ImageTagger:
    """Tags image objects with event_id, plate and revision; other tags of an object stay.

    Args:
        store: the bucket.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def tag(self, refs: Sequence[ImageRef]) -> list[Look]:
        """Look for images and tag those that are there.

        Raises:
            SinkUnavailable: not now; look again.
        """
        return await each(refs, self._tag)

    async def _tag(self, ref: ImageRef) -> Look:
        try:
            standing = await self._store.tags(ref.key)
            if standing is None:
                return Look.MISSING
            owner = standing.get("event_id")
            if owner is not None and (
                owner != ref.tags["event_id"] or number(standing.get("revision")) >= ref.revision
            ):
                return Look.LEFT
            await self._store.set_tags(ref.key, {**standing, **ref.tags})
        except SinkRejected:
            return Look.LEFT  # the image is there and stays; only its tags cannot be written
        return Look.TAGGED


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """Work on all items side by side; the first failure ends the others.

    Raises:
        SinkUnavailable: the first one.
    """

    async def one(item: Item) -> Result:
        return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]


def number(text: str | None) -> int:
    """A revision from metadata or a tag; 0 for what is none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else 0
