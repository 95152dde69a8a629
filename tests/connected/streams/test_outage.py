"""Kafka itself dies under a working worker and comes back."""

from typing import Any

from tests.connected.streams.conftest import Bench, until
from tests.connected.streams.reads import expected, make_reads

READS = 12_000


def test_a_broker_that_is_killed_and_comes_back_costs_nothing(bench: Bench, stack: Any) -> None:
    """The worker lives through it, says that it is not ready meanwhile, and sends each event once."""
    reads = make_reads(READS, keys=400)
    events, last = expected(reads)
    bench.broker.produce_reads(bench.source, reads)
    worker = bench.worker(JOB_SLOW_S="0.05", ALPR_RUN_RECORDS="100", ALPR_COMMIT_INTERVAL_S="0.5")
    until(lambda: bench.committed() > READS // 8, "the first commits", 40)
    stack.kill("kafka")
    until(lambda: not worker.is_ready(), "the news", 20)
    stack.start("kafka")
    until(lambda: bench.committed() == READS, "the rest of the work", 90)
    worker.wait_until_ready(40)
    assert worker.stop() == 0
    sent = bench.event_ids()
    assert set(sent) == events
    assert len(sent) == len(events)
    assert bench.changelog_state() == last
