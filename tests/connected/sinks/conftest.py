"""The stores of the stack, each behind a cable that tests can pull."""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from agents.sinks import sql_tables
from agents.sinks.archive import SightingArchive
from agents.sinks.documents import sighting_index
from agents.sinks.object_store import ObjectStore
from agents.sinks.opensearch import OpenSearchSink
from agents.sinks.postgres import PostgresSink
from agents.sinks.settings import ImagesSettings, OpenSearchSettings, TimescaleSettings
from schemas.endpoints import Endpoints
from schemas.events import Location, Sighting
from tests.connected.sinks.cable import HOST, Cable
from tests.unit.agents.sinks.conformance import Stored
from tests.unit.agents.sinks.sightings import sighting


def through(url: str, cable: Cable) -> str:
    """The URL with the cable's address in place of the server's."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{HOST}:{cable.port}" if login else f"{HOST}:{cable.port}"))


async def cable_to(url: str) -> Cable:
    """A cable to the server of a URL."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    cable = Cable(parts.hostname, parts.port)
    await cable.mend()
    return cable


class Cabled:
    """The half of a harness that all stores share."""

    def __init__(self, cable: Cable) -> None:
        self._cable = cable

    async def cut(self) -> None:
        """Pull the cable."""
        await self._cable.cut()

    async def mend(self) -> None:
        """Plug it in again."""
        await self._cable.mend()


class PostgresHarness(Cabled):
    """A table of sightings."""

    def __init__(self, dsn: str, cable: Cable) -> None:
        super().__init__(cable)
        self.dsn = dsn
        settings = TimescaleSettings(connect_timeout_s=3, statement_timeout_s=20)
        self.sink = PostgresSink(sql_tables.plate_events(), through(dsn, cable), settings)

    async def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            return await (await connection.execute(statement.encode(), parameters)).fetchall()

    async def stored(self, event_id: str) -> Stored | None:
        """The row."""
        rows = await self.query("SELECT revision, plate_text FROM plate_events WHERE event_id = %s", event_id)
        assert len(rows) <= 1
        return Stored(*rows[0]) if rows else None

    def bad(self, event_id: str, revision: int) -> Sighting:
        """JSON text may hold a NUL, jsonb may not: the server finds out."""
        return sighting(event_id, revision, extras={"note": "\0"})


class OpenSearchHarness(Cabled):
    """The monthly indices."""

    def __init__(self, url: str, cable: Cable) -> None:
        super().__init__(cable)
        self.url = url
        self.spec = sighting_index()
        self.sink = OpenSearchSink(self.spec, through(url, cable), OpenSearchSettings(timeout_s=15, bulk_documents=250))
        self.direct = OpenSearchSink(self.spec, url)._open()

    async def stored(self, event_id: str) -> Stored | None:
        """The document, by id (no refresh needed)."""
        found = await self.direct.mget(
            body={"docs": [{"_index": name, "_id": event_id} for name in await self.indices()]}
        )
        there = [doc for doc in found["docs"] if doc.get("found")]
        assert len(there) <= 1
        if not there:
            return None
        assert there[0]["_version"] == there[0]["_source"]["revision"]
        return Stored(there[0]["_version"], there[0]["_source"]["plate_text"])

    async def indices(self) -> list[str]:
        """Names of the indices behind the alias."""
        return list(await self.direct.indices.get_alias(name=self.spec.alias))

    def bad(self, event_id: str, revision: int) -> Sighting:
        """A latitude that the geo_point field refuses."""
        return sighting(event_id, revision, location=Location(300.0, 4.0))


class ArchiveHarness(Cabled):
    """The documents in the bucket."""

    def __init__(self, endpoints: Endpoints, cable: Cable) -> None:
        super().__init__(cable)
        self.settings = ImagesSettings(timeout_s=5)
        self.direct = ObjectStore(endpoints, self.settings)
        cabled = endpoints.model_copy(update={"s3_endpoint": through(endpoints.s3_endpoint, cable)})
        self.store = ObjectStore(cabled, self.settings)
        self.sink = SightingArchive(self.store)

    async def stored(self, event_id: str) -> Stored | None:
        """The document, found by its metadata and content."""
        import json

        client, bucket = self.direct._client, self.direct.bucket
        found = [
            json.loads(client.get_object(bucket, item.object_name).data)
            for item in client.list_objects(bucket, recursive=True)
            if item.object_name is not None and event_id in item.object_name
        ]
        assert len(found) <= 1
        return Stored(found[0]["revision"], found[0]["plate"]["text"]) if found else None

    def bad(self, event_id: str, revision: int) -> Sighting:
        """A camera id too long for a segment of a key."""
        return sighting(event_id, revision, camera_id="c" * 300)


@pytest.fixture(scope="session")
def plain_postgres(stack: Any) -> Iterator[str]:
    """A PostgreSQL without TimescaleDB."""
    if "ALPR_POSTGRES_DSN" not in os.environ:
        stack.start("postgres")
    yield stack.postgres_dsn


@pytest.fixture
async def scratch_postgres(plain_postgres: str) -> AsyncIterator[str]:
    """An empty database of the test's own."""
    name = f"sinks_{uuid4().hex[:12]}"
    async with await psycopg.AsyncConnection.connect(plain_postgres, autocommit=True) as connection:
        await connection.execute(f'CREATE DATABASE "{name}"'.encode())
        yield urlunsplit(urlsplit(plain_postgres)._replace(path=f"/{name}"))
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
async def timescale(stack: Any) -> AsyncIterator[PostgresHarness]:
    """TimescaleDB behind a cable."""
    cable = await cable_to(stack.timescale_dsn)
    harness = PostgresHarness(stack.timescale_dsn, cable)
    yield harness
    await harness.sink.close()
    await cable.cut()


@pytest.fixture
async def postgres(plain_postgres: str) -> AsyncIterator[PostgresHarness]:
    """Plain PostgreSQL behind a cable."""
    cable = await cable_to(plain_postgres)
    harness = PostgresHarness(plain_postgres, cable)
    yield harness
    await harness.sink.close()
    await cable.cut()


@pytest.fixture
async def opensearch(stack: Any) -> AsyncIterator[OpenSearchHarness]:
    """OpenSearch behind a cable."""
    cable = await cable_to(stack.opensearch_url)
    harness = OpenSearchHarness(stack.opensearch_url, cable)
    yield harness
    await harness.sink.close()
    await harness.direct.close()
    await cable.cut()


@pytest.fixture
async def archive(stack: Any) -> AsyncIterator[ArchiveHarness]:
    """The S3 server behind a cable, with a bucket of the test's own."""
    endpoints = Endpoints(s3_bucket=f"sinks-{uuid4().hex[:12]}")
    assert endpoints.s3_endpoint == stack.s3_endpoint
    cable = await cable_to(endpoints.s3_endpoint)
    harness = ArchiveHarness(endpoints, cable)
    yield harness
    await harness.sink.close()
    await harness.direct.close()
    await cable.cut()
