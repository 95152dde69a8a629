"""Topics, a consumer and a small model set for the edge agent's connected tests."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from edge_agent.camera_pipeline import Models
from edge_agent.errors import ModelMissing
from edge_agent.loading import video_reading
from edge_agent.settings import EdgeSettings
from schemas.codec import EventCodec
from schemas.endpoints import Endpoints
from schemas.events import Detection, Metric
from schemas.json_form import detection_from_json, looks_like_json
from schemas.registry import HttpRegistry
from schemas.topics import DETECTED, METRICS

Received = list[tuple[bytes, Detection]]


@pytest.fixture(scope="session")
def models() -> Models:
    """The default models; without them the tests are skipped with the command that fetches them."""
    try:
        return Models(video_reading(EdgeSettings()))
    except ModelMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def camera_id() -> str:
    """A camera that no other test has."""
    return f"cam-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def endpoints(stack: Any) -> Endpoints:
    """Where the running servers are, with the topics made."""
    where = Endpoints()
    admin = AdminClient({"bootstrap.servers": where.kafka_bootstrap})
    topics = [NewTopic(t.name, t.partitions, 1, config=t.config) for t in (DETECTED, METRICS)]
    for made in admin.create_topics(topics).values():
        try:
            made.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    return where


@pytest.fixture
def settings(tmp_path: Path) -> EdgeSettings:
    """An agent with a spool of its own."""
    return EdgeSettings(spool_dir=tmp_path / "spool", metrics_port=0, metrics_every_s=0.5, agent_id="test-agent")


@pytest.fixture
def detections(endpoints: Endpoints, camera_id: str) -> Iterator[Callable[[int], Received]]:
    """Waits for a number of detections of this test's camera, and then a little for more than that."""
    consumers: list[Consumer] = []

    def receive(count: int) -> Received:
        codec = EventCodec(HttpRegistry(endpoints.registry_url))
        consumer = _consumer(endpoints, DETECTED.name)
        consumers.append(consumer)
        found: Received = []
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            message = consumer.poll(0.5)
            if message is None or message.error():
                if len(found) >= count:
                    break
                continue
            value, key = message.value(), message.key()
            if value is not None and key == camera_id.encode():
                event = detection_from_json(value) if looks_like_json(value) else codec.decode(DETECTED, value)
                found.append((key, event))
                deadline_s = min(deadline_s, time.monotonic() + 60)
        return found

    yield receive
    for consumer in consumers:
        consumer.close()


@pytest.fixture
def metrics(endpoints: Endpoints, camera_id: str) -> Iterator[Callable[[], list[Metric]]]:
    """The metrics of this test's camera that are on the topic."""
    consumers: list[Consumer] = []

    def receive() -> list[Metric]:
        codec = EventCodec(HttpRegistry(endpoints.registry_url))
        consumer = _consumer(endpoints, METRICS.name)
        consumers.append(consumer)
        found: list[Metric] = []
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s:
            message = consumer.poll(1.0)
            if message is None:
                if found:
                    break
            elif not message.error() and message.key() == camera_id.encode():
                found.append(codec.decode(METRICS, message.value()))
        return found

    yield receive
    for consumer in consumers:
        consumer.close()


def _consumer(endpoints: Endpoints, topic: str) -> Consumer:
    consumer = Consumer(
        {
            "bootstrap.servers": endpoints.kafka_bootstrap,
            "group.id": f"edge-test-{uuid.uuid4().hex[:8]}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    return consumer
