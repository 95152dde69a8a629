"""What every index, image store and publisher must do, in memory and on the real server; subclasses give fixtures."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from query_api.ports import ImageStore, Publisher, SearchIndex
from query_api.values import TextQuery
from schemas.clock import to_datetime
from schemas.events import Vehicle
from tests.unit.query_api import samples

Seed = Callable[..., Awaitable[None]]
HOSTILE = ("'; DROP TABLE plate_events; --", "%", "_", "\\", '"', "$1", "%(plate)s", "🚗", "a" * 256, "{}", "null")


class SearchIndexContract:
    """Conformance of a `SearchIndex`."""

    @pytest.fixture
    def index(self) -> SearchIndex:
        """The implementation."""
        raise NotImplementedError

    @pytest.fixture
    def seed(self) -> Seed:
        """Writes sightings into it, visible on return."""
        raise NotImplementedError

    async def test_words_in_any_field(self, index: SearchIndex, seed: Seed) -> None:
        """All words must occur, in whatever field, in any case; what matched is marked."""
        camera = samples.fresh("cam")
        van = samples.sighting(camera_id=camera, vehicle=Vehicle("Van", "Ford", None, "White"))
        await seed(van, samples.sighting(camera_id=camera, vehicle=Vehicle("van", "Ford", None, "red")))
        [hit] = await index.search(TextQuery(text="white van", camera_ids=(camera,)), None, 10)
        assert hit.event.event_id == van.event_id
        assert hit.highlights == {"vehicle_color": ["<em>White</em>"], "vehicle_type": ["<em>Van</em>"]}

    async def test_plate_exact_before_confusable(self, index: SearchIndex, seed: Seed) -> None:
        """A plate is found as written and through confusables, the exact one first, however new the other is."""
        camera = samples.fresh("cam")
        exact = samples.sighting("AB-123-C", camera_id=camera, captured_at=samples.ago(9000))
        similar = samples.sighting("ABI23C", camera_id=camera, captured_at=samples.ago(10))
        await seed(exact, similar, samples.sighting("XY-99-Z", camera_id=camera))
        hits = await index.search(TextQuery(text="ab-123-c", camera_ids=(camera,)), None, 10)
        assert [hit.event.event_id for hit in hits] == [exact.event_id, similar.event_id]
        assert hits[0].highlights["plate_text"] == ["<em>AB-123-C</em>"]

    async def test_extras_are_searched(self, index: SearchIndex, seed: Seed) -> None:
        """What a producer adds is found too, and shown escaped."""
        camera, word = samples.fresh("cam"), samples.fresh("w").replace("-", "")
        await seed(samples.sighting(camera_id=camera, extras={"note": f"<b>{word}</b>"}))
        [hit] = await index.search(TextQuery(text=f"<b>{word}</b>", camera_ids=(camera,)), None, 10)
        assert hit.highlights["extras.note"] == [f"&lt;<em>b</em>&gt;<em>{word}</em>&lt;/<em>b</em>&gt;"]

    async def test_filters(self, index: SearchIndex, seed: Seed) -> None:
        """Camera, site and half-open time range restrict."""
        camera, at = samples.fresh("cam"), samples.ago(600) // 1000 * 1000
        events = [
            samples.sighting("QQ-11-Q", camera_id=camera, site_id=site, captured_at=at + shift)
            for site, shift in (("s1", 0), ("s1", 1_000_000), ("s2", 0))
        ]
        await seed(*events)

        async def found(**changes: Any) -> set[str]:
            query = TextQuery(text="QQ11Q", camera_ids=(camera,), **changes)
            return {hit.event.event_id for hit in await index.search(query, None, 10)}

        assert await found(site_ids=("s2",)) == {events[2].event_id}
        assert await found(start=to_datetime(at + 1_000)) == {events[1].event_id}
        assert await found(end=to_datetime(at + 1_000_000)) == {events[0].event_id, events[2].event_id}

    async def test_pages(self, index: SearchIndex, seed: Seed) -> None:
        """Pages show each hit once."""
        camera = samples.fresh("cam")
        events = [samples.sighting(camera_id=camera, captured_at=samples.ago(i // 2 * 60 + 5)) for i in range(7)]
        await seed(*events)
        query, after, found = TextQuery(text="AB123C", camera_ids=(camera,)), None, list[str]()
        while hits := await index.search(query, after, 3):
            found += [hit.event.event_id for hit in hits]
            after = hits[-1].after
        assert sorted(found) == sorted(event.event_id for event in events)

    @pytest.mark.parametrize(
        "text", [*HOSTILE, "(((", '"', "a AND OR", "/.*/", "*:*", "_exists_:x", "~~~", "QX[", "-", "+-|()"]
    )
    async def test_any_text_is_a_query(self, index: SearchIndex, seed: Seed, text: str) -> None:
        """No text is a syntax error, and none finds what it does not name."""
        camera = samples.fresh("cam")
        await seed(samples.sighting(camera_id=camera))
        assert await index.search(TextQuery(text=text, camera_ids=(camera,)), None, 10) == []

    async def test_event_fields(self, index: SearchIndex, seed: Seed) -> None:
        """A hit carries the event as the index has it."""
        event = samples.sighting(camera_id=samples.fresh("cam"))
        await seed(event)
        [hit] = await index.search(TextQuery(text="AB123C", camera_ids=(event.camera_id,)), None, 10)
        assert hit.event.captured_at == to_datetime(event.captured_at)
        assert (hit.event.plate_text, hit.event.latitude, hit.event.longitude) == ("AB-123-C", 52.1, 5.2)
        assert (hit.event.extras, hit.event.revision) == ({"lane": "2"}, 1)

    async def test_ping(self, index: SearchIndex) -> None:
        """A server that is there answers."""
        await index.ping()


class ImageStoreContract:
    """Conformance of an `ImageStore` for the bucket alpr-plate-images."""

    @pytest.fixture
    def images(self) -> ImageStore:
        """The implementation."""
        raise NotImplementedError

    async def test_own_images_get_links_that_expire(self, images: ImageStore) -> None:
        """An image of the platform's bucket has a signed link with an end, an hour ahead or more."""
        link = images.link("s3://alpr-plate-images/gate-1/2026/11/24/e1/plate.jpg")
        assert link is not None
        assert link.expires_at is not None
        assert link.url.startswith("http")
        assert link.expires_at >= datetime.now(UTC) + timedelta(minutes=59)

    @pytest.mark.parametrize(
        "url",
        [
            None,
            "",
            "s3://other-bucket/secret.txt",
            "s3://alpr-plate-images/",
            "s3://alpr-plate-images",
            "s3://alpr-plate-images/../secret",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "plate.jpg",
            "data:image/png;base64,AAAA",
        ],
    )
    async def test_everything_else_gets_none(self, images: ImageStore, url: str | None) -> None:
        """A producer cannot have anything signed or shown but images of the platform's bucket."""
        assert images.link(url) is None

    async def test_web_addresses_pass(self, images: ImageStore) -> None:
        """A producer's own web address is passed on without an end."""
        link = images.link("https://camera.example/1.jpg")
        assert link is not None
        assert (link.url, link.expires_at) == ("https://camera.example/1.jpg", None)

    async def test_ping(self, images: ImageStore) -> None:
        """A server that is there answers."""
        await images.ping()


