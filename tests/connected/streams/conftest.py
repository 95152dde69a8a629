"""A broker with topics of the test's own, and worker processes to hurt."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # documented, not declared

from schemas.topics import DLQ
from tests.connected.streams.reads import Read, partition_of

Result = TypeVar("Result")
PARTITIONS = 4
REPOSITORY = Path(__file__).parents[3]


def until(condition: Callable[[], Result], what: str, timeout_s: float = 60.0, pause_s: float = 0.1) -> Result:
    """Wait for a condition and return its value; fail the test, naming it, when it does not come."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(pause_s)
    pytest.fail(f"{what} did not happen within {timeout_s} s")


class Broker:
    """The Kafka of the stack."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def create(self, *names: str, partitions: int = PARTITIONS, config: dict[str, str] | None = None) -> None:
        """Create topics and wait until they are there. One that exists is left as it is."""
        new = [NewTopic(name, partitions, 1, config=config or {}) for name in names if name not in self.topics()]
        for future in self._admin.create_topics(new).values() if new else ():
            future.result()
        until(lambda: self.topics() >= set(names), f"creation of {names}", 10)

    def topics(self) -> set[str]:
        """Names of all topics."""
        return set(self._admin.list_topics(timeout=10).topics)

    def produce(self, topic: str, items: Sequence[tuple[bytes | None, bytes | None, int]]) -> None:
        """Write (key, value, partition) in order."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "linger.ms": 20})
        for number, (key, value, partition) in enumerate(items):
            producer.produce(topic, value, key, partition)
            if number % 1000 == 0:
                producer.poll(0)
        assert producer.flush(30) == 0

    def produce_reads(self, topic: str, reads: Sequence[Read]) -> None:
        """Write reads, each key in its partition."""
        self.produce(topic, [(read.key, read.encode(), partition_of(read, PARTITIONS)) for read in reads])

    def drain(self, topic: str) -> list[Message]:
        """All records of a topic, now."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "drain", "enable.partition.eof": True})
        try:
            partitions = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
            records: list[Message] = []
            ended = 0
            while ended < len(partitions):
                for message in consumer.consume(5000, 1.0):
                    if message.error():
                        ended += 1
                    else:
                        records.append(message)
            return records
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> int:
        """Committed offsets of a group, summed over the partitions."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            tps = [TopicPartition(topic, partition) for partition in partitions]
            return until(lambda: self._committed(consumer, tps), "an answer of the coordinator", 15)[0]
        finally:
            consumer.close()

    @staticmethod
    def _committed(consumer: Consumer, tps: list[TopicPartition]) -> list[int]:
        try:
            return [sum(max(0, tp.offset) for tp in consumer.committed(tps, timeout=10))]
        except KafkaException:  # a new group's coordinator is still loading
            return []


class Worker:
    """A worker process on the job of this folder."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.datadir = folder / "state"
        self.port = free_port()
        self.log = folder / "worker.log"
        self._env = {
            **os.environ,
            "ALPR_DATADIR": str(self.datadir),
            "ALPR_WEB_PORT": str(self.port),
            "ALPR_SESSION_TIMEOUT_S": "6",
            "ALPR_REBALANCE_TIMEOUT_S": "10",
            "ALPR_REBALANCE_SETTLE_S": "4",
            "ALPR_STOP_SETTLE_S": "3",
            "ALPR_LAG_INTERVAL_S": "0.5",
            "ALPR_RECOVERY_DELAY_S": "0.1",
            **env,
        }
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "faust", "-A", "tests.connected.streams.job", "worker", "-l", "info"],
                cwd=REPOSITORY,
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def restart(self) -> None:
        """Start again, as a supervisor would."""
        self.process = self._start()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)

    def stop(self, timeout_s: float = 20.0) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float) -> int:
        """Wait for the end; the exit status."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the worker did not end within {timeout_s} s:\n{self.tail()}")

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def get(self, path: str) -> httpx.Response | None:
        """A page; None while nobody answers."""
        assert self.is_alive, f"the worker ended with {self.process.returncode}:\n{self.tail()}"
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)
        except httpx.TransportError:
            return None

    def is_ready(self) -> bool:
        """Whether /ready says so."""
        answer = self.get("/ready")
        return answer is not None and answer.status_code == 200

    def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Wait for /ready; fail with what it says."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if time.monotonic() > deadline:
                answer = self.get("/ready")
                pytest.fail(f"not ready within {timeout_s} s: {answer.text if answer is not None else 'no answer'}")
            time.sleep(0.1)

    def is_ready_for_partitions(self) -> bool:
        """Whether the worker has partitions of the first role and has recovered them."""
        answer = self.get("/ready")
        if answer is None:
            return False
        role = next(iter(answer.json()["roles"].values()))
        return bool(role["partitions"] and role["lag_records"] is not None)

    def tail(self, lines: int = 30) -> str:
        """End of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Bench:
    """One test's topics, groups and workers."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.run_id = f"t{uuid4().hex[:10]}"
        self.source = f"{self.run_id}.reads"
        self.events = f"{self.run_id}.events"
        self.changelog = f"alpr-{self.run_id}-dedup-last_seen-changelog"
        self.workers: list[Worker] = []
        self._folder = folder
        broker.create(self.source, self.events, config={"max.message.bytes": "12582912"})
        broker.create(DLQ.name, partitions=DLQ.partitions, config=DLQ.config)

    def worker(self, **env: str) -> Worker:
        """Start a worker with a state folder of its own."""
        worker = Worker(
            self._folder / f"w{len(self.workers)}",
            {"JOB_RUN_ID": self.run_id, "JOB_SOURCE": self.source, "JOB_EVENTS": self.events, **env},
        )
        self.workers.append(worker)
        return worker

    def committed(self) -> int:
        """Reads whose handling is committed."""
        return self.broker.committed(f"alpr-{self.run_id}-dedup", self.source)

    def event_ids(self) -> list[bytes]:
        """Ids of all events that were sent, repeats included."""
        return [record.value() or b"" for record in self.broker.drain(self.events)]

    def changelog_state(self) -> dict[bytes, int]:
        """The table as its changelog tells it."""
        return {r.key(): int(r.value()) for r in self.broker.drain(self.changelog)}  # type: ignore[misc, arg-type]  # written by the job: neither is None


@pytest.fixture(scope="session")
def broker(stack: Any) -> Broker:
    """The broker of this run."""
    return Broker(stack.kafka_bootstrap)


@pytest.fixture
def bench(broker: Broker, tmp_path: Path) -> Iterator[Bench]:
    """A bench whose workers end with the test."""
    bench = Bench(broker, tmp_path)
    yield bench
    for worker in bench.workers:
        if worker.is_alive:
            worker.kill()
