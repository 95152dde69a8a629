"""Ask every server of the demo directly what it holds: no figure here comes from the platform's own counters."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

import httpx
import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition
from minio import Minio

from cli.errors import CommandError
from cli.kafka_clients import client_config, connected
from schemas import topics
from schemas.codec import EventCodec
from schemas.endpoints import Endpoints
from schemas.errors import SchemaError
from schemas.json_form import detection_from_json, looks_like_json
from schemas.record_kinds import is_event
from schemas.topics import Topic

GROUP = "alpr-demo-census"


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with the time at which Kafka took it.

    Attributes:
        event: the decoded event.
        recorded_at_us: Kafka's timestamp of the record, microseconds.
    """

    event: Any
    recorded_at_us: int


@dataclass(slots=True)
class Census:
    """What the servers hold, each asked in its own protocol."""

    detections: list[Recorded] = field(default_factory=list)
    sightings: list[Recorded] = field(default_factory=list)
    alerts: list[Recorded] = field(default_factory=list)
    receipts: list[Recorded] = field(default_factory=list)
    dead_letters: int = 0
    timescale_sightings: int = 0
    timescale_alerts: int = 0
    timescale_receipts: int = 0
    opensearch_sightings: int = 0
    s3_plate_images: int = 0
    s3_objects: int = 0
    mails: int = 0
    webhooks: int = 0


def take_census(endpoints: Endpoints, codec: EventCodec, webhooks: int) -> Census:
    """Read all topics from their beginnings and count in all stores.

    Raises:
        CommandError: a server does not answer; the message names it.
    """
    census = Census(webhooks=webhooks)
    census.detections = list(read_topic(endpoints, topics.DETECTED, codec))
    census.sightings = list(read_topic(endpoints, topics.SIGHTINGS, codec))
    census.alerts = list(read_topic(endpoints, topics.ALERTS, codec))
    census.receipts = list(read_topic(endpoints, topics.NOTIFICATIONS, codec))
    census.dead_letters = sum(1 for _ in read_topic(endpoints, topics.DLQ, codec))
    _count_timescale(endpoints, census)
    census.opensearch_sightings = _count_opensearch(endpoints)
    _count_s3(endpoints, census)
    census.mails = _count_mails(endpoints)
    return census


def read_topic(endpoints: Endpoints, topic: Topic, codec: EventCodec, timeout_s: float = 20.0) -> Iterator[Recorded]:
    """All records of a topic from its beginning to the end that it has now, decoded.

    Raises:
        CommandError: Kafka does not answer in time.
    """
    own = {"bootstrap.servers": endpoints.kafka_bootstrap, "group.id": GROUP, "enable.auto.commit": False}
    consumer = connected(Consumer, client_config(**own))
    try:
        partitions = [TopicPartition(topic.name, number, 0) for number in range(topic.partitions)]
        ends = {p.partition: consumer.get_watermark_offsets(p, timeout=timeout_s)[1] for p in partitions}
        consumer.assign(partitions)
        left = {number for number, end in ends.items() if end > 0}
        while left:
            message = consumer.poll(timeout_s)
            if message is None:
                raise CommandError(
                    f"{topic.name}: no record from Kafka within {timeout_s:.0f} s, {len(left)} partitions left"
                )
            if (fault := message.error()) is not None:
                raise CommandError(f"{topic.name}: {fault.str()}")
            partition, offset = message.partition(), message.offset()
            assert partition is not None and offset is not None  # always set on a record without an error
            if is_event(message.headers()):
                yield Recorded(_decode(topic, message.value() or b"", codec), message.timestamp()[1] * 1000)
            if offset + 1 >= ends[partition]:
                left.discard(partition)
    except KafkaException as error:
        raise CommandError(f"Kafka at {endpoints.kafka_bootstrap} does not answer for {topic.name}: {error}") from error
    finally:
        consumer.close()


def _decode(topic: Topic, value: bytes, codec: EventCodec) -> Any:
    if topic is topics.DETECTED and looks_like_json(value):
        return detection_from_json(value, default_event_id="")
    try:
        return codec.decode(topic, value)
    except SchemaError as error:
        raise CommandError(f"{topic.name} holds a record that is no {topic.event}: {error}") from error


def _count_timescale(endpoints: Endpoints, census: Census) -> None:
    try:
        with psycopg.connect(endpoints.timescale_dsn.get_secret_value(), autocommit=True) as connection:
            connection.prepare_threshold = None

            def count(table: str) -> int:
                row = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608  # names below
                return int(row[0]) if row else 0

            census.timescale_sightings = count("plate_events")
            census.timescale_alerts = count("alerts")
            census.timescale_receipts = count("notifications")
    except psycopg.Error as error:
        raise CommandError(f"TimescaleDB does not answer: {error}") from error


def _count_opensearch(endpoints: Endpoints) -> int:
    try:
        httpx.post(f"{endpoints.opensearch_url}/alpr-events*/_refresh", timeout=20).raise_for_status()
        answer = httpx.get(f"{endpoints.opensearch_url}/alpr-events*/_count", timeout=20).raise_for_status()
        return int(answer.json()["count"])
    except httpx.HTTPError as error:
        raise CommandError(f"OpenSearch at {endpoints.opensearch_url} does not answer: {error}") from error


def _count_s3(endpoints: Endpoints, census: Census) -> None:
    where = urlparse(endpoints.s3_endpoint)
    client = Minio(
        where.netloc,
        access_key=endpoints.s3_access_key,
        secret_key=endpoints.s3_secret_key.get_secret_value(),
        secure=where.scheme == "https",
        region=endpoints.s3_region,
    )
    names = [item.object_name or "" for item in client.list_objects(endpoints.s3_bucket, recursive=True)]
    kinds = Counter(name.rsplit("/", 1)[-1] for name in names)
    census.s3_objects = len(names)
    census.s3_plate_images = kinds["plate.jpg"]


def _count_mails(endpoints: Endpoints) -> int:
    try:
        answer = httpx.get(f"{endpoints.mail_api_url}/api/v1/messages?limit=1", timeout=10).raise_for_status()
        return int(answer.json()["total"])
    except httpx.HTTPError as error:
        raise CommandError(f"the mail sink at {endpoints.mail_api_url} does not answer: {error}") from error
