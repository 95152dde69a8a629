"""Scenarios on the small job, whose outputs and table a few lines of plain Python predict."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.broker import PARTITIONS, Broker
from tests.chaos.conftest import SESSION
from tests.chaos.full_disk import small_disk
from tests.chaos.small_job import Bench
from tests.chaos.verdict import Verdict
from tests.chaos.waiting import until
from tests.connected.streams.reads import expected, make_reads

READS = 24_000
KEYS = 400
SLOW = {"JOB_SLOW_S": "0.03", "ALPR_RUN_RECORDS": "200"}
"""About 6,600 reads a second, so that there is a middle in which something can happen."""
Held = Callable[[Verdict], None]


def test_kill_9(bench: Bench, held: Held) -> None:
    """SIGKILL twice with the state kept, once with the state wiped: nothing lost, the table exact."""
    reads = make_reads(READS, KEYS)
    worker = bench.worker(**SLOW)
    for part in range(4):
        bench.broker.produce_reads(bench.source, reads[READS * part // 4 : READS * (part + 1) // 4])
        if part < 3:
            bench.work_until(READS * part // 4 + READS // 8, worker)
            worker.kill()
            if part == 2:
                shutil.rmtree(worker.datadir)
            worker.restart()
    bench.work_until(READS, worker)
    assert worker.stop() == 0
    held(bench.judge("kill -9, state kept twice and wiped once", reads, worker, repeats_allowed=True))


def test_sigterm(bench: Bench, held: Held) -> None:
    """A clean stop in the middle of the work repeats nothing."""
    reads = make_reads(READS, KEYS)
    bench.broker.produce_reads(bench.source, reads)
    worker = bench.worker(**SLOW)
    for part in (1, 2):
        bench.work_until(READS * part // 4, worker)
        assert worker.stop() == 0
        worker.restart()
    bench.work_until(READS, worker)
    assert worker.stop() == 0
    held(bench.judge("SIGTERM twice", reads, worker))


def test_workers_join_and_leave(bench: Bench, held: Held) -> None:
    """Two workers, a third that joins and leaves, one that leaves: under load, each event once."""
    reads = make_reads(2 * READS, KEYS)
    bench.broker.produce_reads(bench.source, reads[:READS])
    first, second = bench.worker(**SLOW), bench.worker(**SLOW)
    until(second.is_ready_for_partitions, "partitions of the second worker")
    third = bench.worker(**SLOW)
    until(third.is_ready_for_partitions, "partitions of the third worker")
    bench.broker.produce_reads(bench.source, reads[READS : READS * 3 // 2])
    bench.work_until(READS * 5 // 4, first, second, third)
    assert third.stop() == 0
    bench.broker.produce_reads(bench.source, reads[READS * 3 // 2 :])
    bench.work_until(READS * 7 // 4, first, second)
    assert second.stop() == 0
    bench.work_until(len(reads), first)
    until(lambda: first.partitions() == PARTITIONS, "everything with the first worker")
    assert first.stop() == 0
    held(bench.judge("two workers, a third joins, two leave", reads, first))


def test_a_broker_that_is_killed(bench: Bench, stack: Any, held: Held) -> None:
    """The worker lives through it, says that it is not ready meanwhile, and sends each event once."""
    reads = make_reads(READS, KEYS)
    bench.broker.produce_reads(bench.source, reads)
    worker = bench.worker(JOB_SLOW_S="0.05", ALPR_RUN_RECORDS="100")
    bench.work_until(READS // 8, worker)
    stack.kill("kafka")
    until(lambda: not worker.is_ready(), "the news")
    stack.start("kafka")
    bench.work_until(READS, worker)
    worker.wait_until_ready(40)
    assert worker.stop() == 0
    held(bench.judge("broker killed", reads, worker))


def test_a_full_disk(broker: Broker, tmp_path: Path, held: Held) -> None:
    """State that cannot be written ends the worker before its offsets are committed; with room again all is well."""
    reads = make_reads(READS, KEYS)
    with small_disk(tmp_path / "disk", 64) as disk:
        bench = Bench(broker, tmp_path, env={**SESSION, "ALPR_DATADIR": str(tmp_path / "disk" / "state")})
        try:
            bench.broker.produce_reads(bench.source, reads)
            worker = bench.worker(**SLOW)
            bench.work_until(READS // 4, worker)
            disk.fill(worker)
            assert worker.wait(30) == 1
            committed = bench.committed()
            disk.free()
            worker.restart()
            bench.work_until(READS, worker)
            assert worker.stop() == 0
            verdict = bench.judge("full disk under RocksDB", reads, worker, repeats_allowed=True)
            verdict.note(mechanism=disk.how, committed_when_full=committed)
        finally:
            bench.close()
    assert committed < READS
    held(verdict)


def test_a_frozen_worker(bench: Bench, held: Held) -> None:
    """A worker that stood still past its session, twice, does not write over what its successor did."""
    reads = make_reads(2 * READS, KEYS)
    bench.broker.produce_reads(bench.source, reads[:READS])
    first, second = bench.worker(**SLOW), bench.worker(**SLOW)
    until(second.is_ready_for_partitions, "partitions of the second worker")
    until(first.is_ready_for_partitions, "partitions of the first worker")
    for part in (1, 2):
        first.freeze()
        time.sleep(12)
        until(second.is_ready_for_partitions, "the second worker's takeover")
        bench.broker.produce_reads(bench.source, reads[READS * (part + 1) // 2 : READS * (part + 2) // 2])
        first.thaw()
        until(first.is_ready_for_partitions, "the first worker's return")
    bench.work_until(len(reads), first, second)
    assert second.stop() == 0
    until(lambda: first.partitions() == PARTITIONS, "everything with the first worker")
    assert first.stop() == 0
    held(bench.judge("frozen past its session twice", reads, first, repeats_allowed=True))


def test_a_slow_sink(bench: Bench, held: Held) -> None:
    """A role whose sink crawls holds up itself alone: the first role finishes, and nothing piles up in memory."""
    reads = make_reads(READS, KEYS)
    events = expected(reads)[0]
    worker = bench.worker(JOB_SINK="slow", ALPR_RUN_RECORDS="100")
    bench.broker.produce_reads(bench.source, reads)
    bench.work_until(READS, worker)
    group = f"alpr-{bench.run_id}-sink"
    behind = len(events) - bench.broker.committed(group, bench.events)
    until(lambda: bench.broker.committed(group, bench.events) == len(events), "the sink's work", 60, 0.5)
    assert worker.stop() == 0
    verdict = bench.judge("slow sink", reads, worker)
    verdict.note(sink_behind_when_the_first_role_was_done=behind)
    assert behind > len(events) // 4
    held(verdict)


def test_a_record_that_the_broker_refuses(broker: Broker, tmp_path: Path, held: Held) -> None:
    """A record that is too large for its topic ends the worker before anything is committed around it."""
    bench = Bench(broker, tmp_path, events_max_bytes=100_000, env=SESSION)
    reads = make_reads(READS // 2, KEYS)
    try:
        bench.broker.produce_reads(bench.source, reads)
        worker = bench.worker(JOB_FAIL_ONCE="refused", **SLOW)
        assert worker.wait(60) == 1
        committed = bench.committed()
        worker.restart()
        bench.work_until(len(reads), worker)
        assert worker.stop() == 0
        verdict = bench.judge("record refused by the broker", reads, worker, repeats_allowed=True)
        verdict.note(committed_when_refused=committed)
    finally:
        bench.close()
    assert committed < len(reads)
    assert "MSG_SIZE_TOO_LARGE" in worker.log.read_text()
    held(verdict)
