"""The publisher on Kafka: idempotent, acknowledged by all replicas, and honest about what was not."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.codec import EventCodec
from schemas.errors import SchemaError, Unavailable
from schemas.events import AlertAction, Detection
from schemas.kafka_refusal import RefusalWatch
from schemas.kafka_security import KafkaSecurity
from schemas.topics import ALERT_ACTIONS, DETECTED, Topic
from telemetry.log import get_logger

CLOSE_S = 5.0
PING_S = 2.0
REFUSED_PING_S = 0.5
"""Longest wait of a ping where Kafka has refused us: the reason is known, and must arrive before health gives up."""
log = get_logger(__name__)


class KafkaPublisher:
    """`query_api.ports.Publisher` on confluent-kafka, with values in the platform's Avro.

    Args:
        bootstrap: Kafka bootstrap servers.
        security: Kafka login.
        codec: encoder; its registry is asked once for each topic.
        timeout_s: how long a record may wait for its acknowledgement. After it the record is dropped, not sent later:
            a client that was told 503 will send it again.
        retry_after_s: pause that clients are told.
    """

    def __init__(
        self,
        bootstrap: str,
        security: KafkaSecurity,
        codec: EventCodec,
        timeout_s: float,
        retry_after_s: float,
    ) -> None:
        self._watch = RefusalWatch(bootstrap, security, lambda refusal: log.error("kafka_refuses", reason=refusal))
        self._codec = codec
        self._timeout_s = timeout_s
        self._retry_after_s = retry_after_s
        self._prepared: set[str] = set()
        self._config: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            **security.librdkafka(),
            "error_cb": self._watch,
            "client.id": "alpr-api",
            "partitioner": "murmur2_random",  # as aiokafka and Faust: one key, one partition, whoever produces
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "compression.type": "lz4",
            "message.max.bytes": DETECTED.max_message_bytes,
            "message.timeout.ms": round(timeout_s * 1000),
            "socket.connection.setup.timeout.ms": 5000,
            "reconnect.backoff.max.ms": 2000,
            "log_level": 2,  # librdkafka repeats the rest for ever; the watch tells what matters of it
        }
        self._producer: Producer | None = None
        self._stopping = threading.Event()
        self._poller: threading.Thread | None = None

    async def open(self) -> None:
        """See `query_api.ports.Dependency.open`."""
        self._stopping.clear()
        self._producer = Producer(self._config, logger=logging.getLogger("alpr.api.kafka"))
        self._poller = threading.Thread(target=self._poll, args=(self._producer,), name="kafka-poll", daemon=True)
        self._poller.start()

    async def close(self) -> None:
        """See `query_api.ports.Dependency.close`."""
        if self._producer is None or self._poller is None:
            return
        await asyncio.to_thread(self._producer.flush, CLOSE_S)
        self._stopping.set()
        await asyncio.to_thread(self._poller.join, CLOSE_S)
        self._producer = self._poller = None

    async def ping(self) -> None:
        """See `query_api.ports.Dependency.ping`."""
        timeout_s = REFUSED_PING_S if self._watch.refusal else min(PING_S, self._timeout_s)
        try:
            found = await asyncio.to_thread(self._opened().list_topics, DETECTED.name, timeout_s)
        except KafkaException as error:
            away = "Kafka refuses this API; its log says why" if self._watch.refusal else "Kafka does not answer"
            raise self._away(away) from error
        self._watch.let_in()
        if found.topics[DETECTED.name].error is not None:
            raise self._away(f"Kafka has no topic {DETECTED.name}; `alpr topics apply` creates it")

    async def publish_detections(self, detections: Sequence[Detection]) -> None:
        """See `query_api.ports.Publisher.publish_detections`."""
        await self._publish(DETECTED, [(detection.camera_id, detection) for detection in detections])

    async def publish_action(self, action: AlertAction) -> None:
        """See `query_api.ports.Publisher.publish_action`."""
        await self._publish(ALERT_ACTIONS, [(action.alert_id, action)])

    async def _publish(self, topic: Topic, records: Sequence[tuple[str, Any]]) -> None:
        producer = self._opened()
        if topic.name not in self._prepared:
            await asyncio.to_thread(self._codec.prepare, topic)  # the only call that may wait for the registry
            self._prepared.add(topic.name)
        encoded = [(key.encode(), self._codec.encode(topic, event)) for key, event in records]
        largest = max(len(value) for _, value in encoded)
        if largest > topic.max_message_bytes - 1024:
            raise SchemaError(f"a record of {largest} bytes does not fit into {topic.name}")
        loop = asyncio.get_running_loop()
        waiting = [loop.create_future() for _ in encoded]
        for (key, value), future in zip(encoded, waiting, strict=True):
            try:
                producer.produce(topic.name, value, key, on_delivery=_Delivery(loop, future))
            except BufferError:
                _settle(future, "the queue to Kafka is full")
            except KafkaException as error:
                _settle(future, str(error))
        failures = [failure for failure in await asyncio.gather(*waiting) if failure]
        if failures:
            log.warning("not_acknowledged", topic=topic.name, failed=len(failures), of=len(encoded), reason=failures[0])
            raise self._away(f"Kafka did not acknowledge {len(failures)} of {len(encoded)} records")

    def _poll(self, producer: Producer) -> None:
        while not self._stopping.is_set():
            producer.poll(0.1)

    def _opened(self) -> Producer:
        if self._producer is None:
            raise self._away("the way to Kafka is not opened yet")
        return self._producer

    def _away(self, message: str) -> Unavailable:
        return Unavailable(message, retry_after_s=self._retry_after_s)


class _Delivery:
    """Hands a delivery report from the polling thread to the waiting request."""

    __slots__ = ("_future", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, future: "asyncio.Future[str | None]") -> None:
        self._loop = loop
        self._future = future

    def __call__(self, error: KafkaError | None, _message: Message) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, self._future, None if error is None else error.str())


def _settle(future: "asyncio.Future[str | None]", failure: str | None) -> None:
    if not future.done():  # the request may be gone
        future.set_result(failure)
