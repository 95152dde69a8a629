"""Events put into the real servers by the platform's own sinks, and the API served on a real socket."""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
import uvicorn
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from opensearchpy import AsyncOpenSearch

from agents.sinks import documents, sql_tables
from agents.sinks.opensearch import OpenSearchSink
from agents.sinks.postgres import PostgresSink
from agents.sinks.settings import TimescaleSettings
from query_api.app import create_app
from query_api.settings import ApiSettings
from query_api.wiring import real_ports
from schemas.codec import EventCodec
from schemas.endpoints import Endpoints
from schemas.errors import SchemaError
from schemas.events import Alert, AlertAction, DeadLetter, Detection, Receipt, Sighting, Visit
from schemas.registry import HttpRegistry
from schemas.topics import ALERT_ACTIONS, DETECTED, Topic
from tests.unit.query_api import samples

Seed = Callable[..., Coroutine[Any, Any, None]]
Put = Callable[..., None]
ReadTopic = Callable[[Topic], list[tuple[str, Any]]]
_TABLES: dict[type, Callable[[], Any]] = {
    Sighting: sql_tables.plate_events,
    Detection: sql_tables.vehicle_events,
    Alert: sql_tables.alerts,
    AlertAction: sql_tables.alert_actions,
    Receipt: sql_tables.notifications,
    DeadLetter: sql_tables.dead_letters,
    Visit: sql_tables.visits,
}


@pytest.fixture
def servers(stack: Any) -> Endpoints:
    """Where this run's servers are."""
    return Endpoints()


@pytest.fixture
def settings() -> ApiSettings:
    """Settings that answer at once, and wait as long as two busy cores may need."""
    return ApiSettings(stats_cache_s=0, health_timeout_s=5, publish_timeout_s=10)


@pytest.fixture
def topics(servers: Endpoints) -> None:
    """The topics that the API writes to."""
    admin = AdminClient({"bootstrap.servers": servers.kafka_bootstrap})
    there = admin.list_topics(timeout=10).topics
    missing = [topic for topic in (DETECTED, ALERT_ACTIONS) if topic.name not in there]
    new = [NewTopic(topic.name, topic.partitions, 1, config=topic.config) for topic in missing]
    for future in admin.create_topics(new).values() if new else ():
        future.result(20)


@pytest.fixture
def put(servers: Endpoints) -> Put:
    """Writes events into TimescaleDB; the schema is there."""
    seed = database_seed(servers.timescale_dsn.get_secret_value())
    asyncio.run(seed(samples.sighting()))
    return lambda *items: asyncio.run(seed(*items))


def database_seed(dsn: str) -> Seed:
    """A function that writes events as the TimescaleDB sink does."""

    async def seed(*items: Any) -> None:
        by_kind: dict[type, list[Any]] = defaultdict(list)
        for item in items:
            by_kind[type(item)].append(item)
        for kind, batch in by_kind.items():
            sink = PostgresSink(_TABLES[kind](), dsn, TimescaleSettings())
            try:
                assert await sink.write(batch) == []
            finally:
                await sink.close()

    return seed


async def index_seed(url: str, *items: Sighting) -> None:
    """Write sightings as the OpenSearch sink does, and wait until they can be found."""
    sink = OpenSearchSink(documents.sighting_index(), url)
    client = AsyncOpenSearch(hosts=[url])
    try:
        assert await sink.write(items) == []
        await client.indices.refresh(index="alpr-events")
    finally:
        await sink.close()
        await client.close()


@pytest.fixture
def put_index(servers: Endpoints) -> Put:
    """Writes sightings into OpenSearch."""
    return lambda *items: asyncio.run(index_seed(servers.opensearch_url, *items))


@pytest.fixture
def read_topic(servers: Endpoints) -> ReadTopic:
    """Reads all of a topic: key and event of each record."""
    codec = EventCodec(HttpRegistry(servers.registry_url))

    def read(topic: Topic) -> list[tuple[str, Any]]:
        consumer = Consumer({"bootstrap.servers": servers.kafka_bootstrap, "group.id": "api-tests"})
        try:
            partitions = consumer.list_topics(topic.name, 10).topics[topic.name].partitions
            ends = {
                number: consumer.get_watermark_offsets(TopicPartition(topic.name, number), 10) for number in partitions
            }
            waiting = {number for number, (low, high) in ends.items() if high > low}
            consumer.assign([TopicPartition(topic.name, number, ends[number][0]) for number in waiting])
            found: list[tuple[str, Any]] = []
            deadline = time.monotonic() + 30
            while waiting and time.monotonic() < deadline:
                message = consumer.poll(1.0)
                if message is None or message.error():
                    continue
                value = message.value()
                if value is not None and value[:1] == b"\0":
                    with suppress(SchemaError):  # other tests put there what is no event
                        found.append(((message.key() or b"").decode("utf-8", "replace"), codec.decode(topic, value)))
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                assert offset is not None
                if offset + 1 >= ends[partition][1]:
                    waiting.discard(partition)
            assert not waiting, "the topic was not read to its end"
            return found
        finally:
            consumer.close()

    return read


@contextmanager
def served(settings: ApiSettings, servers: Endpoints) -> Iterator[str]:
    """The API on a free port of loopback, by the same server that `alpr api` uses; its base URL."""
    config = uvicorn.Config(
        create_app(settings, real_ports(settings, servers)), port=0, log_level="warning", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture
def client(settings: ApiSettings, servers: Endpoints, topics: None) -> Iterator[httpx.Client]:
    """A client of the API on the real servers."""
    with served(settings, servers) as url, httpx.Client(base_url=url, timeout=30) as opened:
        yield opened
