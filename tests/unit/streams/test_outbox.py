"""The outbox: order, back-pressure, flush by ticket, and failures that stick."""

import asyncio

import pytest

from streams.outbox import DeliveryError
from streams.run import Output
from tests.unit.streams.doubles import FakeOutbox


def outputs(first: int, count: int, topic: str = "events") -> list[Output]:
    """Numbered records."""
    return [Output(topic, None, b"%d" % number) for number in range(first, first + count)]


async def test_records_leave_in_the_order_they_were_put() -> None:
    """Parcels do not overtake each other."""
    outbox = FakeOutbox()
    outbox.put(outputs(0, 700))
    outbox.put(outputs(700, 700))
    await asyncio.gather(outbox.pump(), outbox.pump())
    assert outbox.sent == outputs(0, 1400)


async def test_flush_returns_when_everything_put_before_is_acknowledged() -> None:
    """Handing over is not enough: Kafka must have answered."""
    outbox = FakeOutbox(auto=False)
    outbox.put(outputs(0, 10))
    flushing = asyncio.create_task(outbox.flush())
    await asyncio.sleep(0.02)
    assert len(outbox.sent) == 10
    assert not flushing.done()
    outbox.acknowledge(9)
    await asyncio.sleep(0.02)
    assert not flushing.done()
    outbox.acknowledge()
    await asyncio.wait_for(flushing, 1)
    assert outbox.unacknowledged == 0


async def test_flush_does_not_wait_for_what_is_put_meanwhile() -> None:
    """Agents that go on sending do not hold up a checkpoint."""
    outbox = FakeOutbox(auto=False)
    outbox.put(outputs(0, 5))
    flushing = asyncio.create_task(outbox.flush())
    await asyncio.sleep(0.02)
    outbox.put(outputs(5, 5))
    await outbox.pump()
    outbox.acknowledge(5)
    await asyncio.wait_for(flushing, 1)
    assert outbox.unacknowledged == 5


async def test_a_second_flush_covers_the_tickets_of_the_first() -> None:
    """Two flushes at once both wait for the older records."""
    outbox = FakeOutbox(auto=False)
    outbox.put(outputs(0, 2))
    first = asyncio.create_task(outbox.flush())
    await asyncio.sleep(0.01)
    second = asyncio.create_task(outbox.flush())
    await asyncio.sleep(0.01)
    assert not first.done()
    assert not second.done()
    outbox.acknowledge()
    await asyncio.wait_for(asyncio.gather(first, second), 1)


async def test_back_pressure_is_felt_in_pump() -> None:
    """With too much unacknowledged, pump waits; nothing is dropped."""
    outbox = FakeOutbox(auto=False, max_unacknowledged=3)
    outbox.put(outputs(0, 5))
    pumping = asyncio.create_task(outbox.pump())
    await asyncio.sleep(0.02)
    assert len(outbox.sent) == 3
    assert not pumping.done()
    outbox.acknowledge(2)
    await asyncio.wait_for(pumping, 1)
    assert outbox.sent == outputs(0, 5)


async def test_a_client_whose_queue_is_full_takes_the_rest_later() -> None:
    """A client that takes a part of a parcel loses nothing of it."""
    outbox = FakeOutbox()
    outbox.capacity = 2
    outbox.put(outputs(0, 7))
    await outbox.flush()
    assert outbox.sent == outputs(0, 7)


async def test_a_failed_delivery_sticks() -> None:
    """After one refusal no flush succeeds any more, and the cause is kept."""
    outbox = FakeOutbox()
    outbox.refuse = "closed"
    outbox.put(outputs(0, 1, "closed"))
    with pytest.raises(DeliveryError, match="refused") as caught:
        await outbox.flush()
    assert isinstance(caught.value.__cause__, ValueError)
    outbox.put(outputs(0, 1))
    with pytest.raises(DeliveryError):
        await outbox.flush()


async def test_offsets_come_back_to_those_who_ask() -> None:
    """The changelog learns the offset of each of its records."""
    outbox = FakeOutbox()
    seen: list[tuple[int, int]] = []
    outbox.put([Output("changelog", b"k", b"v", 3), Output("changelog", b"k", b"w", 3)], lambda *at: seen.append(at))
    await outbox.flush()
    assert seen == [(3, 0), (3, 1)]


async def test_flush_of_nothing_returns_at_once() -> None:
    """An idle worker's checkpoint waits for nobody."""
    await asyncio.wait_for(FakeOutbox(auto=False).flush(), 0.5)
