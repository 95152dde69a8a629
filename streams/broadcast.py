"""Broadcast state: a compacted topic that every worker holds whole, read with a consumer of its own.

Not a Faust GlobalTable: that one belongs to a consumer group and its recovery. Broadcast state is not part of the
partition logs, so a replay sees it as it is now; what must be reproducible carries its own version (rules do).
"""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # it ships no types
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError  # type: ignore[import-untyped]  # it ships no types
from mode import Service

from schemas.kafka_security import KafkaSecurity
from telemetry.log import get_logger

OnChange = Callable[[bytes, bytes | None], None]
"""Called with key and value of a change; None when the key was deleted."""

POLL_MS = 500
RETRY_S = 2.0
log = get_logger(__name__)


class Broadcast(Service):
    """A follower of one compacted topic. Reads it to the end, is ready then, and goes on following.

    Args:
        topic: compacted topic.
        bootstrap: Kafka servers.
        security: Kafka login.
    """

    def __init__(self, topic: str, bootstrap: str, security: KafkaSecurity | None = None, **kwargs: Any) -> None:
        self.topic = topic
        self._bootstrap = bootstrap
        self._security = security or KafkaSecurity()
        self._state: dict[bytes, bytes] = {}
        self._listeners: list[OnChange] = []
        self._caught_up = asyncio.Event()
        super().__init__(**kwargs)

    @property
    def snapshot(self) -> Mapping[bytes, bytes]:
        """Latest value of each key: a live, read-only view."""
        return MappingProxyType(self._state)

    def get(self, key: bytes) -> bytes | None:
        """Latest value of a key."""
        return self._state.get(key)

    def on_change(self, listener: OnChange) -> OnChange:
        """Call the listener with every change from now on, and at once with what is known (usable as decorator).

        The listener must bear any value that somebody may have written: an exception stops the worker.
        """
        for key, value in self._state.items():
            listener(key, value)
        self._listeners.append(listener)
        return listener

    @property
    def is_ready(self) -> bool:
        """Whether the topic has been read to the end that it had at the start."""
        return self._caught_up.is_set()

    async def ready(self) -> None:
        """Return when the state is complete."""
        await self._caught_up.wait()

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record in. A record without a key says nothing and is left out."""
        if key is None:
            return
        if value is None:
            self._state.pop(key, None)
        else:
            self._state[key] = value
        for listener in self._listeners:
            listener(key, value)

    @Service.task
    async def _follow(self) -> None:
        while not self.should_stop:
            consumer = AIOKafkaConsumer(
                self.topic,  # without a group: all partitions
                bootstrap_servers=self._bootstrap,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                **self._security.aiokafka(),
            )
            try:
                await consumer.start()
                await self._read(consumer)
            except UnknownTopicOrPartitionError:
                log.warning("topic is missing; `alpr topics apply` creates it", topic=self.topic)
            except KafkaError as error:
                log.warning("broadcast state is not to be had", topic=self.topic, error=repr(error))
            finally:
                await consumer.stop()
            await self.sleep(RETRY_S)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        """Read from the beginning: a reconnect may have missed tombstones that compaction has since removed."""
        partitions = sorted(consumer.assignment())
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        seen: set[bytes] = set()
        behind = {tp for tp in partitions if ends[tp] > 0}
        complete = False
        while not self.should_stop:
            behind = {tp for tp in behind if await consumer.position(tp) < ends[tp]}
            if not behind and not complete:
                complete = True
                for key in self._state.keys() - seen:
                    self.apply(key, None)
                if not self.is_ready:
                    log.info("broadcast state complete", topic=self.topic, keys=len(self._state))
                self._caught_up.set()
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    if not complete and record.key is not None:
                        (seen.discard if record.value is None else seen.add)(record.key)
                    self.apply(record.key, record.value)
