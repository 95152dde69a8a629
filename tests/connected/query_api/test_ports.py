"""The adapters pass the same conformance tests as the ports in memory, on the real servers."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from minio import Minio

from query_api.ports import EventStore, ImageStore, Publisher, SearchIndex
from query_api.settings import ApiSettings
from query_api.stores.image_links import S3Images
from query_api.stores.kafka import KafkaPublisher
from query_api.stores.opensearch import OpenSearchIndex
from query_api.stores.timescale import TimescaleStore
from query_api.values import TextQuery
from query_api.wiring import real_ports
from schemas.endpoints import Endpoints
from schemas.errors import Unavailable
from schemas.topics import ALERT_ACTIONS, DETECTED
from tests.connected.query_api.conftest import ReadTopic, Seed, database_seed, index_seed
from tests.unit.query_api import contracts, samples
from tests.unit.query_api.store_contract import EventStoreContract
from tests.unit.query_api.visit_contract import VisitStoreContract


class TestTimescale(EventStoreContract, VisitStoreContract):
    """TimescaleDB."""

    @pytest.fixture
    def dsn(self, servers: Endpoints) -> str:
        """Its connection string."""
        return servers.timescale_dsn.get_secret_value()

    @pytest.fixture
    def seed(self, dsn: str) -> Seed:
        """Through the sink."""
        return database_seed(dsn)

    @pytest.fixture
    async def store(self, dsn: str, settings: ApiSettings, seed: Seed) -> AsyncIterator[EventStore]:
        """The adapter; the schema is there."""
        await seed(samples.sighting())
        store = TimescaleStore.connect(dsn, settings)
        await store.open()
        yield store
        await store.close()


class TestPostgres(TestTimescale):
    """Plain PostgreSQL, without the extension."""

    @pytest.fixture
    def dsn(self, stack: Any) -> str:
        """Its connection string; it is started for these tests."""
        if "ALPR_POSTGRES_DSN" not in stack.env:
            stack.start("postgres")
        return str(stack.postgres_dsn)

    async def test_cannot_write(self, store: TimescaleStore) -> None:
        """Even a statement that wants to write cannot: the session is read-only."""
        with pytest.raises(Unavailable):
            await store._database.rows("DELETE FROM plate_events")


class TestOpenSearch(contracts.SearchIndexContract):
    """OpenSearch."""

    @pytest.fixture
    def seed(self, servers: Endpoints) -> Seed:
        """Through the sink."""

        async def seed(*items: Any) -> None:
            await index_seed(servers.opensearch_url, *items)

        return seed

    @pytest.fixture
    async def index(self, servers: Endpoints, settings: ApiSettings) -> AsyncIterator[SearchIndex]:
        """The adapter."""
        index = OpenSearchIndex(servers.opensearch_url, settings.search_timeout_s, 5)
        await index.open()
        yield index
        await index.close()

    async def test_parts_and_patterns_of_plates(self, index: SearchIndex, seed: Seed) -> None:
        """A half-remembered plate is found: a part of it, a pattern, one character wrong."""
        camera = samples.fresh("cam")
        event = samples.sighting("KX-57-TRF", camera_id=camera)
        await seed(event, samples.sighting("AA-11-AA", camera_id=camera))
        for text in ("57TR", "KX5*", "K?57*F", "kx 58 trf"):
            hits = await index.search(TextQuery(text=text, camera_ids=(camera,)), None, 10)
            assert [hit.event.event_id for hit in hits] == [event.event_id], text

    async def test_no_index_yet(self, servers: Endpoints) -> None:
        """Before the first sighting there is no index; a search finds nothing instead of failing."""
        index = OpenSearchIndex(servers.opensearch_url, 5, 5, alias="alpr-nothing-yet")
        await index.open()
        try:
            assert await index.search(TextQuery(text="x"), None, 10) == []
        finally:
            await index.close()


class TestS3(contracts.ImageStoreContract):
    """S3."""

    @pytest.fixture
    def images(self, servers: Endpoints, settings: ApiSettings) -> ImageStore:
        """The adapter."""
        return real_ports(settings, servers).images

    async def test_link_opens_and_a_changed_one_does_not(self, images: S3Images, servers: Endpoints) -> None:
        """A link gives the picture without credentials; for another key, or tampered with, it does not."""
        key = f"{samples.fresh('cam')}/2026/11/24/ä b+c/plate.jpg"
        client = Minio(
            servers.s3_endpoint.partition("://")[2],
            servers.s3_access_key,
            servers.s3_secret_key.get_secret_value(),
            secure=False,
        )
        client.put_object(servers.s3_bucket, key, io.BytesIO(b"picture"), 7, content_type="image/jpeg")
        link = images.link(f"s3://{servers.s3_bucket}/{key}")
        assert link is not None
        async with httpx.AsyncClient() as browser:
            assert (await browser.get(link.url)).content == b"picture"
            assert (await browser.get(link.url.replace("plate.jpg", "frame.jpg"))).status_code == 403
            assert (await browser.get(link.url.partition("?")[0])).status_code == 403


class TestKafka(contracts.PublisherContract):
    """Kafka, with the registry."""

    @pytest.fixture
    async def publisher(self, servers: Endpoints, settings: ApiSettings, topics: None) -> AsyncIterator[Publisher]:
        """The adapter."""
        publisher = real_ports(settings, servers).publisher
        assert isinstance(publisher, KafkaPublisher)
        await publisher.open()
        yield publisher
        await publisher.close()

    @pytest.fixture
    def published(self, read_topic: ReadTopic) -> Any:
        """What stands in the topics."""

        async def read() -> dict[str, Any]:
            detections = {event.event_id: event for _, event in await asyncio.to_thread(read_topic, DETECTED)}
            return {
                **detections,
                **{event.action_id: event for _, event in await asyncio.to_thread(read_topic, ALERT_ACTIONS)},
            }

        return read

    async def test_keys(self, publisher: Publisher, read_topic: ReadTopic) -> None:
        """Detections are keyed by camera, actions by alert: what belongs together stays in order."""
        detection, action = samples.vehicle(camera_id=samples.fresh("cam")), samples.action(samples.fresh("alert"))
        await publisher.publish_detections([detection])
        await publisher.publish_action(action)
        assert (detection.camera_id, detection) in await asyncio.to_thread(read_topic, DETECTED)
        assert (action.alert_id, action) in await asyncio.to_thread(read_topic, ALERT_ACTIONS)
