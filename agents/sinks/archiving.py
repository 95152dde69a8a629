"""The archive of one run: documents first, then the images that are there, then those that were still on their way."""

from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from agents.sinks.archive import Look
from agents.sinks.archive_keys import ImageRef, image_refs
from agents.sinks.delivery import Delivery
from agents.sinks.pending_images import PendingImage, next_look
from agents.sinks.settings import ImagesSettings
from schemas.clock import Micros
from schemas.events import Sighting
from streams.retry import retrying
from streams.run import Run
from tables.serde import Serde, from_ordered_int, ordered_int, record
from tables.state import Changes, StateTable
from telemetry import metrics

Due = tuple[Micros, str]
"""Event time of the next look, and the key of the image"""
DUE: Serde[Due] = Serde(
    lambda due: ordered_int(due[0]) + due[1].encode(), lambda data: (from_ordered_int(data), data[8:].decode())
)
PENDING: Serde[PendingImage] = record(PendingImage)
PendingTable = StateTable[Due, PendingImage]
METRIC = "images.tags"


class Tagger(Protocol):
    """Tags images: `agents.sinks.archive.ImageTagger`, and a fake in tests."""

    async def tag(self, refs: Sequence[ImageRef]) -> list[Look]:
        """Look for images and tag those that are there.

        Raises:
            SinkUnavailable: not now; look again.
        """


class Archivist:
    """Archives runs of sightings.

    Args:
        delivery: writes the documents.
        tagger: tags the images.
        bucket: in which they stand.
        pending: the images on their way, by the time of their next look.
        settings: of the looks.
    """

    def __init__(
        self,
        delivery: Delivery[Sighting],
        tagger: Tagger,
        bucket: str,
        pending: PendingTable,
        settings: ImagesSettings,
    ) -> None:
        self._delivery = delivery
        self._tagger = tagger
        self._bucket = bucket
        self._pending = pending
        self._settings = settings

    async def handle(self, run: Run) -> None:
        """Take a run to its end.

        Raises:
            RunRevoked: the partition went to another worker while the store did not answer.
        """
        sightings, letters = await self._delivery.deliver(run)
        changes = Changes()
        if sightings:
            await self._tag(run, sightings, changes)
        await run.finish(changes, letters)

    async def _tag(self, run: Run, sightings: Sequence[Sighting], changes: Changes) -> None:
        now = max(max(sighting.captured_at, sighting.last_seen_at) for sighting in sightings)
        fresh = self._newest_images(sightings)
        due = dict(islice(self._pending.scan(run, stop=ordered_int(now)), self._settings.looks_per_run))
        named = {ref.key for ref in fresh}  # a newer revision names it: looked for once, as that
        waiting = [PendingImage.of(ref, now) for ref in fresh]
        waiting += [image.missed_again() for image in due.values() if image.key not in named]
        looks = await retrying(
            lambda: self._tagger.tag([image.ref for image in waiting]), run=run, what="images of sightings"
        )
        for at in due:
            changes.delete(self._pending, at)
        for image, look in zip(waiting, looks, strict=True):
            if look is not Look.MISSING:
                metrics.SINK_RECORDS.labels(METRIC, look.value).inc()
                continue
            at_us = next_look(image, now, self._settings)
            if at_us is None:
                metrics.SINK_RECORDS.labels(METRIC, "given_up").inc()
            else:
                changes.put(self._pending, (at_us, image.key), image)
                metrics.SINK_RECORDS.labels(METRIC, "pending").inc()

    def _newest_images(self, sightings: Sequence[Sighting]) -> list[ImageRef]:
        """Images of the run with the highest revision that names each."""
        newest: dict[str, ImageRef] = {}
        for sighting in sightings:
            for ref in image_refs(sighting, self._bucket):
                if ref.key not in newest or newest[ref.key].revision < ref.revision:
                    newest[ref.key] = ref
        return list(newest.values())
