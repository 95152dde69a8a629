"""Kafka stops while the agent publishes: nothing is lost, nothing comes twice, and the order holds."""

import time
from collections.abc import Callable
from typing import Any

from edge_agent.outgoing import Outgoing
from edge_agent.publisher import Publisher, kafka_producer
from edge_agent.settings import EdgeSettings
from edge_agent.spool import Spool
from schemas.codec import EventCodec
from schemas.endpoints import Endpoints
from schemas.events import Detection
from schemas.kafka_security import KafkaSecurity
from schemas.registry import HttpRegistry

MIB = 2**20


def _publisher(endpoints: Endpoints, settings: EdgeSettings) -> Publisher:
    codec = EventCodec(HttpRegistry(endpoints.registry_url))
    publisher = Publisher(
        Spool(settings.spool_dir, max_bytes=8 * MIB), codec, kafka_producer(endpoints.kafka_bootstrap, KafkaSecurity())
    )
    publisher.start()
    return publisher


def _publish(publisher: Publisher, camera_id: str, numbers: range) -> None:
    for number in numbers:
        at_us = 1_700_000_000_000_000 + number
        event = Detection(
            event_id=f"{camera_id}-{number}",
            captured_at=at_us,
            camera_id=camera_id,
            first_seen_at=at_us,
            last_seen_at=at_us,
        )
        publisher.publish(Outgoing(event, (), time.monotonic()))


def test_an_outage_and_a_restart_lose_nothing(
    stack: Any, endpoints: Endpoints, settings: EdgeSettings, camera_id: str, detections: Callable[[int], Any]
) -> None:
    """Events before, in and after an outage, with the agent restarted in it, arrive once and in order."""
    publisher = _publisher(endpoints, settings)
    _publish(publisher, camera_id, range(20))
    assert publisher.close(20) == 0

    stack.stop("kafka")
    try:
        publisher = _publisher(endpoints, settings)
        _publish(publisher, camera_id, range(20, 60))
        assert publisher.close(1) == 40
        publisher = _publisher(endpoints, settings)
        _publish(publisher, camera_id, range(60, 80))
    finally:
        stack.start("kafka")
    _publish(publisher, camera_id, range(80, 100))
    assert publisher.close(60) == 0

    received = [event.event_id for _, event in detections(100)]
    assert received == [f"{camera_id}-{n}" for n in range(100)]


def test_a_broker_that_is_killed_while_events_flow_loses_nothing(
    stack: Any, endpoints: Endpoints, settings: EdgeSettings, camera_id: str, detections: Callable[[int], Any]
) -> None:
    """One publisher lives through the broker's crash; the idempotent producer sends nothing twice."""
    publisher = _publisher(endpoints, settings)
    _publish(publisher, camera_id, range(100))
    stack.kill("kafka")
    try:
        _publish(publisher, camera_id, range(100, 150))
    finally:
        stack.start("kafka")
    _publish(publisher, camera_id, range(150, 200))
    assert publisher.close(60) == 0
    received = [event.event_id for _, event in detections(200)]
    assert received == [f"{camera_id}-{n}" for n in range(200)]
