"""A worker as an operator meets it: pages that tell the truth, failures that end it, an end in bounded time."""

import socket
import time
from typing import Any

import pytest

from schemas.codec import EventCodec
from schemas.contracts import contract
from schemas.events import DeadLetter
from schemas.registry import MemoryRegistry
from schemas.topics import DLQ
from tests.connected.streams.conftest import Bench, free_port, until
from tests.connected.streams.reads import expected, make_reads


def test_a_stuck_role_does_not_stop_the_first_and_readiness_says_so(bench: Bench) -> None:
    """One role is stuck: the other goes on, /ready tells the stuck one's real lag, and SIGTERM ends both."""
    reads = make_reads(5_000, keys=400)
    events, _ = expected(reads)
    bench.broker.produce_reads(bench.source, reads)
    worker = bench.worker(JOB_SINK="stuck", ALPR_READY_MAX_LAG_RECORDS="100")
    until(lambda: bench.committed() == len(reads), "the first role's work", 40)
    assert set(bench.event_ids()) == events

    def report() -> dict[str, Any]:
        answer = worker.get("/ready")
        roles: dict[str, Any] = answer.json()["roles"] if answer is not None else {}
        lags = [roles.get(f"{bench.run_id}-{role}", {}).get("lag_records") for role in ("dedup", "sink")]
        return roles if lags == [0, len(events)] else {}  # each is measured every few seconds

    roles = until(report, "the lags of both roles", 20)
    dedup, sink = roles[f"{bench.run_id}-dedup"], roles[f"{bench.run_id}-sink"]
    assert worker.get("/ready").status_code == 503  # type: ignore[union-attr]  # it answered before
    assert dedup["ready"]
    assert not sink["ready"]
    assert "lag" in sink["waiting_for"][0]
    assert worker.get("/health").status_code == 200  # type: ignore[union-attr]  # it answered before
    metrics = worker.get("/metrics").text  # type: ignore[union-attr]  # it answered before
    lags = [
        float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        if line.startswith("alpr_stream_lag_records") and f'role="{bench.run_id}-sink"' in line
    ]
    assert sum(lags) == len(events)
    assert f'alpr_stream_records_total{{role="{bench.run_id}-dedup",topic="{bench.source}"}} {len(reads)}.0' in metrics
    started_at = time.monotonic()
    assert worker.stop(20) == 0
    assert time.monotonic() - started_at < 15


def test_a_poison_record_becomes_a_dead_letter_and_the_rest_goes_on(bench: Bench) -> None:
    """Bytes that are no read are on the dead letter topic, whole; the reads around them are handled."""
    reads = make_reads(500, keys=20)
    bench.broker.produce_reads(bench.source, reads[:250])
    poison = b"\x00\xffnot a read"
    bench.broker.produce(bench.source, [(b"k", poison, 1), (None, None, 2)])
    bench.broker.produce_reads(bench.source, reads[250:])
    bench.worker()
    until(lambda: bench.committed() == len(reads) + 2, "commit of everything", 40)
    assert set(bench.event_ids()) == expected(reads)[0]
    registry = MemoryRegistry()
    registry.register(DLQ.subject, contract(DeadLetter))
    codec = EventCodec(registry)
    letters = [
        codec.decode(DLQ, record.value())
        for record in bench.broker.drain(DLQ.name)
        if dict(record.headers() or ()).get("topic") == bench.source.encode()
    ]
    assert sorted((letter.partition, letter.key, letter.value) for letter in letters) == [
        (1, b"k", poison),
        (2, None, None),
    ]
    assert {(letter.agent, letter.error_type) for letter in letters} == {("deduplicate", "SCHEMA_VALIDATION")}


def test_a_crash_of_a_secondary_role_ends_the_worker(bench: Bench) -> None:
    """A role that fails takes the process down with a failure status, for a supervisor to start it again."""
    bench.broker.produce_reads(bench.source, make_reads(500, keys=20))
    worker = bench.worker(JOB_SINK="fail")
    assert worker.wait(40) == 1
    assert "a secondary role that fails" in worker.log.read_text()
    group = f"alpr-{bench.run_id}-sink"
    assert bench.broker.committed(group, bench.events) == 0


