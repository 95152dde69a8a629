"""Images on their way: looked for on later runs, by event time, with the real table."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agents.sinks.archive import Look
from agents.sinks.archive_keys import ImageRef
from agents.sinks.archiving import DUE, PENDING, Archivist, PendingTable
from agents.sinks.delivery import Delivery
from agents.sinks.settings import ImagesSettings
from schemas.errors import SinkUnavailable
from schemas.events import Images, Sighting
from schemas.topics import SIGHTINGS
from streams.run import Run
from tables.state import StateTable
from telemetry import metrics
from tests.unit.agents.sinks.memory_sink import MemorySink
from tests.unit.agents.sinks.runs import Bench, bench
from tests.unit.agents.sinks.sightings import NOON, sighting
from tests.unit.streams.doubles import FakeKeeper, make_app

SECOND = 1_000_000
BUCKET = "alpr-plate-images"


class FakeTagger:
    """Knows which images have arrived.

    Attributes:
        there: their keys.
        asked: what was looked for, call by call.
        failures: how many calls fail first.
    """

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.asked: list[list[ImageRef]] = []
        self.failures = 0

    async def tag(self, refs: Sequence[ImageRef]) -> list[Look]:
        """As `ImageTagger.tag`."""
        self.asked.append(list(refs))
        if self.failures:
            self.failures -= 1
            raise SinkUnavailable("away", 0.001)
        return [Look.TAGGED if ref.key in self.there else Look.MISSING for ref in refs]


class Rig:
    """An archivist on a real table, a fake store and a fake tagger."""

    def __init__(self, table: PendingTable, settings: ImagesSettings) -> None:
        self.work: Bench = bench()
        self.sink = MemorySink()
        self.tagger = FakeTagger()
        self.table = table
        delivery: Delivery[Sighting] = Delivery("images", SIGHTINGS, self.sink, self.work.codec)
        self.archivist = Archivist(delivery, self.tagger, BUCKET, table, settings)

    async def take(self, *events: Sighting | bytes) -> Run:
        """Handle a run and keep its changes, as the transport does."""
        run = self.work.run(SIGHTINGS, events)
        await self.archivist.handle(run)
        keeper = run._keeper
        assert isinstance(keeper, FakeKeeper)
        ((_, changes, _),) = keeper.finished
        for table, values in changes.items():
            table.store.stage(run.tp.partition, values)
        return run

    def waiting(self) -> list[str]:
        """Keys of the images that wait, by their next look."""
        return [key for (_, key), _ in self.table.scan(self.work.run(SIGHTINGS, [b""]))]


def at(seconds: float, event_id: str = "event-1", revision: int = 1, image: str | None = None) -> Sighting:
    """A sighting some seconds after noon, with an image or none."""
    time = NOON + round(seconds * SECOND)
    images = Images(None if image is None else f"s3://{BUCKET}/{image}")
    return sighting(event_id, revision, captured_at=time, first_seen_at=time, last_seen_at=time, images=images)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Looks after 2, 4, 8 ... s of event time, for 60 s."""
    app = make_app(tmp_path)
    app._create_directories()
    table = StateTable(app, "pending_images", DUE, PENDING, partitions=1, help="images on their way")
    yield Rig(table, ImagesSettings(first_look_s=2, give_up_s=60, looks_per_run=3))
    table.table.store._dbs.clear()


async def test_image_that_is_there_is_tagged_at_once(rig: Rig) -> None:
    """Nothing waits."""
    rig.tagger.there.add("a.jpg")
    await rig.take(at(0, image="a.jpg"))
    assert rig.waiting() == []
    assert rig.sink.rows.keys() == {"event-1"}


async def test_image_on_its_way_is_looked_for_on_a_later_run(rig: Rig) -> None:
    """Not before its time, and no longer once it is tagged."""
    await rig.take(at(0, image="a.jpg"))
    assert rig.waiting() == ["a.jpg"]
    await rig.take(at(1, "event-2"))
    assert len(rig.tagger.asked[1]) == 0
    rig.tagger.there.add("a.jpg")
    await rig.take(at(3, "event-3"))
    assert rig.tagger.asked[2] == [ImageRef("a.jpg", "event-1", "AB1O23", 1)]
    assert rig.waiting() == []
    await rig.take(at(60, "event-4"))
    assert rig.tagger.asked[3] == []


async def test_missing_image_is_given_up_in_the_end(rig: Rig) -> None:
    """Looks thin out, end after the setting, and are counted; the sighting itself was never refused."""
    given_up = metrics.SINK_RECORDS.labels("images.tags", "given_up")._value.get()
    await rig.take(at(0, image="a.jpg"))
    for second in range(1, 120):
        await rig.take(at(second, f"event-{second + 1}"))
    looks = sum(1 for refs in rig.tagger.asked if refs)
    assert 5 <= looks <= 8
    assert rig.waiting() == []
    assert metrics.SINK_RECORDS.labels("images.tags", "given_up")._value.get() == given_up + 1


async def test_newer_revision_takes_over_the_looking(rig: Rig) -> None:
    """One image is looked for once, with the tags of the newest revision that names it."""
    await rig.take(at(0, image="a.jpg"))
    await rig.take(at(5, revision=2, image="a.jpg"), at(5, revision=3, image="a.jpg"))
    assert [(ref.key, ref.revision) for ref in rig.tagger.asked[1]] == [("a.jpg", 3)]
    assert rig.waiting() == ["a.jpg"]


async def test_looks_of_one_run_are_bounded(rig: Rig) -> None:
    """Many missing images do not make a run endless."""
    await rig.take(*(at(0, f"event-{n}", image=f"{n}.jpg") for n in range(10)))
    await rig.take(at(10, "event-x"))
    assert len(rig.tagger.asked[1]) == 3
    assert len(rig.waiting()) == 10


async def test_store_that_goes_away_between_document_and_image(rig: Rig) -> None:
    """The looking is repeated; the run is finished once."""
    rig.tagger.failures = 2
    rig.tagger.there.add("a.jpg")
    await asyncio.wait_for(rig.take(at(0, image="a.jpg")), 5)
    assert len(rig.tagger.asked) == 3
    assert rig.waiting() == []


async def test_run_without_a_sighting_changes_nothing(rig: Rig) -> None:
    """Event time stands still with bad records: nothing is looked for, nothing is lost."""
    await rig.take(at(0, image="a.jpg"))
    await rig.take(b"random")
    assert rig.waiting() == ["a.jpg"]


async def test_old_event_gets_its_looks(rig: Rig) -> None:
    """An event of yesterday does not turn the time back, and its image is looked for."""
    await rig.take(at(0))
    await rig.take(at(-86_400, "event-2", image="old.jpg"))
    assert rig.waiting() == ["old.jpg"]
    rig.tagger.there.add("old.jpg")
    await rig.take(at(1, "event-3"))
    assert rig.waiting() == []
