"""A timed run: an engine works off the whole topic, and what it made is compared with the reference."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from bench.stream.engines import Engine, RunPlace
from bench.stream.job import decode_event
from bench.stream.source import Reference, create_topic, digest, table_lines
from bench.stream.topics import Topics
from bench.stream.worker import BenchFailed, Usage, Worker, WorkerFailed, cpu_s
from compose.local.artifacts import Report

POLL_S = 0.05
STUCK_S = 60.0  # without progress
LIMIT_S, LIMIT_READS_PER_S = 120.0, 1000  # a run may take so long, and a second more for so many reads


@dataclass(frozen=True, slots=True)
class Throughput:
    """One run, from the first record on until everything is committed and written.

    Attributes:
        records_per_s: of the input, drained.
        cpu_s_per_100k: CPU seconds of the worker per 100 thousand records.
        warmed_cpu_s_per_100k: the same over the second half of the records.
        broker_cpu_s_per_100k: what the broker took meanwhile.
        peak_rss_mb: of the worker.
        changelog_records: how many the engine wrote.
    """

    records_per_s: float
    cpu_s_per_100k: float
    warmed_cpu_s_per_100k: float
    broker_cpu_s_per_100k: float
    peak_rss_mb: float
    changelog_records: int


def run_throughput(
    engine: Engine,
    topics: Topics,
    source: str,
    reference: Reference,
    linger_ms: int,
    broker_pid: int,
    report: Report,
) -> Throughput:
    """Run an engine on a fresh group, state and output.

    Raises:
        WorkerFailed: it died or got stuck.
        BenchFailed: it made something else than the reference.
    """
    run = f"bench-{engine.name}-{uuid4().hex[:8]}"
    events = f"{run}-events"
    changelog = engine.changelog(run, source)
    folder = Path(tempfile.mkdtemp(prefix="alpr-bench-"))
    create_topic(topics.bootstrap, events)
    worker = Worker(engine, RunPlace(run, topics.bootstrap, source, events, folder, linger_ms), report)
    try:
        first = worker.wait_first_record()
        broker_cpu_s = cpu_s(broker_pid)
        half, end = _watch(worker, topics, engine.group(run), source, events, reference)
        broker_cpu_s = cpu_s(broker_pid) - broker_cpu_s
        peak_rss_mb = worker.peak_rss_mb()
        worker.stop()
        changelog_records = _verify(engine, topics, events, changelog, reference)
        half_records, half_usage = half or (0, first)  # a run of one commit has no second half
        return Throughput(
            records_per_s=reference.reads / (end.wall_s - first.wall_s),
            cpu_s_per_100k=(end.cpu_s - first.cpu_s) / reference.reads * 1e5,
            warmed_cpu_s_per_100k=(end.cpu_s - half_usage.cpu_s) / (reference.reads - half_records) * 1e5,
            broker_cpu_s_per_100k=broker_cpu_s / reference.reads * 1e5,
            peak_rss_mb=peak_rss_mb,
            changelog_records=changelog_records,
        )
    finally:
        worker.stop()
        topics.delete(events, changelog)
        shutil.rmtree(folder, ignore_errors=True)


def _watch(
    worker: Worker, topics: Topics, group: str, source: str, events: str, reference: Reference
) -> tuple[tuple[int, Usage] | None, Usage]:
    """When half was committed (and how much that was), and when all was and all events stood in the log."""
    half: tuple[int, Usage] | None = None
    committed, progress_at = 0, time.monotonic()
    deadline = progress_at + LIMIT_S + reference.reads / LIMIT_READS_PER_S
    while True:
        worker.check_alive()
        usage = worker.usage()
        now = topics.committed(group, source)
        if now > committed:
            committed, progress_at = now, time.monotonic()
        if half is None and reference.reads // 2 <= committed < reference.reads:
            half = committed, usage
        if committed >= reference.reads and topics.length(events) >= reference.events:
            return half, worker.usage()
        if time.monotonic() > min(progress_at + STUCK_S, deadline):
            raise WorkerFailed(f"{worker.engine.name} is stuck at {committed} of {reference.reads}:\n{worker.tail()}")
        time.sleep(POLL_S)


def _verify(engine: Engine, topics: Topics, events: str, changelog: str, reference: Reference) -> int:
    ids = [decode_event(value).event_id for _, value in topics.records(events)]
    if len(ids) != reference.events or digest(ids) != reference.event_ids:
        raise BenchFailed(f"{engine.name} made {len(ids)} events, {reference.events} were expected, or other ones")
    table: dict[str, int] = {}
    count = 0
    for key, value in topics.records(changelog):
        entry, time_ms = engine.entry(key, value)
        table[entry] = time_ms
        count += 1
    if len(table) != reference.keys or digest(table_lines(table.items())) != reference.table:
        raise BenchFailed(f"{engine.name}'s table has {len(table)} of {reference.keys} keys, or other values")
    return count
