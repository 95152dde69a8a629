"""The dispatcher: patience with the ones, no delay for the others."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from time import monotonic
from typing import Any

import pytest

from agents.channels.dispatch import Delivery, Dispatcher
from agents.channels.port import Address, Notification, RecipientUnavailable
from agents.channels.settings import NotifySettings
from schemas.clock import MICROS_PER_S, now_us
from schemas.errors import SinkRejected, SinkUnavailable
from tests.unit.agents.notify.alerts import alert
from tests.unit.agents.notify.fakes import FakeChannel

pytestmark = pytest.mark.thorough


class Bench:
    """A dispatcher over a fake channel, with short pauses."""

    def __init__(self, **settings: Any) -> None:
        self.channel = FakeChannel()
        short = {"backoff_first_s": 0.02, "backoff_max_s": 0.05, "turn_s": 0.1, "attempts": 50} | settings
        self.dispatcher = Dispatcher({"fake": self.channel}, NotifySettings(**short), dice=lambda: 1.0)
        self._count = 0

    def start(self, destination: str, within_s: float = 5.0, **options: Any) -> Delivery:
        """A new notification for a destination."""
        self._count += 1
        address = Address(f"{self._count}@{destination}", f"{self._count}@{destination}", destination, "")
        notification = Notification(f"id-{self._count}", "fake", address, alert())
        return self.dispatcher.start(notification, now_us() + round(within_s * MICROS_PER_S), **options)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """The usual bench."""
    made = Bench()
    yield made
    await made.dispatcher.close()


async def test_delivers(bench: Bench) -> None:
    """A notification is delivered at the first try."""
    settled = await bench.start("x").result
    assert (settled.outcome, settled.attempts, settled.detail, settled.error) == ("delivered", 1, "ok", None)


async def test_retries_what_may_pass(bench: Bench) -> None:
    """Temporary failures are tried again until it works, each try counted."""
    bench.channel.errors["x"] = [SinkUnavailable("away"), SinkUnavailable("away")]
    settled = await bench.start("x").result
    assert (settled.outcome, settled.attempts) == ("delivered", 3)


async def test_retry_after_is_honoured(bench: Bench) -> None:
    """A pause that the receiver asks for is kept, also by other notifications for it."""
    bench.channel.errors["x"] = [SinkUnavailable("slow down", retry_after_s=0.3)]
    started_s = monotonic()
    first = bench.start("x")
    await asyncio.sleep(0.05)
    second = bench.start("x")
    await asyncio.gather(first.result, second.result)
    assert monotonic() - started_s >= 0.3
    assert bench.channel.tries["x"] == 3


async def test_rejected_is_not_retried(bench: Bench) -> None:
    """A permanent failure is the end, with the reason for the dead letter."""
    bench.channel.errors["x"] = [SinkRejected("no such user")]
    settled = await bench.start("x").result
    assert (settled.outcome, settled.attempts, settled.detail) == ("failed", 1, "no such user")
    assert isinstance(settled.error, SinkRejected)
    assert (await bench.start("x").result).outcome == "delivered"


async def test_gives_up_after_so_many_tries() -> None:
    """The number of tries is bounded; the last answer stands in the detail."""
    bench = Bench(attempts=3)
    bench.channel.down["x"] = SinkUnavailable("away")
    settled = await bench.start("x").result
    assert (settled.outcome, settled.attempts) == ("failed", 3)
    assert settled.detail == "given up after 3 tries: away"
    assert isinstance(settled.error, SinkUnavailable)


async def test_gives_up_in_time(bench: Bench) -> None:
    """The deadline ends the waiting, and a pause beyond it is not waited for."""
    bench.channel.down["x"] = SinkUnavailable("away", retry_after_s=60)
    settled = await asyncio.wait_for(bench.start("x", within_s=1).result, 0.9)
    assert (settled.outcome, settled.attempts) == ("failed", 1)


async def test_deadline_in_the_past_sends_nothing(bench: Bench) -> None:
    """What comes back from the table too late is given up without a try."""
    settled = await bench.start("x", within_s=-1, attempts=4).result
    assert (settled.outcome, settled.attempts) == ("failed", 4)
    assert bench.channel.tries["x"] == 0


async def test_dead_destination_delays_nobody_else(bench: Bench) -> None:
    """With many notifications for a dead and a silent destination, another one's are all delivered at once."""
    bench.channel.down["dead"] = SinkUnavailable("away")
    bench.channel.closed["silent"] = asyncio.Event()
    for _ in range(50):
        bench.start("dead")
        bench.start("silent")
    live = [bench.start("live") for _ in range(20)]
    await asyncio.wait_for(asyncio.gather(*(delivery.result for delivery in live)), 2)
    assert len(bench.channel.sent["live"]) == 20


