"""The two clients that an outbox can send through: librdkafka (the default) and Faust's own aiokafka producer."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiokafka.errors import KafkaError  # type: ignore[import-untyped]  # it ships no types
from confluent_kafka import KafkaException, Producer

from streams.outbox import Outbox, Parcel, Ticket


class DeliveryRefused(Exception):
    """Librdkafka's word on a record that it could not deliver."""


class ConfluentOutbox(Outbox):
    """Through librdkafka: about 2 us of Python a record. A client beside aiokafka, served only from the event loop.

    Args:
        config: connection settings of librdkafka (bootstrap.servers, security); see `schemas.kafka_security`.
        linger_ms: how long a batch may wait for company.
        max_message_bytes: largest record that is sent.
        compression: codec of batches, as librdkafka names it.
        max_unacknowledged: see `Outbox`.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        linger_ms: int = 5,
        max_message_bytes: int,
        compression: str = "none",
        max_unacknowledged: int = 50_000,
    ) -> None:
        super().__init__(max_unacknowledged)
        self._config = {
            **config,
            "linger.ms": linger_ms,
            "acks": "all",
            "enable.idempotence": True,
            "batch.size": 131_072,
            "message.max.bytes": max_message_bytes,
            "compression.type": compression,
            "queue.buffering.max.messages": max(500_000, 2 * max_unacknowledged),
            "partitioner": "murmur2_random",  # librdkafka's default is CRC32: it would break co-partitioning
        }
        self._client: Producer | None = None

    async def start(self) -> None:
        """Make the producer; it connects in its own thread."""
        self._client = Producer(self._config)

    async def stop(self) -> None:
        """Drop the producer without its grace: what was not acknowledged must not be sent behind our back."""
        self._client = None

    async def _send(self, parcel: Parcel, limit: int) -> None:
        if self._client is None:
            self.fail(DeliveryRefused("the producer is stopped"))
            return
        try:
            self._produce(self._client.produce, parcel, limit)
        except BufferError:  # librdkafka's queue is full: the rest of the parcel stays where it is
            await asyncio.sleep(0.01)
        except KafkaException as error:
            self.fail(error)

    def _produce(self, produce: Callable[..., None], parcel: Parcel, limit: int) -> None:
        """The hot loop. Callbacks run in `_serve` only, so counting at its end is early enough."""
        records, taken = parcel.records, 0
        on_delivery = self._with_offset(parcel) if parcel.on_offset is not None else self._without_offset(parcel.ticket)
        try:
            for _ in range(min(limit, len(records))):
                topic, key, value, partition, headers = records[0]
                produce(
                    topic, value, key, -1 if partition is None else partition, on_delivery,
                    headers=list(headers) if headers else None,
                )  # fmt: skip
                records.popleft()
                taken += 1
        finally:
            self.with_client += taken

    def _with_offset(self, parcel: Parcel) -> Callable[[Any, Any], None]:
        def delivered(error: Any, message: Any) -> None:
            self._acknowledged(parcel, error and DeliveryRefused(str(error)), message.partition(), message.offset())

        return delivered

    def _without_offset(self, ticket: Ticket) -> Callable[[Any, Any], None]:
        def delivered(error: Any, _message: Any) -> None:
            self.with_client -= 1
            ticket.open -= 1
            if error is not None:
                self.fail(DeliveryRefused(str(error)))

        return delivered

    def _serve(self) -> None:
        if self._client is not None:
            self._client.poll(0)


class HasAiokafka(Protocol):
    """Faust's producer service."""

    def _ensure_producer(self) -> Any: ...


class AiokafkaOutbox(Outbox):
    """Through Faust's own aiokafka producer: no second client, about ten times the CPU of librdkafka."""

    def __init__(self, producer: HasAiokafka, max_unacknowledged: int = 50_000) -> None:
        super().__init__(max_unacknowledged)
        self._producer = producer

    async def _send(self, parcel: Parcel, limit: int) -> None:
        send = self._producer._ensure_producer().send

        def delivered(future: "asyncio.Future[Any]") -> None:
            error = asyncio.CancelledError() if future.cancelled() else future.exception()
            if error is not None:
                self._acknowledged(parcel, error, -1, -1)
            else:
                self._acknowledged(parcel, None, future.result().partition, future.result().offset)

        try:
            for _ in range(min(limit, len(parcel.records))):
                record = parcel.records[0]
                future = await send(
                    record.topic, record.value, key=record.key, partition=record.partition, headers=list(record.headers)
                )
                self._sent(parcel)
                future.add_done_callback(delivered)
        except (KafkaError, AssertionError, ValueError) as error:  # aiokafka asserts that a partition exists
            self.fail(error)

    def _serve(self) -> None:
        """Aiokafka runs its callbacks itself."""
