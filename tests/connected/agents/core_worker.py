"""A worker with the core and dead_letter roles, as a process, and its topics."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Message, Producer, TopicPartition

from agents.decisions.pass_settings import DeduplicationSettings
from agents.deduplicate import Deduplicator
from cli.kafka_clients import consumer
from cli.topic_reading import place_of
from schemas.codec import EventCodec
from schemas.endpoints import endpoints
from schemas.errors import SchemaError
from schemas.events import Sighting
from schemas.record_kinds import is_event
from schemas.registry import HttpRegistry
from schemas.topics import BY_NAME, DLQ, ROUTED, SIGHTINGS, Topic
from streams.guard import DeadLetterGuard
from tests.connected.streams.conftest import free_port
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run

Result = TypeVar("Result")
REPLAY_RUN = 500
ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent


class CoreWorker:
    """The roles as a process. Cameras of a test carry its mark, so that tests share topics.

    Args:
        stack: servers.
        folder: state and log of the process.
        mark: of the test, for a second worker of it.

    Attributes:
        mark: part of every camera id of this test.
    """

    def __init__(self, stack: Any, folder: Path, mark: str | None = None) -> None:
        endpoints.cache_clear()
        folder.mkdir(exist_ok=True)
        self.mark = mark or f"t{uuid4().hex[:8]}"
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

    def handled(self, topic: Topic) -> float:
        """Records of a topic that the worker's core role has finished; 0 before it answers."""
        try:
            page = httpx.get(f"http://127.0.0.1:{self._env['ALPR_WEB_PORT']}/metrics", timeout=5).text
        except httpx.HTTPError:
            return 0.0
        name = f'alpr_stream_records_total{{role="core",topic="{topic.name}"}} '
        return sum(float(line.removeprefix(name)) for line in page.splitlines() if line.startswith(name))

    def replayed(self) -> list[Sighting]:
        """The sightings that one deduplicator makes of the routed log of this test's cameras, clocks included."""
        lanes: dict[int, list[FakeRecord]] = defaultdict(list)
        for message in self.records(ROUTED):
            headers: Any = tuple(message.headers() or ())
            if self.mark.encode() in (message.key() or b"") or not is_event(headers):
                record = FakeRecord(
                    message.value(), place_of(message)[1], message.key(), headers, ROUTED.name, place_of(message)[0],
                    message.timestamp()[1],
                )  # fmt: skip
                lanes[record.partition].append(record)
        return asyncio.run(self._replay(list(lanes.values())))

    async def _replay(self, lanes: list[list[FakeRecord]]) -> list[Sighting]:
        found: list[Sighting] = []
        guard = DeadLetterGuard("deduplicate", self.codec)
        for records in lanes:
            passes, clocks, keeper = FakeTable().as_run_table(), FakeTable().as_run_table(), Keeper()
            agent = Deduplicator(passes, clocks, self.codec, DeduplicationSettings(), guard)
            for start in range(0, len(records), REPLAY_RUN):
                await agent.handle(make_run(records[start : start + REPLAY_RUN], keeper))
            values = [out.value for out in keeper.outputs if out.topic == SIGHTINGS.name and is_event(out.headers)]
            found += [self.codec.decode(SIGHTINGS, value) for value in values]
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
