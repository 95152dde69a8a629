"""The platform's own roles on the real topics: steady traffic, workers to hurt, and the judgement.

Topics and groups are the platform's; each scenario has cameras and state folders of its own, and finds the groups where
the scenario before it left them.
"""

import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
from confluent_kafka import Message, Producer

from bench.traffic import Scene, stream
from schemas.clock import now_us
from schemas.codec import EventCodec
from schemas.events import Sighting
from schemas.record_kinds import is_event
from schemas.registry import HttpRegistry
from schemas.topics import DETECTED, DLQ, ROUTED, SIGHTINGS
from tests.chaos.broker import Broker
from tests.chaos.offline import Contents, LogRecord, OfflineCore
from tests.chaos.rocksdb_files import rocksdb_contents
from tests.chaos.stores import opensearch_events, timescale_events
from tests.chaos.verdict import Verdict
from tests.chaos.waiting import until
from tests.chaos.worker import REPOSITORY, Worker

CAMERAS = 200
Raw = tuple[bytes, bytes]
"""Key and value of a raw detection."""
STORE_ROLES = "core,timescale,opensearch"


class Log:
    """Reads topics on, a scenario at a time."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._next: dict[str, dict[int, int]] = defaultdict(dict)

    def new(self, topic: str, until: dict[int, int] | None = None) -> list[Message]:
        """Records that came since the last time.

        Args:
            topic: name.
            until: offsets by partition before which to end; what is behind them is for the next time.
        """
        messages = []
        for message in self._broker.drain(topic, self._next[topic]):
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            if until is None or offset < until.get(partition, 0):
                self._next[topic][partition] = offset + 1
                messages.append(message)
        return messages


class Platform:
    """What all scenarios on the platform share: the topics, the codec, the offline core.

    Args:
        stack: the servers.
        broker: its Kafka.
        folder: for the offline core's state.
    """

    def __init__(self, stack: Any, broker: Broker, folder: Path) -> None:
        self.stack = stack
        self.broker = broker
        subprocess.run([sys.executable, "-m", "cli.main", "topics", "apply"], cwd=REPOSITORY, check=True, timeout=120)
        self.codec = EventCodec(HttpRegistry(stack.registry_url))
        self.codec.prepare(DETECTED, ROUTED, SIGHTINGS, DLQ)
        self.offline = OfflineCore(folder)
        self.log = Log(broker)


class PlatformScenario:
    """One scenario's cameras, traffic and workers.

    Args:
        platform: shared.
        folder: of the workers.
        env: of all workers.
    """

    def __init__(self, platform: Platform, folder: Path, env: dict[str, str]) -> None:
        self.platform = platform
        self.mark = f"t{uuid4().hex[:8]}"
        self.workers: list[Worker] = []
        self.sent = 0
        self._folder = folder
        self._env = env

    def worker(self, roles: str = "core", **env: str) -> Worker:
        """Start a worker with a state folder of its own."""
        worker = Worker(
            self._folder / f"w{len(self.workers)}", {"ALPR_ROLES": roles, **self._env, **env}, app="streams"
        )
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """End the workers that still run."""
        for worker in self.workers:
            if worker.is_alive:
                worker.kill()

    def detections(self, per_s: int) -> Iterator[Raw]:
        """Raw detections of this scenario's cameras, as the edge sends them; more than any scenario needs.

        Args:
            per_s: how many a second of event time, from now on.
        """
        every_s = 2.2 * CAMERAS / per_s  # a vehicle is 2.2 detections
        scene = Scene(cameras=CAMERAS, detections=1_000_000, every_s=every_s, start_us=now_us())
        for item in stream(scene, seed=int(self.mark[1:], 16)):
            camera_id = f"{self.mark}-{item.camera_id}"
            own = replace(item, camera_id=camera_id, event_id=f"{self.mark}-{item.event_id}")
            yield camera_id.encode(), self.platform.codec.encode(DETECTED, own)

    @contextmanager
    def traffic(self, per_s: int) -> Iterator[None]:
        """Feed detections at a steady rate for as long as the body runs; ends when Kafka has acknowledged them all."""
        feeder = Feeder(self.platform.broker.bootstrap, self.detections(per_s), per_s)
        feeder.start()
        try:
            yield
        finally:
            self.sent += feeder.stop()

    def wait_done(self, *workers: Worker, roles: Sequence[str] = ("core",), timeout_s: float = 120.0) -> None:
        """Wait until the roles have committed everything. These workers must live meanwhile."""
        broker = self.platform.broker
        ends: dict[str, int] = {}

        def done(group: str, topic: str) -> bool:
            for worker in workers:
                worker.must_live()
            return broker.committed(group, topic) >= ends[topic]

        def wait(group: str, topic: str) -> None:
            ends[topic] = broker.end(topic)  # clocks go on being written: the end of now is what counts
            until(lambda: done(group, topic), f"{group} at the end of {topic}", timeout_s, 0.3)

        for topic in (DETECTED, ROUTED):
            wait("alpr-core", topic.name)
        for role in roles:
            if role != "core":
                wait(f"alpr-{role}", SIGHTINGS.name)

    def judge(self, scenario: str, *stopped: Worker, repeats_allowed: bool = False, stores: bool = False) -> Verdict:
        """Compare topics, tables and stores with the offline core.

        Args:
            scenario: for the report.
            stopped: a worker that had all partitions at last, and has ended: its RocksDB is compared too.
            repeats_allowed: events may be on topics twice (a worker was killed); in stores never.
            stores: compare what stands in TimescaleDB and OpenSearch.
        """
        verdict = Verdict(scenario)
        verdict.note(sent=self.sent, starts=sum(worker.starts for worker in self.workers))
        sightings = self._topics(verdict, repeats_allowed)
        for table in self.platform.offline.tables:
            expected = self.platform.offline.contents(table)
            if not expected:  # no camera of these scenarios has a rate cap
                continue
            changelog: Contents = {}
            for message in self.platform.broker.drain(table.changelog_topic_name):
                place = (message.partition() or 0, message.key() or b"")
                value = message.value()
                if value is None:
                    changelog.pop(place, None)
                else:
                    changelog[place] = value
            verdict.table(f"{table.name} in the changelog", expected, changelog)
            for worker in stopped:
                verdict.table(f"{table.name} in RocksDB", expected, rocksdb_contents(worker.datadir, table.name))
        if stores:
            self._stores(verdict, sightings)
        return verdict

    def _topics(self, verdict: Verdict, repeats_allowed: bool) -> set[bytes]:
        """Compare the topics; the sightings that there must be."""
        offline, log = self.platform.offline, self.platform.log
        offline.outputs.clear()
        raw = log.new(DETECTED.name)
        verdict.count(
            "raw detections", self.sent, sum((one.key() or b"").startswith(self.mark.encode()) for one in raw)
        )
        offline.apply(DETECTED.name, raw)
        # a clock that was written when the worker ended is not handled yet: the tables are those of the commit
        routed = log.new(ROUTED.name, self.platform.broker.committed_offsets("alpr-core", ROUTED.name))
        offline.apply(ROUTED.name, routed)
        for topic, found in ((ROUTED, routed), (SIGHTINGS, log.new(SIGHTINGS.name))):
            expected = {(out.key, out.value) for out in offline.outputs[topic.name] if is_event(out.headers)}
            events = [(message.key(), message.value()) for message in found if is_event(LogRecord.of(message).headers)]
            verdict.arrivals(topic.name, expected, events, repeats_allowed=repeats_allowed)
        verdict.count("dead letters", 0, len(log.new(DLQ.name)))
        return {value for _, value in expected if value is not None}

    def _stores(self, verdict: Verdict, sightings: set[bytes]) -> None:
        latest: dict[str, int] = {}
        for value in sightings:
            sighting: Sighting = self.platform.codec.decode(SIGHTINGS, value)
            if not sighting.camera_id.startswith(self.mark):  # what a scenario before has left behind
                continue
            latest[sighting.event_id] = max(sighting.revision, latest.get(sighting.event_id, 0))
        rows = set(latest.items())
        stack = self.platform.stack
        verdict.arrivals("TimescaleDB", rows, timescale_events(stack.timescale_dsn, self.mark))
        verdict.arrivals("OpenSearch", rows, opensearch_events(stack.opensearch_url, self.mark))


def server_on(url: str) -> psutil.Process:
    """The process that listens where a URL points."""
    port = urlsplit(url).port
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:] == (port,) and connection.pid:
            return psutil.Process(connection.pid)
    raise LookupError(f"nobody listens on port {port}")


class Feeder(threading.Thread):
    """Sends raw detections at a steady rate until it is stopped.

    Args:
        bootstrap: Kafka.
        raws: what to send.
        per_s: how many a second.
    """

    def __init__(self, bootstrap: str, raws: Iterator[Raw], per_s: int) -> None:
        super().__init__(daemon=True)
        self._raws = raws
        self._per_s = per_s
        self._stopping = threading.Event()
        self._sent = 0
        self._left = -1
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 2,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
            }
        )

    def run(self) -> None:
        """Send."""
        started_at = time.monotonic()
        for key, value in self._raws:
            while (ahead_s := self._sent / self._per_s - (time.monotonic() - started_at)) > 0:
                self._producer.poll(min(ahead_s, 0.05))
            if self._stopping.is_set():
                break
            self._producer.produce(DETECTED.name, value, key)
            self._sent += 1
        self._left = self._producer.flush(100)

    def stop(self) -> int:
        """End it and wait until Kafka has everything; how many were sent."""
        self._stopping.set()
        self.join(120)
        assert self._left == 0, f"Kafka did not take {self._left} of {self._sent} detections in 100 s (-1: unknown)"
        return self._sent
