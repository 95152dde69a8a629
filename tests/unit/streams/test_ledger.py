"""The ledger of runs: what may be committed."""

import pytest
from faust.types import TP

from streams.ledger import RunLedger
from streams.run import Run, RunFailed
from tests.unit.streams.doubles import TOPIC, TP0, make_run, message_of, records


def delivered(ledger: RunLedger, first: int, count: int, tp: TP = TP0) -> Run:
    """A run that was delivered through the ledger."""
    run = make_run(records(first, count), ledger, tp)
    message = message_of(run)
    ledger.deliver(message)
    KEPT.append(message)
    return run


KEPT: list[object] = []


def test_position_is_the_end_of_the_finished_prefix() -> None:
    """The offset to commit follows the last finished run, also over holes in the offsets."""
    ledger = RunLedger(10, 1000)
    first, second = delivered(ledger, 5, 3), delivered(ledger, 20, 2)
    assert TP0 not in ledger.positions
    ledger.check_turn(first)
    ledger.finish(first)
    assert ledger.positions == {TP0: 8}
    ledger.finish(second)
    assert ledger.positions == {TP0: 22}
    assert ledger.starts == {TP0: 5}


def test_runs_of_a_partition_are_finished_in_order_and_once() -> None:
    """A run that is not the oldest open one cannot be finished, nor one twice."""
    ledger = RunLedger(10, 1000)
    first, second = delivered(ledger, 0, 3), delivered(ledger, 3, 3)
    with pytest.raises(RunFailed, match="not the next run"):
        ledger.check_turn(second)
    ledger.finish(first)
    with pytest.raises(RunFailed, match="not the next run"):
        ledger.check_turn(first)
    ledger.check_turn(second)


def test_partitions_are_independent() -> None:
    """An open run of one partition holds no other back."""
    ledger = RunLedger(10, 1000)
    delivered(ledger, 0, 3)
    other = delivered(ledger, 7, 1, TP(TOPIC, 1))
    ledger.check_turn(other)
    ledger.finish(other)
    assert ledger.positions == {TP(TOPIC, 1): 8}


def test_full_by_runs_and_by_bytes() -> None:
    """A topic is full when either bound is reached, and has room again when a run is finished."""
    ledger = RunLedger(2, 1000)
    first = delivered(ledger, 0, 1)
    assert not ledger.is_full(TOPIC)
    delivered(ledger, 1, 1)
    assert ledger.is_full(TOPIC)
    ledger.changed.clear()
    ledger.finish(first)
    assert not ledger.is_full(TOPIC)
    assert ledger.changed.is_set()
    small = RunLedger(100, 15)
    delivered(small, 0, 1)
    assert not small.is_full(TOPIC)
    delivered(small, 1, 1)
    assert small.is_full(TOPIC)
    assert not small.is_full("another topic")


def test_a_body_that_ended_without_finishing_is_found() -> None:
    """Faust acknowledges what a failed body had in hand; the ledger takes that for a failure."""
    ledger = RunLedger(10, 1000)
    run = make_run(records(0, 2), ledger)
    message = message_of(run)
    ledger.deliver(message)
    ledger.check_failures()
    message.acked = True
    with pytest.raises(RunFailed, match="without finishing"):
        ledger.check_failures()
    run.stale = True  # given up on purpose
    ledger.check_failures()


def test_clear_makes_open_runs_stale_and_starts_an_epoch() -> None:
    """After a rebalance nothing that was delivered before counts any more."""
    ledger = RunLedger(10, 1000)
    run = delivered(ledger, 0, 2)
    epoch = ledger.epoch
    assert not run.revoking.is_set()
    ledger.clear()
    assert run.stale
    assert run.revoking.is_set()
    assert not ledger.revoking.is_set()
    assert ledger.epoch == epoch + 1
    assert not ledger.positions
    assert not ledger.is_full(TOPIC)
