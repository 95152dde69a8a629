"""Workers that die in the middle: nothing lost, nothing invented, state exact."""

import shutil
from pathlib import Path

from rocksdict import AccessType, Options, Rdict

from tests.connected.streams.conftest import Bench, Worker, until
from tests.connected.streams.reads import expected, make_reads

READS = 24_000
OFFSET_KEY = b"__faust\0offset__"
SLOW = {"JOB_SLOW_S": "0.03", "ALPR_RUN_RECORDS": "200", "ALPR_COMMIT_INTERVAL_S": "0.5"}


def rocksdb_state(datadir: Path) -> dict[bytes, int]:
    """The table as the RocksDB files of a stopped worker tell it."""
    state: dict[bytes, int] = {}
    for path in datadir.rglob("last_seen-*.db"):
        options = Options(raw_mode=True)
        options.create_if_missing(False)
        db = Rdict(str(path), options, access_type=AccessType.read_only())
        state.update({key: int(value) for key, value in db.items() if isinstance(key, bytes) and key != OFFSET_KEY})
        db.close()
    return state


def work_until(bench: Bench, worker: Worker, committed: int) -> None:
    """Let a worker commit so many reads."""

    def reached() -> bool:
        assert worker.is_alive, worker.tail()
        return bench.committed() >= committed

    until(reached, f"commit of {committed} reads", 60)


def test_kill_9_loses_nothing_with_state_kept_and_with_state_wiped(bench: Bench) -> None:
    """After two SIGKILLs, one with RocksDB kept and one with it gone, every event is there and the table is exact."""
    reads = make_reads(READS, keys=400)
    events, last = expected(reads)
    worker = bench.worker(**SLOW)
    bench.broker.produce_reads(bench.source, reads[: READS // 3])
    work_until(bench, worker, READS // 6)
    worker.kill()
    bench.broker.produce_reads(bench.source, reads[READS // 3 : READS * 2 // 3])
    worker.restart()
    work_until(bench, worker, READS // 2)
    worker.kill()
    shutil.rmtree(worker.datadir)
    bench.broker.produce_reads(bench.source, reads[READS * 2 // 3 :])
    worker.restart()
    work_until(bench, worker, READS)
    assert worker.stop() == 0
    sent = bench.event_ids()
    assert set(sent) == events
    assert len(sent) >= len(events)  # what was sent after the last checkpoint is sent again, under the same ids
    assert bench.changelog_state() == last
    assert rocksdb_state(worker.datadir) == last


def test_a_second_worker_comes_and_goes_without_loss_or_repeat(bench: Bench) -> None:
    """Handing partitions over and back, and a clean stop in the middle, send each event once."""
    reads = make_reads(READS, keys=400)
    events, last = expected(reads)
    bench.broker.produce_reads(bench.source, reads[: READS // 2])
    first = bench.worker(**SLOW)
    work_until(bench, first, 1)
    second = bench.worker(**SLOW)
    until(second.is_ready_for_partitions, "partitions of the second worker", 40)
    bench.broker.produce_reads(bench.source, reads[READS // 2 : READS * 3 // 4])
    work_until(bench, first, READS * 5 // 8)
    assert second.stop() == 0
    bench.broker.produce_reads(bench.source, reads[READS * 3 // 4 :])
    work_until(bench, first, READS * 7 // 8)
    assert first.stop() == 0
    first.restart()
    first.wait_until_ready()
    work_until(bench, first, READS)
    assert first.stop() == 0
    sent = bench.event_ids()
    assert set(sent) == events
    assert len(sent) == len(events)
    assert bench.changelog_state() == last
    assert rocksdb_state(first.datadir) == last
