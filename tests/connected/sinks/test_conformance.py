"""Every store passes the same tests, on its real server."""

from collections.abc import AsyncIterator

import pytest

from tests.connected.sinks.conftest import ArchiveHarness, OpenSearchHarness, PostgresHarness
from tests.unit.agents.sinks.conformance import Harness, SinkConformance


class TestTimescale(SinkConformance):
    """TimescaleDB."""

    @pytest.fixture
    async def harness(self, timescale: PostgresHarness) -> AsyncIterator[Harness]:
        """The real server."""
        yield timescale


class TestPlainPostgres(SinkConformance):
    """PostgreSQL without the extension."""

    @pytest.fixture
    async def harness(self, postgres: PostgresHarness) -> AsyncIterator[Harness]:
        """The real server."""
        yield postgres


class TestOpenSearch(SinkConformance):
    """OpenSearch."""

    @pytest.fixture
    async def harness(self, opensearch: OpenSearchHarness) -> AsyncIterator[Harness]:
        """The real server."""
        yield opensearch


class TestArchive(SinkConformance):
    """S3."""

    @pytest.fixture
    async def harness(self, archive: ArchiveHarness) -> AsyncIterator[Harness]:
        """The real server."""
        yield archive
