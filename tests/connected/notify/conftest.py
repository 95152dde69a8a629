"""A worker with the notify role alone, on the real servers of the run."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import Alert, DeadLetter, Receipt
from schemas.registry import HttpRegistry
from schemas.topics import ALERTS, CATALOGUE, DLQ, NOTIFICATIONS, Topic

FAUST = Path(sys.executable).parent / "faust"
ROOT = Path(__file__).parents[3]
Found = TypeVar("Found")


def until(what: str, probe: Callable[[], Found], timeout_s: float = 60.0) -> Found:
    """The first truthy answer of the probe."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"{what}: not within {timeout_s:.0f} s")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Notifier:
    """The worker's process, and the topics and mails around it."""

    stack: Any
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.codec = EventCodec(HttpRegistry(self.stack.registry_url))
        self.producer = Producer({"bootstrap.servers": self.stack.kafka_bootstrap, "partitioner": "murmur2_random"})
        self.log = self.folder / "worker.log"

    def start(self) -> None:
        """Start the worker and wait until it is ready."""
        port = free_port()
        environment = {
            **os.environ,
            **self.stack.env,
            "ALPR_ROLES": "notify",
            "ALPR_DATADIR": str(self.folder / "state"),
            "ALPR_WEB_PORT": str(port),
            "ALPR_LOG_FORMAT": "json",
            "ALPR_SESSION_TIMEOUT_S": "10",
            "ALPR_NOTIFY_BACKOFF_MAX_S": "2",
            "ALPR_NOTIFY_ATTEMPTS": "1000",
            **self.settings,
        }
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [FAUST, "-A", "streams", "worker", "-l", "info"], cwd=ROOT, env=environment, stdout=out, stderr=out
            )
        until("the worker is ready", lambda: self._is_ready(port), 90)

    def _is_ready(self, port: int) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-3000:]
        try:
            return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """End the worker as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the worker cleanly."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def put(self, *values: Alert | bytes) -> None:
        """Put alerts on their topic, keyed by their ids, and wait until Kafka has them."""
        for value in values:
            raw = value if isinstance(value, bytes) else self.codec.encode(ALERTS, value)
            key = b"poison" if isinstance(value, bytes) else value.alert_id.encode()
            self.producer.produce(ALERTS.name, raw, key)
        assert self.producer.flush(20) == 0

    def receipts(self, *alerts: Alert) -> list[Receipt]:
        """The receipts of these alerts, in the order of each partition."""
        ids = {alert.alert_id for alert in alerts}
        return [receipt for receipt in self._events(NOTIFICATIONS) if receipt.alert_id in ids]

    def letters(self) -> list[DeadLetter]:
        """All dead letters."""
        return self._events(DLQ)

    def _events(self, topic: Topic) -> list[Any]:
        """All events of a topic, without what other tests put there and is none."""
        found = []
        for raw in self._values(topic):
            with suppress(SchemaError):
                found.append(self.codec.decode(topic, raw))
        return found

    def _values(self, topic: Topic) -> list[bytes]:
        consumer = Consumer({"bootstrap.servers": self.stack.kafka_bootstrap, "group.id": f"test-{uuid4()}"})
        try:
            parts = [TopicPartition(topic.name, number, 0) for number in range(topic.partitions)]
            ends = {part.partition: consumer.get_watermark_offsets(part, 10)[1] for part in parts}
            consumer.assign(parts)
            left = {number for number, end in ends.items() if end}
            values = []
            while left:
                message = consumer.poll(10)
                assert message is not None
                assert message.error() is None, message.error()
                values.append(message.value())
                if message.offset() + 1 >= ends[message.partition()]:
                    left.discard(message.partition())
            return values
        finally:
            consumer.close()

    def mails(self, recipient: str) -> list[dict[str, Any]]:
        """The mails that a recipient got, as the mail server's API shows them."""
        try:
            answer = httpx.get(
                f"{self.stack.mail_api_url}/api/v1/search",
                params={"query": f"to:{recipient}", "limit": 1000},
                timeout=10,
            )
        except httpx.HTTPError:
            return []
        found: list[dict[str, Any]] = answer.json()["messages"]
        return found

    def mail(self, summary: dict[str, Any]) -> dict[str, Any]:
        """A mail with its parts."""
        whole: dict[str, Any] = httpx.get(
            f"{self.stack.mail_api_url}/api/v1/message/{summary['ID']}", timeout=10
        ).json()
        return whole


@pytest.fixture(scope="session")
def topics(stack: Any) -> None:
    """The catalogue's topics, where they are not there yet."""
    admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap})
    there = set(admin.list_topics(timeout=10).topics)
    new = [NewTopic(t.name, t.partitions, 1, config=t.config) for t in CATALOGUE if t.name not in there]
    for future in admin.create_topics(new).values() if new else ():
        future.result(30)


@pytest.fixture(scope="module")
def notifier(stack: Any, topics: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notifier]:
    """A running notifier."""
    made = Notifier(stack, tmp_path_factory.mktemp("notifier"))
    made.start()
    yield made
    made.stop()
