"""A worker with the core and dead_letter roles, as a process, and its topics."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from confluent_kafka import Message, Producer, TopicPartition

from cli.kafka_clients import consumer
from schemas.codec import EventCodec
from schemas.endpoints import endpoints
from schemas.errors import SchemaError
from schemas.registry import HttpRegistry
from schemas.topics import BY_NAME, DLQ, Topic
from tests.connected.streams.conftest import free_port

Result = TypeVar("Result")
ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent


class CoreWorker:
    """The roles as a process. Cameras of a test carry its mark, so that tests share topics.

    Attributes:
        mark: part of every camera id of this test.
    """

    def __init__(self, stack: Any, folder: Path) -> None:
        endpoints.cache_clear()
        self.mark = f"t{uuid4().hex[:8]}"
        self.codec = EventCodec(HttpRegistry(stack.registry_url))
        self.log = folder / "worker.log"
        self._env = {
            **os.environ,
            "ALPR_ROLES": "core,dead_letter",
            "ALPR_DATADIR": str(folder / "state"),
            "ALPR_WEB_PORT": str(free_port()),
            "ALPR_SESSION_TIMEOUT_S": "6",
            "ALPR_REBALANCE_TIMEOUT_S": "10",
            "ALPR_REBALANCE_SETTLE_S": "4",
            "ALPR_STOP_SETTLE_S": "3",
            "ALPR_RECOVERY_DELAY_S": "0.1",
        }
        self.alpr("topics", "apply")
        self._producer = Producer(
            {
                "bootstrap.servers": stack.kafka_bootstrap,
                "partitioner": "murmur2_random",
                "message.max.bytes": DLQ.max_message_bytes,
            }
        )
        self._process: subprocess.Popen[bytes] | None = None

    def camera(self, name: str) -> str:
        """A camera of this test."""
        return f"{self.mark}-{name}"

    def alpr(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of the project."""
        done = subprocess.run(
            [BIN / "alpr", *arguments],
            env=self._env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def start(self) -> None:
        """Start the worker."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [BIN / "faust", "-A", "streams", "worker", "-l", "info"],
                cwd=ROOT, env=self._env, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the worker."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(40)

    def put(self, topic: Topic, *records: tuple[bytes | None, bytes | None]) -> None:
        """Write (key, value) in order."""
        for number, (key, value) in enumerate(records):
            self._producer.produce(topic.name, value, key)
            if number % 200 == 0:
                self._producer.poll(0)
        assert self._producer.flush(30) == 0

    def records(self, topic: Topic) -> list[Message]:
        """All records that are on a topic now."""
        reader = consumer()
        try:
            ends = {
                number: reader.get_watermark_offsets(TopicPartition(topic.name, number), timeout=10)
                for number in range(topic.partitions)
            }
            behind = {number: high for number, (low, high) in ends.items() if high > low}
            reader.assign([TopicPartition(topic.name, number, ends[number][0]) for number in behind])
            found = []
            while behind:
                message = reader.poll(10)
                assert message is not None
                assert message.error() is None, message.error()
                found.append(message)
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                assert offset is not None
                if offset + 1 >= behind.get(partition, 0):
                    behind.pop(partition, None)
            return found
        finally:
            reader.close()

    def events(self, name: str) -> list[Any]:
        """Events of this test's cameras on a topic, in the order of each partition."""
        return [event for event in self.events_of(BY_NAME[name]) if self.mark in event.camera_id]

    def events_of(self, topic: Topic) -> list[Any]:
        """All events of a topic, whosever they are, without what other tests put there and is none."""
        found = []
        for message in self.records(topic):
            with suppress(SchemaError):
                found.append(self.codec.decode(topic, message.value()))
        return found

    def until(self, condition: Callable[[], Result], what: str, timeout_s: float = 60.0) -> Result:
        """Wait for a condition while the worker lives."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                pytest.fail(f"the worker ended:\n{self.tail()}")
            value = condition()
            if value:
                return value
            time.sleep(0.3)
        pytest.fail(f"{what} did not happen within {timeout_s:g} s:\n{self.tail()}")

    def tail(self) -> str:
        """Last lines of the worker's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-25:]) if self.log.exists() else ""
