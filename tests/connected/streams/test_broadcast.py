"""Broadcast state from a real compacted topic."""

import asyncio
from uuid import uuid4

from streams.broadcast import Broadcast
from tests.connected.streams.conftest import Broker

COMPACT = {"cleanup.policy": "compact"}


async def test_reads_to_the_end_then_follows(broker: Broker) -> None:
    """Ready means complete: all partitions to their ends, deleted keys gone; changes after that come in."""
    topic = f"t{uuid4().hex[:10]}.cameras"
    broker.create(topic, partitions=3, config=COMPACT)
    broker.produce(topic, [(b"cam-%d" % n, b"v%d" % n, n % 3) for n in range(300)] + [(b"cam-7", None, 1)])
    state = Broadcast(topic, broker.bootstrap)
    heard: list[tuple[bytes, bytes | None]] = []
    await state.start()
    try:
        await asyncio.wait_for(state.ready(), 20)
        assert dict(state.snapshot) == {b"cam-%d" % n: b"v%d" % n for n in range(300) if n != 7}
        state.on_change(lambda key, value: heard.append((key, value)))
        heard.clear()
        broker.produce(topic, [(b"cam-1", None, 1), (b"new", b"1", 0)])
        for _ in range(100):
            if len(heard) == 2:
                break
            await asyncio.sleep(0.1)
        assert sorted(heard) == [(b"cam-1", None), (b"new", b"1")]
        assert state.get(b"new") == b"1"
    finally:
        await state.stop()


async def test_an_empty_topic_is_complete_at_once(broker: Broker) -> None:
    """No cameras is a state, too."""
    topic = f"t{uuid4().hex[:10]}.rules"
    broker.create(topic, partitions=1, config=COMPACT)
    state = Broadcast(topic, broker.bootstrap)
    await state.start()
    try:
        await asyncio.wait_for(state.ready(), 20)
        assert not state.snapshot
    finally:
        await state.stop()