@pytest.mark.parametrize("failure", ["body", "large"])
def test_a_failure_in_the_middle_is_repaired_by_a_restart(bench: Bench, failure: str) -> None:
    """A body that raises, or an output that Kafka refuses, ends the worker before anything is lost."""
    reads = make_reads(5_000, keys=400)
    events, last = expected(reads)
    bench.broker.produce_reads(bench.source, reads)
    worker = bench.worker(JOB_FAIL_ONCE=failure, ALPR_RUN_RECORDS="200")
    assert worker.wait(40) == 1
    assert bench.committed() < len(reads)
    worker.restart()
    until(lambda: bench.committed() == len(reads), "the rest of the work", 40)
    assert worker.stop() == 0
    assert set(bench.event_ids()) == events
    assert bench.changelog_state() == last


def test_a_role_that_waits_for_its_sink_ends_at_once(bench: Bench) -> None:
    """A store that is away holds the offset and does not hold up a stop."""
    reads = make_reads(500, keys=20)
    bench.broker.produce_reads(bench.source, reads)
    worker = bench.worker(JOB_SINK="away")
    until(lambda: "unavailable" in worker.log.read_text(), "the first try", 40)
    until(lambda: bench.committed() == len(reads), "the first role's work", 20)
    started_at = time.monotonic()
    assert worker.stop(20) == 0
    assert time.monotonic() - started_at < 6
    assert bench.broker.committed(f"alpr-{bench.run_id}-sink", bench.events) == 0


def test_a_role_that_waits_for_its_sink_does_not_hold_up_a_rebalance(bench: Bench) -> None:
    """While a store is away another worker can join; the roles go on trying on both."""
    reads = make_reads(2_000, keys=400)
    bench.broker.produce_reads(bench.source, reads)
    first = bench.worker(JOB_SINK="away")
    until(lambda: "unavailable" in first.log.read_text(), "the first try", 40)
    second = bench.worker(JOB_SINK="away")
    started_at = time.monotonic()
    until(lambda: "unavailable" in second.log.read_text(), "a try by the second worker", 30)
    assert time.monotonic() - started_at < 15
    until(lambda: "unavailable" in first.log.read_text().partition("run given up")[2], "more tries by the first", 20)
    assert first.is_alive
    assert second.is_alive
    assert first.stop(20) == 0
    assert second.stop(20) == 0


def test_an_agent_that_will_not_end_is_ended(bench: Bench) -> None:
    """A body that swallows its cancellation cannot keep the process alive past the stop time-out."""
    bench.broker.produce_reads(bench.source, make_reads(500, keys=20))
    worker = bench.worker(JOB_SINK="stubborn", ALPR_STOP_SETTLE_S="1", ALPR_STOP_TIMEOUT_S="4")
    until(lambda: bench.committed() == 500, "the first role's work", 40)
    assert worker.stop(15) == 3
    assert "still running after the stop time-out" in worker.log.read_text()


def test_no_broker_is_told_and_ends_the_worker(bench: Bench) -> None:
    """Without Kafka the worker says where it looked and what to do, and ends with status 2."""
    worker = bench.worker(ALPR_KAFKA_BOOTSTRAP=f"127.0.0.1:{free_port()}", ALPR_BROKER_WAIT_S="1")
    assert worker.wait(30) == 2
    log = worker.log.read_text()
    assert "alpr stack up" in log
    assert "Traceback" not in log


def test_a_missing_topic_is_told(bench: Bench) -> None:
    """A worker does not create the topics that it reads; it names them and the command that does."""
    missing = f"{bench.run_id}.nowhere"
    worker = bench.worker(JOB_SOURCE=missing, ALPR_BROKER_WAIT_S="0")
    assert worker.wait(30) == 2
    assert f"{missing}. Create the topics with `alpr topics apply`" in worker.log.read_text()
    assert missing not in bench.broker.topics()


def test_a_taken_port_is_told(bench: Bench) -> None:
    """Two workers on one port: the second ends with a clear message."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        worker = bench.worker(ALPR_WEB_PORT=str(taken.getsockname()[1]))
        assert worker.wait(30) == 2
    assert "ALPR_WEB_PORT" in worker.log.read_text()
