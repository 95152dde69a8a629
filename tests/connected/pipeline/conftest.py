"""One worker with all roles, started as a user starts it, on the real servers of the run."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas import topics
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.registry import HttpRegistry
from schemas.topics import Topic

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[3]
WATCHLISTED = "WL0042"

RULES = f"""\
rules:
  - name: Pipeline watchlist
    type: plate_match
    plates: ["{WATCHLISTED}"]
    actions:
      - {{type: email, to: gate@example.org}}
"""


@dataclass
class Pipeline:
    """The running worker and ways to talk to its topics."""

    stack: Any
    process: subprocess.Popen[bytes]
    web: str
    log: Path
    codec: EventCodec
    producer: Producer

    def put(self, topic: Topic, value: bytes, key: bytes | None = None) -> None:
        """Put a record on a topic and wait until Kafka has it."""
        self.producer.produce(topic.name, value, key)
        assert self.producer.flush(10) == 0

    def read(self, topic: Topic) -> list[Any]:
        """All raw records of a topic, as confluent messages."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.stack.kafka_bootstrap,
                "group.id": f"test-{uuid4()}",
                "enable.auto.commit": False,
                "fetch.message.max.bytes": 13_000_000,
            }
        )
        try:
            parts = [TopicPartition(topic.name, number, 0) for number in range(topic.partitions)]
            ends = {part.partition: consumer.get_watermark_offsets(part, 10)[1] for part in parts}
            consumer.assign(parts)
            left = {number for number, end in ends.items() if end}
            found = []
            while left:
                message = consumer.poll(10)
                assert message is not None and message.error() is None, message
                found.append(message)
                if message.offset() + 1 >= ends[message.partition()]:
                    left.discard(message.partition())
            return found
        finally:
            consumer.close()

    def events(self, topic: Topic) -> list[Any]:
        """All events of a topic, decoded."""
        return [event for _, event in self.decoded(topic)]

    def decoded(self, topic: Topic) -> list[tuple[Any, Any]]:
        """All records of a topic with their events, without what other tests put there and is none."""
        found = []
        for message in self.read(topic):
            try:
                found.append((message, self.codec.decode(topic, message.value())))
            except SchemaError:
                continue
        return found

    def wait_for(self, what: str, probe: Callable[[], Any], timeout_s: float = 30.0) -> Any:
        """The first truthy answer of the probe; fails with the worker's last lines."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            assert self.process.poll() is None, f"the worker ended:\n{self.tail()}"
            found = probe()
            if found:
                return found
            time.sleep(0.2)
        raise AssertionError(f"{what}: not within {timeout_s:.0f} s\n{self.tail()}")

    def tail(self) -> str:
        """The worker's last log lines."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")  # not longer: other tests start workers of the same consumer groups
def pipeline(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """`alpr topics apply`, then `faust -A streams worker -l info`, until it says that it is ready."""
    folder = tmp_path_factory.mktemp("pipeline")
    rules = folder / "rules.yml"
    rules.write_text(RULES)
    port = free_port()
    env = {
        **os.environ,
        **stack.env,
        "ALPR_RULES_PATH": str(rules),
        "ALPR_DATADIR": str(folder / "worker"),
        "ALPR_WEB_PORT": str(port),
        "ALPR_LOG_FORMAT": "json",
    }
    subprocess.run([BIN / "alpr", "topics", "apply"], env=env, cwd=ROOT, check=True)
    log = folder / "worker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [BIN / "faust", "-A", "streams", "worker", "-l", "info"],
            env=env,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Pipeline(
        stack=stack,
        process=process,
        web=f"http://127.0.0.1:{port}",
        log=log,
        codec=EventCodec(HttpRegistry(stack.registry_url)),
        producer=Producer(
            {
                "bootstrap.servers": stack.kafka_bootstrap,
                "partitioner": "murmur2_random",
                "message.max.bytes": 12_000_000,
            }
        ),
    )

    def ready() -> bool:
        try:
            return httpx.get(f"{running.web}/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        running.codec.prepare(*topics.CATALOGUE)
        running.wait_for("/ready", ready, 90)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
