"""Rate limits and the breaker of a recipient: who floods waits, nobody else does."""

import asyncio
from time import monotonic

import pytest
from pydantic import ValidationError

from agents.channels.dispatch import Delivery, Dispatcher
from agents.channels.port import Address, Notification, RecipientUnavailable
from agents.channels.rate_limits import RateLimits
from agents.channels.settings import NotifySettings
from schemas.clock import MICROS_PER_S, now_us
from telemetry import metrics
from tests.unit.agents.notify.alerts import alert
from tests.unit.agents.notify.fakes import FakeChannel

pytestmark = pytest.mark.thorough
SHORT = {"backoff_first_s": 0.02, "backoff_max_s": 0.05, "turn_s": 0.05, "attempts": 50}


def to(recipient: str, number: int = 0, destination: str = "x") -> Notification:
    """A notification."""
    return Notification(f"{recipient}-{number}", "fake", Address(recipient, recipient, destination, ""), alert())


class Flood:
    """A dispatcher whose minute lasts 0.4 seconds."""

    def __init__(self, per_recipient: float | None = None, per_channel: float | None = None) -> None:
        self.channel = FakeChannel()
        settings = NotifySettings(**SHORT)  # type: ignore[arg-type]  # short pauses
        self.dispatcher = Dispatcher({"fake": self.channel}, settings, dice=lambda: 1.0)
        rates = [{"fake": rate} if rate else {} for rate in (per_recipient, per_channel)]
        self.dispatcher._limits = RateLimits(*rates, period_s=0.4)

    def start(self, recipient: str, number: int = 0, within_s: float = 5.0) -> Delivery:
        """Begin to deliver."""
        return self.dispatcher.start(to(recipient, number), now_us() + round(within_s * MICROS_PER_S))


async def test_a_flooded_recipient_waits_and_others_do_not() -> None:
    """Beyond its rate a recipient's notifications drip; another one's goes at once. All arrive, each tried once."""
    flood = Flood(per_recipient=4)
    waited = metrics.NOTIFY_RATE_LIMITED.labels("fake")._value.get()
    started_s = monotonic()
    many = [flood.start("a", number) for number in range(8)]
    other = flood.start("b")
    await other.result
    assert monotonic() - started_s < 0.1
    await flood.dispatcher.turn(many)
    assert sum(delivery.is_settled for delivery in many) == 4
    settled = await asyncio.gather(*(delivery.result for delivery in many))
    assert monotonic() - started_s >= 0.35
    assert {(each.outcome, each.attempts) for each in settled} == {("delivered", 1)}
    assert metrics.NOTIFY_RATE_LIMITED.labels("fake")._value.get() > waited
    await flood.dispatcher.close()


async def test_a_channel_has_a_limit_of_its_own() -> None:
    """The channel's limit holds for all of its recipients together."""
    flood = Flood(per_channel=3)
    many = [flood.start(f"r{number}") for number in range(6)]
    await flood.dispatcher.turn(many)
    assert sum(delivery.is_settled for delivery in many) == 3
    await asyncio.gather(*(delivery.result for delivery in many))
    await flood.dispatcher.close()


async def test_what_would_come_too_late_fails_and_says_why() -> None:
    """A notification for which the rate has no room before its end is given up, unsent."""
    flood = Flood(per_recipient=1)
    await flood.start("a", 1).result
    settled = await flood.start("a", 2, within_s=0.1).result
    assert (settled.outcome, settled.attempts) == ("failed", 0)
    assert "rate limit" in settled.detail
    assert len(flood.channel.sent["x"]) == 1
    await flood.dispatcher.close()


async def test_a_recipient_that_takes_nothing_is_left_alone() -> None:
    """After a recipient's refusal for now its other notifications wait as well; another recipient's does not."""
    flood = Flood()
    flood.channel.errors["x"] = [RecipientUnavailable("greylisted", retry_after_s=0.3)]
    first = flood.start("a", 1)
    await asyncio.sleep(0.05)
    started_s = monotonic()
    second, other = flood.start("a", 2), flood.start("b")
    await other.result
    assert monotonic() - started_s < 0.1
    await asyncio.gather(first.result, second.result)
    assert monotonic() - started_s >= 0.2
    assert flood.channel.tries["x"] == 4
    await flood.dispatcher.close()


async def test_waiting_for_a_rate_does_not_hold_a_probe() -> None:
    """While one waits for its rate, another one of the same receiver finds out that it is back."""
    flood = Flood(per_recipient=1)
    await flood.start("a", 1).result
    flood.channel.errors["x"] = [RecipientUnavailable("busy")]
    paced = flood.start("a", 2)
    await asyncio.wait_for(flood.start("b").result, 0.3)
    await paced.result
    await flood.dispatcher.close()


@pytest.mark.parametrize("rate", [0, -1, 2e6, float("nan")])
def test_a_rate_that_is_none_is_refused_at_the_start(rate: float) -> None:
    """Zero, less, and what is no number are mistakes; a channel without a limit is left out."""
    with pytest.raises(ValidationError, match="leave a channel without a limit out"):
        NotifySettings(recipient_rates_per_minute={"email": rate})
