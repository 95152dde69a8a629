"""The ports in memory pass the conformance tests, so that unit tests on top of them mean something."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from query_api.ports import EventStore, ImageStore, Publisher, SearchIndex
from tests.unit.query_api import contracts
from tests.unit.query_api.fakes import MemoryImages, MemoryIndex, MemoryPublisher, MemoryStore
from tests.unit.query_api.store_contract import EventStoreContract
from tests.unit.query_api.visit_contract import VisitStoreContract


class TestMemoryStore(EventStoreContract, VisitStoreContract):
    """The store in memory."""

    @pytest.fixture
    def store(self) -> EventStore:
        """A new one."""
        return MemoryStore()

    @pytest.fixture
    def seed(self, store: MemoryStore) -> contracts.Seed:
        """Its own."""
        return store.seed


class TestMemoryIndex(contracts.SearchIndexContract):
    """The index in memory."""

    @pytest.fixture
    def index(self) -> SearchIndex:
        """A new one."""
        return MemoryIndex()

    @pytest.fixture
    def seed(self, index: MemoryIndex) -> contracts.Seed:
        """Its own."""
        return index.seed


class TestMemoryImages(contracts.ImageStoreContract):
    """The image store in memory."""

    @pytest.fixture
    def images(self) -> ImageStore:
        """A new one."""
        return MemoryImages()


class TestMemoryPublisher(contracts.PublisherContract):
    """The publisher in memory."""

    @pytest.fixture
    def publisher(self) -> Publisher:
        """A new one."""
        return MemoryPublisher()

    @pytest.fixture
    def published(self, publisher: MemoryPublisher) -> Callable[[], Awaitable[dict[str, Any]]]:
        """What it kept."""

        async def read() -> dict[str, Any]:
            detections = {item.event_id: item for item in publisher.detections}
            return {**detections, **{item.action_id: item for item in publisher.actions}}

        return read
