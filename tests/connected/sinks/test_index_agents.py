"""The indexing agents in a real worker: Kafka to three stores, one of which goes away."""

import asyncio
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from agents.sinks.object_store import ObjectStore
from agents.sinks.settings import ImagesSettings
from schemas import topics
from schemas.clock import now_us
from schemas.codec import EventCodec
from schemas.endpoints import Endpoints
from schemas.errors import SchemaError
from schemas.events import AlertAction, DeadLetter, Images, Location, Metric, Receipt, Sighting, Visit
from schemas.registry import HttpRegistry
from schemas.topics import Topic
from tests.unit.agents.sinks.sightings import alert, new_id, sighting, vehicle

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[3]
SECOND = 1_000_000


class Work:
    """The worker with the three roles, and a hand on its topics and stores."""

    def __init__(self, stack: Any, process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        self.stack = stack
        self.process = process
        self.url = url
        self.log = log
        self.codec = EventCodec(HttpRegistry(stack.registry_url))
        self._producer = Producer({"bootstrap.servers": stack.kafka_bootstrap, "partitioner": "murmur2_random"})
        settings = Endpoints()
        self.images = ObjectStore(settings, ImagesSettings())

    def put(self, topic: Topic, *events: Any, key: bytes = b"AB1023") -> None:
        """Events (or bytes) onto a topic, all in one partition."""
        for event in events:
            value = event if isinstance(event, bytes) else self.codec.encode(topic, event)
            self._producer.produce(topic.name, value, key)
        assert self._producer.flush(10) == 0

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask TimescaleDB; no rows while it has no tables yet."""
        with psycopg.connect(self.stack.timescale_dsn, autocommit=True) as connection:
            try:
                return connection.execute(statement.encode(), parameters).fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def document(self, alias: str, event_id: str) -> dict[str, Any] | None:
        """Ask OpenSearch."""
        url = f"{self.stack.opensearch_url}/{alias}/_search"
        answer = httpx.post(url, json={"query": {"ids": {"values": [event_id]}}}, timeout=5)
        hits = answer.json()["hits"]["hits"] if answer.status_code == 200 else []
        assert len(hits) <= 1
        return hits[0]["_source"] if hits else None

    def tags(self, key: str) -> dict[str, str]:
        """Ask S3."""
        return asyncio.run(self.images.tags(key)) or {}

    def letters(self, *values: bytes) -> list[DeadLetter]:
        """Dead letters whose original value is one of these."""
        settings = {"bootstrap.servers": self.stack.kafka_bootstrap, "group.id": uuid4().hex}
        consumer = Consumer({**settings, "enable.partition.eof": True, "fetch.message.max.bytes": 13_000_000})
        consumer.assign([TopicPartition(topics.DLQ.name, number, 0) for number in range(topics.DLQ.partitions)])
        found, ended = [], 0
        while ended < topics.DLQ.partitions:
            for message in consumer.consume(500, 2.0):
                if message.error():
                    ended += 1
                    continue
                with suppress(SchemaError):  # other tests put there what is no letter
                    letter: DeadLetter = self.codec.decode(topics.DLQ, message.value())
                    if letter.value in values:
                        found.append(letter)
        consumer.close()
        return found

    def until(self, what: str, probe: Callable[[], Any], timeout_s: float = 30.0) -> Any:
        """The first truthy answer."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            assert self.process.poll() is None, f"the worker ended:\n{self.tail()}"
            found = probe()
            if found:
                return found
            time.sleep(0.2)
        pytest.fail(f"{what}: not within {timeout_s:.0f} s\n{self.tail()}")

    def tail(self) -> str:
        """The worker's last log lines."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def work(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    """``ALPR_ROLES=timescale,opensearch,images faust -A streams worker``, ready."""
    folder = tmp_path_factory.mktemp("indexing")
    port = free_port()
    env = {
        **os.environ,
        **stack.env,
        "ALPR_ROLES": "timescale,opensearch,images",
        "ALPR_DATADIR": str(folder / "worker"),
        "ALPR_WEB_PORT": str(port),
        "ALPR_SESSION_TIMEOUT_S": "6",
        "ALPR_IMAGES_FIRST_LOOK_S": "1",
    }
    subprocess.run([BIN / "alpr", "topics", "apply"], env=env, cwd=ROOT, check=True, capture_output=True)
    log = folder / "worker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [BIN / "faust", "-A", "streams", "worker", "-l", "info"],
            env=env, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    running = Work(stack, process, f"http://127.0.0.1:{port}", log)

    def ready() -> bool:
        try:
            return httpx.get(f"{running.url}/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        running.until("/ready", ready, 90)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def here(event_id: str, revision: int = 1, **fields: Any) -> Sighting:
    """A sighting of now."""
    now = now_us()
    times = {"captured_at": now, "first_seen_at": now, "last_seen_at": now, "watermark": now}
    return sighting(event_id, revision, **{**times, **fields})


def test_every_topic_reaches_its_table(work: Work) -> None:
    """One event on each of the eight topics stands in its table, written once though it came twice."""
    name = new_id()
    now = now_us()
    events: Sequence[tuple[Topic, Any, str, str]] = (
        (topics.SIGHTINGS, here(name), "plate_events", "event_id"),
        (topics.VEHICLES, vehicle(name, captured_at=now), "vehicle_events", "event_id"),
        (topics.METRICS, Metric(name=name, value=1.0, measured_at=now), "camera_metrics", "name"),
        (
            topics.VISITS,
            Visit(visit_id=name, revision=1, site_id="north", outcome="open", started_at=now, updated_at=now),
            "visits",
            "visit_id",
        ),
        (topics.ALERTS, alert(name, fired_at=now), "alerts", "alert_id"),
        (
            topics.ALERT_ACTIONS,
            AlertAction(action_id=name, alert_id=name, action="resolve", actor="me", acted_at=now),
            "alert_actions",
            "action_id",
        ),
        (
            topics.NOTIFICATIONS,
            Receipt(
                notification_id=name, alert_id=name, rule_id="r", channel="email", recipient="x@y",
                outcome="delivered", attempts=1, captured_at=now, settled_at=now,
            ),
            "notifications",
            "notification_id",
        ),
        (
            topics.DLQ,
            DeadLetter(
                dead_letter_id=name, topic="t", partition=0, offset=1, recorded_at=now, key=None, value=b"v",
                agent="route", error_type="UNKNOWN", message="m", failed_at=now,
            ),
            "dead_letters",
            "dead_letter_id",
        ),
    )  # fmt: skip
    for topic, event, _, _ in events:
        work.put(topic, event, event)
    for _, _, table, column in events:
        rows = work.until(table, lambda: work.rows(f"SELECT 1 FROM {table} WHERE {column} = %s", name))  # noqa: B023
        assert rows == [(1,)]
    assert work.until("alert document", lambda: work.document("alpr-alerts", name))["rule_id"] == "stolen"


def test_bad_records_go_to_the_dead_letters_and_the_rest_goes_on(work: Work) -> None:
    """Random bytes are a letter of each role; a record that one store refuses is a letter of that role alone."""
    good, refused = here(new_id()), here(new_id(), location=Location(300.0, 4.0))
    noise, value = b"\xff" + uuid4().bytes, work.codec.encode(topics.SIGHTINGS, refused)
    work.put(topics.SIGHTINGS, noise, value, good)
    work.until("document", lambda: work.document("alpr-events", good.event_id))
    work.until("row", lambda: work.rows("SELECT 1 FROM plate_events WHERE event_id = %s", good.event_id))
    letters = work.until("4 letters", lambda: (found := work.letters(noise, value)) and len(found) >= 4 and found)
    by_agent = sorted((letter.agent, letter.error_type) for letter in letters)
    assert by_agent == [
        ("index_images", "SCHEMA_VALIDATION"),
        ("index_opensearch", "PROCESSING_FAILURE"),
        ("index_opensearch", "SCHEMA_VALIDATION"),
        ("index_timescale", "SCHEMA_VALIDATION"),
    ]
    (letter,) = [letter for letter in letters if letter.value == value]
    assert "latitude" in letter.message
    assert work.document("alpr-events", refused.event_id) is None
    assert work.rows("SELECT latitude FROM plate_events WHERE event_id = %s", refused.event_id) == [(300.0,)]
    rows = work.until(
        "account", lambda: work.rows("SELECT agent FROM dead_letters WHERE dead_letter_id = %s", letter.dead_letter_id)
    )
    assert rows == [("index_opensearch",)]


def test_images_that_arrive_later_are_tagged(work: Work) -> None:
    """The document is there at once; the image gets its tags when it has come and event time has moved on."""
    event = new_id()
    folder = f"gate-1/2026/11/24/{event}"
    bucket = work.images.bucket
    work.put(topics.SIGHTINGS, here(event, images=Images(f"s3://{bucket}/{folder}/plate.jpg")))
    work.until("document", lambda: asyncio.run(work.images.metadata(f"{folder}/sighting.json")))
    work.images._client.put_object(bucket, f"{folder}/plate.jpg", io.BytesIO(b"jpeg"), 4)

    def tagged() -> dict[str, str]:
        later = now_us() + 2 * SECOND
        work.put(topics.SIGHTINGS, here(new_id(), last_seen_at=later, images=Images()))
        return work.tags(f"{folder}/plate.jpg")

    tags = work.until("tags", tagged)
    assert tags == {"event_id": event, "plate": "AB1O23", "revision": "1"}


def test_store_that_is_away_stops_nobody_else(work: Work) -> None:
    """Without OpenSearch rows go on arriving in TimescaleDB; with it back, every document is there."""
    work.stack.stop("opensearch")
    try:
        missed = [here(new_id()) for _ in range(50)]
        started = time.monotonic()
        for event in missed:
            work.put(topics.SIGHTINGS, event, key=event.event_id.encode())  # every partition has some
        last = missed[-1].event_id
        work.until("row", lambda: work.rows("SELECT 1 FROM plate_events WHERE event_id = %s", last), 10)
        assert time.monotonic() - started < 10
        work.until("metric", lambda: 'alpr_sink_up{sink="opensearch.events"} 0.0' in metrics(work))
    finally:
        work.stack.start("opensearch")
    for event in missed:
        work.until(event.event_id, lambda: work.document("alpr-events", event.event_id), 40)  # noqa: B023
    work.until("metric", lambda: 'alpr_sink_up{sink="opensearch.events"} 1.0' in metrics(work))


def metrics(work: Work) -> str:
    """The worker's metrics page."""
    return httpx.get(f"{work.url}/metrics", timeout=5).text


def test_worker_stops_cleanly(work: Work) -> None:
    """SIGTERM ends the worker with its sinks closed: no client is left open, nothing failed."""
    work.process.terminate()
    assert work.process.wait(40) == 0
    text = work.log.read_text(errors="replace")
    assert "Unclosed" not in text
    assert "Traceback" not in text
