"""A worker with the alerts role, as a process, and its topics."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from alert_rules.sightings import sighting_from_json
from schemas.codec import EventCodec
from schemas.events import Alert, Sighting, Tick
from schemas.record_kinds import kind_header
from schemas.registry import HttpRegistry
from schemas.topics import ALERTS, SIGHTINGS, TICKS, Topic
from tests.connected.streams.conftest import Broker, free_port, until

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
GROUP = "alpr-alerts"
START_US = 1_767_571_200_000_000


class Alerts:
    """The alerts role as a process, and its topics. Rules, lists and sightings carry a mark of the test.

    Args:
        stack: servers.
        folder: state, rules, lists and log of the process.
        rules: text of the rule file, with ``{mark}`` where the test's mark belongs.
    """

    def __init__(self, stack: Any, folder: Path, rules: str) -> None:
        self.mark = f"t{uuid4().hex[:8]}"
        self.folder = folder
        self.broker = Broker(stack.kafka_bootstrap)
        self.codec = EventCodec(HttpRegistry(stack.registry_url))
        self.rules = folder / "rules.yml"
        self.list_file = folder / "lists" / f"{self.mark}.txt"
        self.list_file.parent.mkdir()
        self.list_file.write_text("AB0123\nXY?9*\n")
        self.rules.write_text(rules.format(mark=self.mark))
        self.log = folder / "worker.log"
        self._env = {
            **os.environ,
            "ALPR_ROLES": "alerts",
            "ALPR_RULES_PATH": str(self.rules),
            "ALPR_WATCHLISTS_PATH": str(self.list_file.parent),
            "ALPR_RULES_RELOAD_S": "0.2",
            "ALPR_DATADIR": str(folder / "state"),
            "ALPR_WEB_PORT": str(free_port()),
            "ALPR_SESSION_TIMEOUT_S": "6",
            "ALPR_REBALANCE_TIMEOUT_S": "10",
            "ALPR_REBALANCE_SETTLE_S": "4",
            "ALPR_STOP_SETTLE_S": "3",
            "ALPR_RECOVERY_DELAY_S": "0.1",
            "ALPR_LOG_FORMAT": "json",
        }
        subprocess.run([BIN / "alpr", "topics", "apply"], env=self._env, cwd=ROOT, check=True, capture_output=True)
        self._producer = Producer({"bootstrap.servers": stack.kafka_bootstrap, "partitioner": "murmur2_random"})
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the worker."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / "faust", "-A", "streams", "worker", "-l", "info"],
                cwd=ROOT, env=self._env, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def end(self, how: signal.Signals) -> int:
        """End the worker; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(30)

    def sighting(self, event_id: str, at_s: float, **fields: Any) -> Sighting:
        """A sighting of this test."""
        base = {"camera_id": "gate", "captured_at": START_US + round(at_s * 1e6), "plate_confidence": 0.9}
        made = sighting_from_json({"event_id": f"{self.mark}-{event_id}", **base, **fields})
        return replace(made, extras={"run": self.mark})

    def put(self, *events: Sighting | Tick) -> None:
        """Write sightings, each in its plate's partition, and ticks, which stand in all of them."""
        for number, event in enumerate(events):
            if isinstance(event, Tick):
                value = self.codec.encode(TICKS, event)
                headers: dict[str, str | bytes | None] = dict([kind_header(Tick)])
                for partition in range(SIGHTINGS.partitions):
                    self._producer.produce(SIGHTINGS.name, value, None, partition, headers=headers)
            else:
                self._producer.produce(SIGHTINGS.name, self.codec.encode(SIGHTINGS, event), event.match_key.encode())
            if number % 500 == 0:
                self._producer.poll(0)
        assert self._producer.flush(20) == 0

    def put_raw(self, topic: str, key: bytes, value: bytes | None) -> None:
        """Write one record."""
        self._producer.produce(topic, value, key)
        assert self._producer.flush(20) == 0

    def alerts(self) -> list[Alert]:
        """The alerts of this test's rules, so far; a worker that has ended by itself fails the test."""
        if self.process is not None and (status := self.process.poll()) is not None:
            last = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            pytest.fail(f"the worker ended with {status}:\n{last}")
        decoded = [self.codec.decode(ALERTS, record.value()) for record in self.broker.drain(ALERTS.name)]
        return [alert for alert in decoded if alert.rule.id.startswith(self.mark)]

    def handled(self, topic: Topic = SIGHTINGS) -> bool:
        """Whether everything that was written to a topic is committed."""
        return self.broker.committed(GROUP, topic.name) == self.broker.end(topic.name)

    def wait_for_log(self, words: str) -> None:
        """Wait until the worker says something."""
        until(lambda: words in self.log.read_text(errors="replace"), f"{words!r} in the log", 60)
