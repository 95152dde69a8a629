"""Tables that are read again from their changelog, and warm copies of them, while workers die."""

import shutil
from collections.abc import Callable

from tests.chaos.broker import PARTITIONS
from tests.chaos.rocksdb_files import rocksdb_contents
from tests.chaos.small_job import Bench
from tests.chaos.verdict import Verdict
from tests.chaos.waiting import until
from tests.chaos.worker import Worker
from tests.connected.streams.reads import expected, make_reads, partition_of_key

OLD_KEYS = 300_000
READS = 8_000
KEYS = 400
Held = Callable[[Verdict], None]


def grow_changelog(bench: Bench) -> dict[bytes, int]:
    """Give the table a long past: keys of which every fifth was deleted later. What is left of it."""
    bench.broker.create(bench.changelog, config={"cleanup.policy": "compact"})
    keys = [b"old-%d" % number for number in range(OLD_KEYS)]
    bench.broker.produce(bench.changelog, [(key, b"1", partition_of_key(key)) for key in keys])
    bench.broker.produce(bench.changelog, [(key, None, partition_of_key(key)) for key in keys[::5]])
    return {key: 1 for number, key in enumerate(keys) if number % 5}


def kill_in_recovery(worker: Worker) -> int:
    """Kill a worker that has applied a part of the changelog; how many keys, or 0 if it had all of them."""
    until(lambda: _written_bytes(worker) > 200_000, "the first applied runs", pause_s=0.01)
    worker.kill()
    applied = len(rocksdb_contents(worker.datadir, "last_seen"))
    return applied if applied < OLD_KEYS * 4 // 5 else 0


def _written_bytes(worker: Worker) -> int:
    return sum(path.stat().st_size for path in worker.datadir.rglob("last_seen-*.db/*.log"))


def test_kill_9_in_the_middle_of_recovery(bench: Bench, held: Held) -> None:
    """A table that was half read is read on, deletions included; then its worker goes on without loss."""
    older = grow_changelog(bench)
    reads = make_reads(READS, KEYS)
    bench.broker.produce_reads(bench.source, reads)
    worker = bench.worker()
    half = 0
    for _ in range(5):
        half = kill_in_recovery(worker)
        if half:
            break
        shutil.rmtree(worker.datadir)  # too late: once more from the beginning
        worker.restart()
    worker.restart()
    assert half, "no kill has met a recovery in its middle"
    bench.work_until(READS, worker)
    assert worker.stop() == 0
    verdict = bench.judge("kill -9 in the middle of recovery", reads, worker, repeats_allowed=True, older=older)
    verdict.note(keys_when_killed=half)
    held(verdict)


def test_a_standby_takes_over(bench: Bench, held: Held) -> None:
    """With one replica each worker holds the whole table; when one is killed the other has it exactly."""
    reads = make_reads(3 * READS, KEYS)
    env = {"ALPR_TABLE_REPLICAS": "1", "JOB_SLOW_S": "0.03", "ALPR_RUN_RECORDS": "200"}
    bench.broker.produce_reads(bench.source, reads[:READS])
    first, second = bench.worker(**env), bench.worker(**env)
    for worker in (first, second):
        until(worker.is_ready_for_partitions, "partitions")
    bench.work_until(READS, first, second)
    _, last = expected(reads[:READS])
    placed = {(partition_of_key(key), key): b"%d" % time for key, time in last.items()}
    until(lambda: rocksdb_contents(second.datadir, "last_seen") == placed, "the standby's copy of the table", 60, 0.5)
    bench.broker.produce_reads(bench.source, reads[READS : 2 * READS])
    bench.work_until(READS * 5 // 4, first, second)
    first.kill()
    bench.broker.produce_reads(bench.source, reads[2 * READS :])
    bench.work_until(len(reads), second)
    until(lambda: second.partitions() == PARTITIONS, "everything with the second worker")
    assert second.stop() == 0
    held(bench.judge("a standby takes over", reads, second, repeats_allowed=True))
