"""A worker process on real servers, as benchmarks want it: started, looked at from outside, ended by its id.

What it has done is asked from Kafka (committed offsets), and what it costs from the operating system, so looking costs
the worker nothing.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import httpx
import psutil
from confluent_kafka import Consumer, KafkaException, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from cli.kafka_clients import client_config
from compose.local.ports import free_port
from schemas.topics import Topic

ROOT = Path(__file__).resolve().parents[1]
ANSWER_S = 20.0
PATIENCE_S = 60.0
AGAIN_S = 0.2
STOP_S = 60.0

Answer = TypeVar("Answer")


class WorkerEnded(Exception):
    """The worker ended while it was measured."""


class LiveWorker:
    """``faust -A streams worker`` with some roles, on the servers that the ALPR_* variables name.

    Args:
        roles: comma-separated.
        folder: of its tables and its log.
        environment: more ALPR_* settings.
    """

    def __init__(self, roles: str, folder: Path, environment: dict[str, str]) -> None:
        self.log = folder / "worker.log"
        self._port = free_port()
        settings = {
            "ALPR_ROLES": roles,
            "ALPR_DATADIR": str(folder / "tables"),
            "ALPR_WEB_PORT": str(self._port),
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "faust", "-A", "streams", "worker", "-l", "info"],
                cwd=ROOT, env={**os.environ, **settings}, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.process = psutil.Process(self._child.pid)

    def __enter__(self) -> "LiveWorker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def check(self) -> None:
        """See that it runs.

        Raises:
            WorkerEnded: it does not; with the end of its log.
        """
        code = self._child.poll()
        if code is not None:
            lines = self.log.read_text(errors="replace").splitlines()[-20:]
            raise WorkerEnded(f"the worker ended with {code}:\n" + "\n".join(lines))

    def wait_ready(self, seconds: float) -> None:
        """Wait until all of its roles work.

        Raises:
            WorkerEnded: it has ended, or is not ready in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            try:
                if httpx.get(f"http://127.0.0.1:{self._port}/ready", timeout=ANSWER_S).is_success:
                    return
            except httpx.TransportError:
                pass  # it does not listen yet
            time.sleep(AGAIN_S)
        raise WorkerEnded(f"the worker was not ready within {seconds:.0f} s; see {self.log}")

    def cpu_s(self) -> float:
        """CPU time so far, all threads, user and system."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_bytes(self) -> int:
        """Resident memory."""
        return int(self.process.memory_info().rss)

    def counts(self, metric: str) -> dict[str, float]:
        """A counter of the worker's own page: value by the values of its labels."""
        text = httpx.get(f"http://127.0.0.1:{self._port}/metrics", timeout=ANSWER_S).text
        return {
            ",".join(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == metric
        }


class Progress:
    """How far consumer groups have come, summed over the partitions of a topic. It joins no group."""

    def __init__(self) -> None:
        self._consumers: dict[str, Consumer] = {}

    def end(self, topic: Topic) -> int:
        """Records that the topic has had."""
        consumer = self._consumer("alpr-bench")
        ends = _patiently(lambda: [consumer.get_watermark_offsets(place, timeout=ANSWER_S) for place in _places(topic)])
        return sum(high for _, high in ends)

    def committed(self, group: str, topics: Iterable[Topic]) -> dict[str, int]:
        """Records of each topic that the group has finished."""
        places = [place for topic in topics for place in _places(topic)]
        done: dict[str, int] = dict.fromkeys([place.topic for place in places], 0)
        consumer = self._consumer(group)
        for place in _patiently(lambda: consumer.committed(places, timeout=ANSWER_S)):
            done[place.topic] += max(0, place.offset)  # a negative one: nothing is committed
        return done

    def _consumer(self, group: str) -> Consumer:
        if group not in self._consumers:
            self._consumers[group] = Consumer(client_config(**{"group.id": group, "enable.auto.commit": False}))
        return self._consumers[group]


def _patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask again for a while: a coordinator that has just been chosen refuses at first."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(AGAIN_S)


def _places(topic: Topic) -> list[TopicPartition]:
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]
