"""Latency at a steady rate: from the moment a read is handed to the producer until its event is received."""

import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import uuid4

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.stream.engines import Engine, RunPlace
from bench.stream.job import PARTITIONS, Read, decode_event, encode_read
from bench.stream.source import create_topic
from bench.stream.topics import Topics
from bench.stream.worker import BenchFailed, Worker, WorkerFailed
from compose.local.artifacts import Report

WARM_S = 8.0  # connections, first checkpoints, the JVM's compilers
CATCH_UP_S = 120.0  # for an engine that does not keep up; its latencies say so


@dataclass(frozen=True, slots=True)
class Latency:
    """One engine at a steady rate.

    Attributes:
        p50_ms: median.
        p99_ms: 99th percentile.
        max_ms: largest.
        cores: CPU seconds of the worker per second.
        events: measured.
    """

    p50_ms: float
    p99_ms: float
    max_ms: float
    cores: float
    events: int


def run_latency(
    engine: Engine, topics: Topics, rate_per_s: int, seconds: float, linger_ms: int, report: Report
) -> Latency:
    """Send reads at a steady rate to a worker that has nothing else to do.

    Raises:
        WorkerFailed: it died, or did not catch up in time.
        BenchFailed: it made more events than there are.
    """
    run = f"bench-latency-{engine.name}-{uuid4().hex[:8]}"
    source, events = f"{run}-reads", f"{run}-events"
    folder = Path(tempfile.mkdtemp(prefix="alpr-bench-"))
    create_topic(topics.bootstrap, source)
    create_topic(topics.bootstrap, events)
    worker = Worker(engine, RunPlace(run, topics.bootstrap, source, events, folder, linger_ms), report)
    receiver = Receiver(topics.bootstrap, events)
    try:
        sender = Sender(topics.bootstrap, source, rate_per_s)
        sender.send_for(1.0)
        worker.wait_first_record()
        sender.send_for(WARM_S)
        begin, began_ns = worker.usage(), time.monotonic_ns()
        sender.send_for(seconds)
        end, ended_ns = worker.usage(), time.monotonic_ns()
        deadline = time.monotonic() + CATCH_UP_S
        while len(receiver.received) < sender.new and time.monotonic() < deadline:
            worker.check_alive()
            time.sleep(0.05)
        latencies = sorted(ms for sent_ns, ms in receiver.received if began_ns <= sent_ns < ended_ns)
        if len(receiver.received) != sender.new:
            made, ids = len(receiver.received), len(set(receiver.event_ids))
            failure = WorkerFailed if made < sender.new else BenchFailed
            raise failure(f"{engine.name} made {made} events ({ids} different) of {sender.new}:\n{worker.tail()}")
        return Latency(
            p50_ms=_quantile(latencies, 0.5),
            p99_ms=_quantile(latencies, 0.99),
            max_ms=latencies[-1],
            cores=(end.cpu_s - begin.cpu_s) / (end.wall_s - begin.wall_s),
            events=len(latencies),
        )
    finally:
        receiver.stop()
        worker.stop()
        topics.delete(source, events, engine.changelog(run, source))
        shutil.rmtree(folder, ignore_errors=True)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Sender:
    """Sends reads at a steady rate; two of five are new vehicles, the others repeats. ``new`` counts the former."""

    def __init__(self, bootstrap: str, topic: str, rate_per_s: int) -> None:
        self.new = 0
        self._topic = topic
        self._rate_per_s = rate_per_s
        self._random = Random(5)
        self._number = 0
        self._recent: list[tuple[str, str]] = []
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 0, "acks": "1", "partitioner": "murmur2_random"}
        )

    def send_for(self, seconds: float) -> None:
        """Send for so long. Vehicles of an earlier call do not come again: their passes may be over."""
        self._recent.clear()
        began, first = time.monotonic(), self._number
        while (elapsed := time.monotonic() - began) < seconds:
            while self._number - first < elapsed * self._rate_per_s:
                read = self._next()
                self._producer.produce(self._topic, encode_read(read), read.camera_id)
            self._producer.poll(0)
            time.sleep(0.001)
        self._producer.flush(10)

    def _next(self) -> Read:
        self._number += 1
        if not self._recent or self._random.random() < 0.4:
            self.new += 1
            self._recent = [*self._recent[-19:], (f"cam-{self._random.randrange(200):04}", f"X{self.new:07}")]
            camera, plate = self._recent[-1]
        else:
            camera, plate = self._random.choice(self._recent)
        return Read(
            event_id=f"{self._number:036}",
            captured_at=int(time.time() * 1000),
            camera_id=camera,
            track_id=self._number,
            plate=plate,
            confidence=0.9,
            region="NL",
            image_key=str(time.monotonic_ns()),  # comes back in the event
        )


class Receiver:
    """Receives events as they come, in a thread: ``(sent at, ns; latency, ms)``."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.received: list[tuple[int, float]] = []
        self.event_ids: list[str] = []
        self._stopping = threading.Event()
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "bench", "fetch.wait.max.ms": 100, "fetch.queue.backoff.ms": 2}
        )
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _receive(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(0.2)
            if message is None or message.error():
                continue
            now_ns = time.monotonic_ns()
            event = decode_event(message.value() or b"")
            sent_ns = int(event.image_key)
            self.event_ids.append(event.event_id)
            self.received.append((sent_ns, (now_ns - sent_ns) / 1e6))

    def stop(self) -> None:
        """End the thread and its consumer."""
        self._stopping.set()
        self._thread.join(10)
        self._consumer.close()
