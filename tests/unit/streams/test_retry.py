"""Trying again in place."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SinkRejected, SinkUnavailable
from streams.ledger import RunLedger
from streams.retry import Backoff, retrying
from streams.run import RunRevoked
from tests.unit.streams.doubles import make_run, records

FAST = Backoff(first_s=0.001, max_s=0.002)


class Flaky:
    """A sink that is away for some calls."""

    def __init__(self, failures: int, retry_after_s: float | None = None) -> None:
        self.failures = failures
        self.retry_after_s = retry_after_s
        self.calls = 0

    async def __call__(self) -> str:
        """Answer, after the failures."""
        self.calls += 1
        if self.calls <= self.failures:
            raise SinkUnavailable("away", self.retry_after_s)
        return "written"


async def test_calls_until_it_is_answered() -> None:
    """A sink that comes back gets its rows, and the body goes on with the answer."""
    sink = Flaky(3)
    assert await retrying(sink, run=make_run(records(0, 1)), what="sink", backoff=FAST) == "written"
    assert sink.calls == 4


async def test_a_rejection_passes_at_once() -> None:
    """Only absence is worth another try."""
    calls = 0

    async def reject() -> None:
        nonlocal calls
        calls += 1
        raise SinkRejected("no")

    with pytest.raises(SinkRejected):
        await retrying(reject, run=make_run(records(0, 1)), what="sink", backoff=FAST)
    assert calls == 1


async def test_a_revocation_ends_the_waiting() -> None:
    """A body that waits for its sink does not hold up a rebalance; its run is left to the next owner."""
    ledger = RunLedger(10, 1000)
    run = make_run(records(0, 1), ledger)
    waiting = asyncio.create_task(retrying(Flaky(9, retry_after_s=60), run=run, what="sink"))
    await asyncio.sleep(0.01)
    ledger.begin_revoking()
    with pytest.raises(RunRevoked):
        await asyncio.wait_for(waiting, 1)
    assert run.stale


async def test_cancellation_passes() -> None:
    """A shutdown that cancels the body is not swallowed."""
    waiting = asyncio.create_task(retrying(Flaky(9, retry_after_s=60), run=make_run(records(0, 1)), what="sink"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@given(attempt=st.integers(1, 10_000), dice=st.floats(0, 1))
def test_pauses_grow_within_their_bounds(attempt: int, dice: float) -> None:
    """No pause is longer than the bound, none is nothing, and the bound doubles."""
    backoff = Backoff(first_s=0.5, max_s=8)
    pause_s = backoff.pause_s(attempt, dice=lambda: dice)
    bound = min(8, 0.5 * 2 ** min(attempt - 1, 20))
    assert bound * 0.1 <= pause_s <= bound * 1.0001


def test_the_other_sides_wish_is_kept() -> None:
    """Retry-After is a lower bound."""
    assert 7 <= Backoff().pause_s(1, 7, dice=lambda: 0.5) <= 8