async def test_recipient_that_is_unavailable_delays_no_other(bench: Bench) -> None:
    """Greylisting of one recipient is retried, while other mails to the same server go at once."""
    bench.channel.errors["x"] = [RecipientUnavailable("451 greylisted", retry_after_s=0.3)]
    grey = bench.start("x")
    await bench.dispatcher.turn([grey])
    assert grey.parked.is_set()
    other = bench.start("x")
    await bench.dispatcher.turn([other])
    assert other.is_settled
    assert not grey.is_settled
    assert (await grey.result).attempts == 2


async def test_dead_destination_is_probed_by_one(bench: Bench) -> None:
    """While a destination is down, waiting notifications do not multiply the tries."""
    bench.channel.down["dead"] = SinkUnavailable("away")
    deliveries = [bench.start("dead") for _ in range(30)]
    await asyncio.sleep(0.3)
    assert bench.channel.tries["dead"] < 20
    del bench.channel.down["dead"]
    await asyncio.gather(*(delivery.result for delivery in deliveries))
    assert sorted(bench.channel.sent["dead"]) == sorted(d.notification.notification_id for d in deliveries)


async def test_late_failure_of_the_head_hands_the_probe_on(bench: Bench) -> None:
    """Of two tries under way one fails at once, the other, then head of the queue, later: the third probes after it."""
    late = asyncio.Event()
    deliver = bench.channel.send

    async def send(notification: Notification) -> str:
        if notification.notification_id == "id-2":
            await late.wait()
        return await deliver(notification)

    bench.channel.send = send  # type: ignore[method-assign]  # a channel of this test's own
    bench.channel.errors["x"] = [SinkUnavailable("away"), SinkUnavailable("away")]
    deliveries = [bench.start("x"), bench.start("x")]
    await asyncio.sleep(0.005)
    deliveries.append(bench.start("x"))
    await asyncio.sleep(0.005)
    late.set()
    await asyncio.wait_for(asyncio.gather(*(delivery.result for delivery in deliveries)), 2)
    assert len(bench.channel.sent["x"]) == 3


async def test_probes_take_turns() -> None:
    """No notification uses its tries up for the others: with 6 waiting and 5 tries each, more than 5 probes pass."""
    bench = Bench(attempts=5, destination_concurrency=2)
    bench.channel.down["dead"] = SinkUnavailable("away")
    deliveries = [bench.start("dead") for _ in range(6)]
    while bench.channel.tries["dead"] < 12:  # noqa: ASYNC110 - the fake channel counts, it does not signal
        await asyncio.sleep(0.005)
    assert not any(delivery.result.done() for delivery in deliveries)
    assert max(delivery.attempts for delivery in deliveries) <= 3
    await bench.dispatcher.close()


async def test_concurrency_is_bounded() -> None:
    """No more deliveries are under way than the channel and the destination may have."""
    bench = Bench(concurrency=5, destination_concurrency=3)
    await asyncio.gather(*(bench.start("x").result for _ in range(20)))
    assert bench.channel.most_concurrent == 3
    await asyncio.gather(*(bench.start(f"d{n}").result for n in range(20)))
    assert bench.channel.most_concurrent == 5


async def test_waiting_is_bounded() -> None:
    """More notifications than may wait for a destination fail at once, replayable."""
    bench = Bench(destination_waiting=2)
    bench.channel.closed["x"] = asyncio.Event()
    waiting = [bench.start("x"), bench.start("x")]
    await asyncio.sleep(0)
    settled = await bench.start("x").result
    assert settled.outcome == "failed"
    assert settled.error is not None
    bench.channel.closed["x"].set()
    for delivery in waiting:
        assert (await delivery.result).outcome == "delivered"


