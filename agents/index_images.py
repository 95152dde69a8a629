"""The agent of the images role: makes the object store an archive that needs nothing else.

The edge uploads the images itself, beside its events and often after them. This agent writes each sighting next to its
images and tags them; images that have not arrived wait in a table and are looked for again.
"""

from functools import cache
from typing import Any

from agents.sinks.archive import ImageTagger, SightingArchive
from agents.sinks.archiving import DUE, PENDING, Archivist
from agents.sinks.delivery import Delivery
from agents.sinks.measured import MeasuredSink
from agents.sinks.object_store import ObjectStore
from agents.sinks.settings import ImagesSettings
from schemas.endpoints import endpoints
from schemas.topics import SIGHTINGS
from schemas.wiring import codec
from streams.roles import role_app
from tables.state import StateTable

app = role_app("images")
pending_images = StateTable(
    app,
    "pending_images",
    DUE,
    PENDING,
    partitions=SIGHTINGS.partitions,
    help="Images that were not there yet, by the event time of the next look",
)


@app.agent(app.runs(SIGHTINGS.name))
async def index_images(runs: Any) -> None:
    """Write each sighting beside its images in the object store, and tag the images with it."""
    async for run in runs:
        await archivist().handle(run)


@cache
def archivist() -> Archivist:
    """The process's archivist, made at first use."""
    settings = ImagesSettings()
    store = ObjectStore(endpoints(), settings)
    delivery = Delivery("index_images", SIGHTINGS, MeasuredSink(SightingArchive(store)), codec())
    return Archivist(delivery, ImageTagger(store), store.bucket, pending_images, settings)
