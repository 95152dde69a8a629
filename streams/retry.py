"""Trying again in place: a store that does not answer holds its offset, it does not lose its records."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import random
from typing import TypeVar

from schemas.errors import Unavailable
from streams.run import Run, RunRevoked
from telemetry.log import get_logger

Result = TypeVar("Result")
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS 2015).

    Attributes:
        first_s: bound of the first pause.
        max_s: bound of every pause.
        factor: growth of the bound.
    """

    first_s: float = 0.2
    max_s: float = 15.0
    factor: float = 2.0

    def pause_s(self, attempt: int, asked_s: float | None = None, dice: Callable[[], float] = random) -> float:
        """Seconds to wait after the failed attempt.

        Args:
            attempt: 1 for the first.
            asked_s: what the other side asked for; never less than that, up to a tenth more.
            dice: uniform in 0..1.
        """
        if asked_s is not None:
            return asked_s * (1 + 0.1 * dice())
        bound = min(self.max_s, self.first_s * self.factor ** min(attempt - 1, 30))
        return bound * (0.1 + 0.9 * dice())  # never a busy loop


async def retrying(
    call: Callable[[], Awaitable[Result]], *, run: Run, what: str, backoff: Backoff | None = None
) -> Result:
    """Call until it is answered. For the body of an agent, around its sink.

    Nothing is acknowledged meanwhile: the run stays open and its offset is held. A rebalance or a shutdown ends the
    waiting at once (not a call that is under way: give that a time-out of its own).

    Args:
        call: makes one attempt; it must bear repetition.
        run: the run in hand.
        what: the thing called, for the log.
        backoff: pauses.

    Returns:
        What the call returned.

    Raises:
        RunRevoked: the partition goes to another worker. Let it pass: the worker knows it and goes on.
        AlprError: any error of the call that is not `Unavailable`.
    """
    backoff = backoff or Backoff()
    attempt = 0
    while True:
        attempt += 1
        try:
            result = await call()
        except Unavailable as error:
            pause_s = backoff.pause_s(attempt, error.retry_after_s)
            log.warning("unavailable", what=what, attempt=attempt, pause_s=round(pause_s, 2), error=str(error))
        else:
            if attempt > 1:
                log.info("available again", what=what, attempts=attempt)
            return result
        try:
            await asyncio.wait_for(run.revoking.wait(), pause_s)
        except TimeoutError:
            continue
        run.stale = True
        raise RunRevoked(f"{run!r} was given up while {what} did not answer")
