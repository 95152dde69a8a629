"""Logs with holes: compaction takes records out of their middle, transactions put markers between them."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from confluent_kafka import Producer

from tests.chaos.broker import PARTITIONS, Broker
from tests.chaos.conftest import SESSION
from tests.chaos.rocksdb_files import rocksdb_contents
from tests.chaos.small_job import Bench
from tests.chaos.verdict import Verdict
from tests.chaos.waiting import until
from tests.connected.streams.reads import Read, expected, make_reads, partition_of, partition_of_key

EAGER = {
    "cleanup.policy": "compact",
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "200",
    "delete.retention.ms": "0",
}
"""A topic that is compacted as soon as the broker's cleaner comes by, tombstones and all."""
BATCHES, BATCH = 6, 2_000
Held = Callable[[Verdict], None]


def produce(broker: Broker, topic: str, batches: Sequence[Sequence[Read]]) -> None:
    """Write reads in transactions, every third of which is taken back; every other read has a Kafka key of its own."""
    settings = {"bootstrap.servers": broker.bootstrap, "log_level": 2, "transactional.id": f"{topic}-writer"}
    producer = Producer({**settings, "linger.ms": 20})
    producer.init_transactions(30)
    for number, batch in enumerate(batches):
        producer.begin_transaction()
        for read in batch:
            key = b"%d" % (read.number if read.number % 2 else read.number % 8)
            producer.produce(topic, read.encode(), key, partition_of(read, PARTITIONS))
            producer.poll(0)
        assert producer.flush(30) == 0
        if number % 3 == 2:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
        time.sleep(0.3)  # so that the next batch begins a segment


def fill_changelog(bench: Bench) -> dict[bytes, int]:
    """A past of the table that compaction shortens: all keys three times, then half of them deleted."""
    bench.broker.create(bench.changelog, config=EAGER)
    keys = [b"old-%d" % number for number in range(BATCH)]
    for value in (b"1", b"2", b"3"):
        bench.broker.produce(bench.changelog, [(key, value, partition_of_key(key)) for key in keys])
        time.sleep(0.3)
    bench.broker.produce(bench.changelog, [(key, None, partition_of_key(key)) for key in keys[::2]])
    time.sleep(0.3)
    bench.broker.produce(bench.changelog, [(b"last-%d" % number, b"4", number) for number in range(PARTITIONS)])
    return {**dict.fromkeys(keys[1::2], 3), **{b"last-%d" % number: 4 for number in range(PARTITIONS)}}


def test_holes_in_source_and_changelog(broker: Broker, tmp_path: Path, held: Held) -> None:
    """What compaction left is handled, what transactions took back is not, and the table comes back whole."""
    bench = Bench(broker, tmp_path, env=SESSION, source_config=EAGER)
    reads = make_reads(BATCHES * BATCH, keys=400)
    batches = [reads[start : start + BATCH] for start in range(0, len(reads), BATCH)]
    kept = [read for number, batch in enumerate(batches) if number % 3 != 2 for read in batch]
    try:
        older = fill_changelog(bench)
        produce(broker, bench.source, batches)
        until(lambda: len(broker.drain(bench.source)) < len(kept) - BATCH // 2, "compaction of the source", 120, 1.0)
        until(lambda: len(broker.drain(bench.changelog)) < 3 * BATCH, "compaction of the changelog", 120, 1.0)
        records = broker.drain(bench.source)
        left = sorted((Read.decode(record.value()) for record in records), key=lambda read: read.number)
        ends = {record.partition(): (record.offset() or 0) + 1 for record in records}
        events, last = expected(left)
        worker = bench.worker()
        bench.work_until(sum(ends.values()), worker)  # markers and what was taken back are behind them
        assert worker.stop() == 0
        verdict = Verdict("holes by compaction and transactions")
        verdict.note(sent=len(reads), taken_back=len(reads) - len(kept), left_by_compaction=len(left))
        verdict.arrivals("events", events, bench.event_ids())
        verdict.table("changelog", last | older, bench.changelog_state())
        placed = {(partition_of_key(key), key): b"%d" % value for key, value in (last | older).items()}
        verdict.table("RocksDB", placed, rocksdb_contents(worker.datadir, "last_seen"))
    finally:
        bench.close()
    held(verdict)