async def test_turn_ends_for_the_slow_and_the_dead(bench: Bench) -> None:
    """A turn waits for a silent destination once; after that its notifications are passed by at once."""
    bench.channel.closed["silent"] = asyncio.Event()
    started_s = monotonic()
    await bench.dispatcher.turn([bench.start("silent")])
    first_s = monotonic() - started_s
    assert first_s >= 0.1
    quick = bench.start("live")
    slow = bench.start("silent")
    await bench.dispatcher.turn([quick, slow])
    assert quick.is_settled
    assert slow.parked.is_set()
    bench.channel.closed["silent"].set()
    await slow.result
    again = bench.start("silent")
    await bench.dispatcher.turn([again])
    assert again.is_settled


async def test_same_id_is_delivered_once(bench: Bench) -> None:
    """A notification that is on its way, or arrived lately, is not sent again."""
    address = Address("a", "a", "x", "")
    notification = Notification("same", "fake", address, alert())
    deadline = now_us() + MICROS_PER_S
    first, second = (bench.dispatcher.start(notification, deadline) for _ in range(2))
    assert first is second
    await first.result
    await asyncio.sleep(0)
    assert bench.dispatcher.start(notification, deadline) is first
    assert bench.channel.sent["x"] == ["same"]


async def test_rest_drops_what_waits_and_lets_a_try_end(bench: Bench) -> None:
    """At a rebalance waiting notifications stop, the one under way comes to its end."""
    bench.channel.closed["x"] = asyncio.Event()
    trying = bench.start("x")
    await asyncio.sleep(0.01)
    bench.channel.down["dead"] = SinkUnavailable("away", retry_after_s=60)
    waiting = bench.start("dead", within_s=100)
    await bench.dispatcher.turn([waiting])
    bench.dispatcher.rest()
    bench.channel.closed["x"].set()
    assert (await trying.result).outcome == "delivered"
    with pytest.raises(asyncio.CancelledError):
        await waiting.result
    assert not waiting.is_settled


async def _weather(seed: int) -> int:
    """Thirty notifications for three receivers that fail at random, some dropped: how many were not delivered."""
    dice = Random(seed)
    bench = Bench(
        attempts=10_000,
        destination_concurrency=dice.choice([1, 2, 4]),
        concurrency=dice.choice([2, 8]),
        backoff_first_s=0.002,
        backoff_max_s=0.006,
    )
    deliver = bench.channel.send

    async def send(notification: Notification) -> str:
        await asyncio.sleep(dice.random() * 0.01)
        luck = dice.random()
        if luck < 0.5:
            raise SinkUnavailable("away")
        if luck < 0.6:
            raise RecipientUnavailable("greylisted")
        return await deliver(notification)

    bench.channel.send = send  # type: ignore[method-assign]  # a channel of this test's own
    deliveries = []
    for _ in range(30):
        deliveries.append(bench.start(dice.choice("xyz"), within_s=60))
        await asyncio.sleep(dice.random() * 0.004)
        dropped = dice.choice(deliveries)
        if dice.random() < 0.1 and not dropped.trying:
            dropped.result.cancel()
    done, waiting = await asyncio.wait([delivery.result for delivery in deliveries], timeout=10)
    await bench.dispatcher.close()
    return len(waiting) + sum(not task.cancelled() and task.result().outcome != "delivered" for task in done)


async def test_no_weather_stalls_a_delivery() -> None:
    """Whatever fails when, whoever is dropped: everything else is delivered."""
    assert await asyncio.gather(*(_weather(seed) for seed in range(30))) == [0] * 30


async def test_defect_of_a_channel_is_seen(bench: Bench) -> None:
    """An exception that is none of ours is not swallowed: the result raises it."""
    bench.channel.errors["x"] = [KeyError("defect")]
    delivery = bench.start("x")
    await bench.dispatcher.turn([delivery])
    assert delivery.is_settled
    with pytest.raises(KeyError):
        delivery.result.result()