class PublisherContract:
    """Conformance of a `Publisher`; `published` gives back what arrived, by id."""

    @pytest.fixture
    def publisher(self) -> Publisher:
        """The implementation."""
        raise NotImplementedError

    @pytest.fixture
    def published(self) -> Callable[[], Awaitable[dict[str, Any]]]:
        """What arrived so far: event_id or action_id to event."""
        raise NotImplementedError

    async def test_detections_arrive(
        self, publisher: Publisher, published: Callable[[], Awaitable[dict[str, Any]]]
    ) -> None:
        """When the call returns, each detection stands in the topic as it was."""
        detections = [samples.vehicle(camera_id=f"cam-{i}") for i in range(20)]
        await publisher.publish_detections(detections)
        arrived = await published()
        assert [arrived.get(item.event_id) for item in detections] == detections

    async def test_actions_arrive(
        self, publisher: Publisher, published: Callable[[], Awaitable[dict[str, Any]]]
    ) -> None:
        """When the call returns, the action stands in the topic as it was."""
        action = samples.action(samples.fresh("alert"), "label", label="false_positive", note="dirt 🙂")
        await publisher.publish_action(action)
        assert (await published()).get(action.action_id) == action

    async def test_ping(self, publisher: Publisher) -> None:
        """A server that is there answers."""
        await publisher.ping()
