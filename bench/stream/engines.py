"""The engines: how each is started, and how its changelog is read."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.stream.install import kafka_streams_classpath, quix_python
from compose.local.artifacts import Report
from compose.local.ports import free_port
from compose.local.tools import JAVA

COMMIT_MS = 1000
Entry = tuple[str, int]
"""``camera|plate`` and time of the last read, as the reference has it"""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine with its job.

    Attributes:
        name: as in ``--engines``.
        title: as in the table.
        group: consumer group of a run.
        changelog: changelog topic of a run, given the source topic too.
        entry: reads a changelog record.
        command: the worker, once what it needs is there.
        environment: what it wants beside the settings that all share.
    """

    name: str
    title: str
    group: Callable[[str], str]
    changelog: Callable[[str, str], str]
    entry: Callable[[bytes, bytes], Entry]
    command: Callable[[Report], list[str]]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunPlace:
    """What a run of any engine is told.

    Attributes:
        run: id of the run; group, state and topics are made of it.
        kafka: bootstrap address.
        source: topic that is read.
        events: topic that is written.
        folder: for state, log and mark.
        linger_ms: of the producer.
    """

    run: str
    kafka: str
    source: str
    events: str
    folder: Path
    linger_ms: int

    def environment(self, engine: Engine) -> dict[str, str]:
        """The worker's environment: the same settings for every engine, in each one's words."""
        return {
            **os.environ,
            "BENCH_RUN": self.run,
            "BENCH_KAFKA": self.kafka,
            "BENCH_SOURCE": self.source,
            "BENCH_EVENTS": self.events,
            "BENCH_STATE": str(self.folder / "state"),
            "BENCH_MARK": str(self.folder / "first-record.json"),
            "BENCH_LINGER_MS": str(self.linger_ms),
            "BENCH_COMMIT_MS": str(COMMIT_MS),
            "ALPR_KAFKA_BOOTSTRAP": self.kafka,
            "ALPR_DATADIR": str(self.folder / "state"),
            "ALPR_WEB_PORT": str(free_port()),
            "ALPR_LINGER_MS": str(self.linger_ms),
            "ALPR_COMMIT_INTERVAL_S": str(COMMIT_MS / 1000),
            **engine.environment,
        }


def _json_text(key: bytes, value: bytes) -> Entry:
    return json.loads(key), int(json.loads(value))


def _plain(key: bytes, value: bytes) -> Entry:
    return key.decode(), int(value)


def _quix(key: bytes, value: bytes) -> Entry:
    camera, _, plate = key.decode().partition("|")
    return f"{json.loads(camera)}|{json.loads(plate)}", int(json.loads(value))


def _java(key: bytes, value: bytes) -> Entry:
    return key.decode(), int.from_bytes(value, "big")


def _faust_command(module: str) -> Callable[[Report], list[str]]:
    def command(_report: Report) -> list[str]:
        return [
            sys.executable,
            "-m",
            "faust",
            "-A",
            f"bench.stream.workers.{module}",
            "worker",
            "--without-web",
            "-l",
            "warn",
        ]

    return command


def _quix_command(report: Report) -> list[str]:
    return [str(quix_python(report)), "-m", "bench.stream.workers.quix_worker"]


def _java_command(report: Report) -> list[str]:
    classpath = kafka_streams_classpath(report)
    options = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return [str(JAVA.require()), *options, "-cp", classpath, "bench.DeduplicateJob"]


def _runs(name: str, title: str, **environment: str) -> Engine:
    return Engine(
        name, title, lambda run: f"alpr-{run}", lambda run, _: f"alpr-{run}-last-changelog", _plain,
        _faust_command("runs_worker"), environment,
    )  # fmt: skip


def _kafka_streams(name: str, title: str, cache: str) -> Engine:
    return Engine(
        name, title, lambda run: run, lambda run, _: f"{run}-last-changelog", _java, _java_command,
        {"BENCH_CACHE": cache},
    )  # fmt: skip


OURS = _runs("runs", "this project")
EAGER = _runs("runs-eager", "this project, no coalescing", ALPR_COALESCE_MS="0")
PATIENT = _runs("runs-patient", "this project, coalescing 40 ms", ALPR_COALESCE_MS="40")
FAUST = Engine(
    "faust", "Faust, per event", lambda run: run, lambda run, _: f"{run}-last-changelog", _json_text,
    _faust_command("faust_worker"),
)  # fmt: skip
QUIX = Engine(
    "quix", "Quix Streams", lambda run: run, lambda run, source: f"changelog__{run}--{source}--default", _quix,
    _quix_command,
)  # fmt: skip
KAFKA_STREAMS = _kafka_streams("kstreams", "Kafka Streams", "off")
KAFKA_STREAMS_CACHE = _kafka_streams("kstreams-cache", "Kafka Streams, cache on", "on")
ENGINES = {engine.name: engine for engine in (OURS, EAGER, PATIENT, FAUST, QUIX, KAFKA_STREAMS, KAFKA_STREAMS_CACHE)}
THROUGHPUT = ("runs", "faust", "quix", "kstreams", "kstreams-cache")
LATENCY = ("runs", "runs-eager", "runs-patient", "faust", "quix", "kstreams")
