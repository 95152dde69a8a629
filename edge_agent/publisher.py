"""Events to Kafka through the spool: written down first, sent oldest first, ticked off when Kafka has them.

There is one way for good days and bad: an event goes into the spool, a thread sends what is in it, and the spool's
cursor moves over what Kafka has acknowledged. While Kafka is away the cursor stands still. After a crash what was sent
but not ticked off is sent again; consumers know it by its event_id.

While the schema registry is away, detections go out as JSON, which the raw topic takes as well.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from edge_agent.errors import SpoolFull
from edge_agent.outgoing import Outgoing
from edge_agent.spool import Position, Spool, SpoolRecord
from schemas.codec import EventCodec
from schemas.errors import RegistryUnavailable
from schemas.events import Detection, Metric
from schemas.json_form import detection_to_json
from schemas.kafka_refusal import RefusalWatch
from schemas.kafka_security import KafkaSecurity
from schemas.topics import DETECTED, METRICS
from telemetry.log import get_logger
from telemetry.metrics import (
    EDGE_DETECTIONS,
    EDGE_LATENCY_SECONDS,
    EDGE_SPOOL_DROPPED,
    EDGE_SPOOLED,
)

MAX_IN_FLIGHT = 500
POLL_S = 0.05
RETRY_S = 1.0
REGISTRY_RETRY_S = 15.0
LINGER_MS = 5

_NEVER = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG}
)
"""Refusals that sending again cannot change."""

_log = get_logger(__name__)


def producer_config(bootstrap: str, security: KafkaSecurity) -> dict[str, Any]:
    """Settings of librdkafka: acknowledged by all replicas, no duplicates, no time limit, one partitioner."""
    return {
        "bootstrap.servers": bootstrap,
        **security.librdkafka(),
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "linger.ms": LINGER_MS,
        "message.timeout.ms": 0,
        "message.max.bytes": DETECTED.max_message_bytes,
        "compression.type": "lz4",
        "reconnect.backoff.max.ms": 2000,
        "log_level": 0,
        "client.id": "alpr-edge-agent",
    }


class ProducerLike(Protocol):
    """What the sender needs of confluent-kafka's Producer."""

    def produce(self, topic: str, *, key: bytes, value: bytes, on_delivery: Any) -> None:
        """Queues a record; `on_delivery(error, message)` is called from `poll`."""
        ...

    def poll(self, timeout: float) -> int:
        """Serves callbacks."""
        ...

    def flush(self, timeout: float) -> int:
        """Waits for outstanding records; returns how many remain."""
        ...

    def purge(self) -> None:
        """Gives up on outstanding records."""
        ...


ProducerMaker = Callable[[Callable[[KafkaError], None]], ProducerLike]
"""Makes a producer that reports trouble with the brokers to the given function, from `poll`."""


def kafka_producer(bootstrap: str, security: KafkaSecurity) -> ProducerMaker:
    """Real producers for a cluster. What Kafka refuses is logged with the setting to change."""
    watch = RefusalWatch(
        bootstrap,
        security,
        lambda refusal: _log.error("Kafka refuses this agent; events wait in the spool", reason=refusal),
    )

    def make(on_error: Callable[[KafkaError], None]) -> ProducerLike:
        def complained(error: KafkaError) -> None:
            watch(error)
            on_error(error)

        producer: ProducerLike = Producer({**producer_config(bootstrap, security), "error_cb": complained})
        return producer

    return make


@dataclass(slots=True)
class _InFlight:
    """A record that was handed to the producer.

    Attributes:
        end: Place after it in the spool.
        done: Kafka has it, or will never take it.
    """

    end: Position
    done: bool = False


class Publisher:
    """Publishes detections and metrics. `publish` is called from camera threads.

    Args:
        spool: Where events wait.
        codec: Encodes events.
        producer: Makes a Kafka producer; called again after a fatal error.
    """

    def __init__(self, spool: Spool, codec: EventCodec, producer: ProducerMaker) -> None:
        self._spool = spool
        self._codec = codec
        self._make_producer = producer
        self._producer = producer(self._trouble)
        self._registry_asked_s = -REGISTRY_RETRY_S
        self._is_away = False
        self._stopping = threading.Event()
        self._in_flight: list[_InFlight] = []
        self._sent = spool.committed
        self._broken = False
        self._thread = threading.Thread(target=self._send, name="publisher", daemon=True)
        EDGE_SPOOLED.set(spool.waiting)

    def start(self) -> None:
        """Starts sending, first of all what the spool holds from before."""
        if self._spool.waiting:
            _log.info("sending what the spool holds", events=self._spool.waiting)
        self._thread.start()

    def publish(self, outgoing: Outgoing) -> None:
        """Writes a detection down; it is on its way to Kafka when this returns.

        An event that finds the spool full is lost, counted and logged as an error: the camera goes on.
        """
        latency_s = max(0.0, time.monotonic() - outgoing.grabbed_s)
        detection = replace(outgoing.detection, latency_ms=round(latency_s * 1000, 1))
        record = SpoolRecord(DETECTED.name, detection.camera_id.encode(), self._encode(detection))
        try:
            self._spool.append(record)
        except SpoolFull as error:
            EDGE_SPOOL_DROPPED.inc()
            _log.error("detection is lost: the spool is full", camera_id=detection.camera_id, reason=str(error))
            return
        stage = "final" if detection.is_final else "early"
        EDGE_DETECTIONS.labels(camera_id=detection.camera_id, stage=stage).inc()
        EDGE_LATENCY_SECONDS.labels(camera_id=detection.camera_id).observe(latency_s)
        EDGE_SPOOLED.set(self._spool.waiting)
        _log.info(
            "detection",
            camera_id=detection.camera_id,
            track_id=detection.track_id,
            plate=detection.plate.text if detection.plate else None,
            stage=stage,
            reads=detection.reads,
            latency_ms=detection.latency_ms,
        )

    def metric(self, metric: Metric) -> None:
        """Sends a metric where Kafka and registry are there. It is no event: it is not spooled, and may be lost."""
        if self._is_away or self._registry_is_away():
            return
        try:
            value = self._codec.encode(METRICS, metric)
            key = (metric.camera_id or metric.tags.get("agent_id", "")).encode()
            self._producer.produce(METRICS.name, key=key, value=value, on_delivery=_forget)
        except RegistryUnavailable:
            self._registry_asked_s = time.monotonic()
        except (BufferError, KafkaException) as error:
            _log.debug("metric is lost", reason=str(error))

    def close(self, timeout_s: float) -> int:
        """Sends for a while what is left.

        Args:
            timeout_s: How long at most.

        Returns:
            Events that stay in the spool for the next start.
        """
        deadline_s = time.monotonic() + timeout_s
        while self._spool.waiting and time.monotonic() < deadline_s and self._thread.is_alive():
            time.sleep(POLL_S)
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s + RETRY_S)
        self._spool.close()
        return self._spool.waiting

    def _registry_is_away(self) -> bool:
        return time.monotonic() - self._registry_asked_s < REGISTRY_RETRY_S

    def _encode(self, detection: Detection) -> bytes:
        if not self._registry_is_away():
            try:
                return self._codec.encode(DETECTED, detection)
            except RegistryUnavailable as error:
                self._registry_asked_s = time.monotonic()
                _log.warning("no schema registry; detections go out as JSON", reason=str(error))
        return detection_to_json(detection)

    def _send(self) -> None:
        """The thread: sends from the spool's cursor on, and goes back to it when something went wrong."""
        while not self._stopping.is_set():
            self._queue_more()
            self._producer.poll(0 if self._in_flight else POLL_S)
            self._tick_off()
            if self._broken:
                self._start_over()
            elif self._in_flight:
                self._producer.poll(POLL_S)
                self._tick_off()
            else:
                self._spool.wait_beyond(self._sent, POLL_S)
        self._producer.flush(POLL_S)
        self._tick_off()
        self._producer.purge()  # what is left stays in the spool; it must not go out behind the next start's back
        self._producer.flush(POLL_S)

    def _queue_more(self) -> None:
        if len(self._in_flight) >= MAX_IN_FLIGHT or self._broken:
            return
        for end, record in self._spool.read_from(self._sent):
            entry = _InFlight(end)
            try:
                self._producer.produce(
                    record.topic, key=record.key, value=record.value, on_delivery=self._delivery(entry, record)
                )
            except BufferError:
                return
            except KafkaException as error:
                self._refused(entry, record, error.args[0])
            self._in_flight.append(entry)
            self._sent = end
            if len(self._in_flight) >= MAX_IN_FLIGHT or self._broken:
                return

    def _delivery(self, entry: _InFlight, record: SpoolRecord) -> Any:
        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                entry.done = True
                self._is_back()
            else:
                self._refused(entry, record, error)

        return delivered

    def _is_back(self) -> None:
        if self._is_away:
            self._is_away = False
            _log.info("Kafka takes events again", spooled=self._spool.waiting)

    def _refused(self, entry: _InFlight, record: SpoolRecord, error: KafkaError) -> None:
        if error.code() in _NEVER:
            entry.done = True
            EDGE_SPOOL_DROPPED.inc()
            _log.error(
                "Kafka refuses an event for good", topic=record.topic, bytes=len(record.value), reason=str(error)
            )
            return
        self._broken = True
        self._away(error)

    def _trouble(self, error: KafkaError) -> None:
        """Called by the producer when brokers are gone (it goes on trying) or it can go on no more (fatal)."""
        if error.fatal():
            self._broken = True
        if error.fatal() or error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._away(error)

    def _away(self, error: KafkaError) -> None:
        if not self._is_away:
            self._is_away = True
            _log.warning("Kafka does not take events; they wait in the spool", reason=str(error))

    def _tick_off(self) -> None:
        finished = 0
        while finished < len(self._in_flight) and self._in_flight[finished].done:
            finished += 1
        if finished:
            self._spool.commit(self._in_flight[finished - 1].end, finished)
            del self._in_flight[:finished]
            EDGE_SPOOLED.set(self._spool.waiting)

    def _start_over(self) -> None:
        """A new producer, and again from the cursor on: order is kept, and doubles have the same ids."""
        self._producer.purge()
        self._producer.flush(POLL_S)
        self._tick_off()
        self._in_flight.clear()
        self._stopping.wait(RETRY_S)
        self._broken = False
        self._producer = self._make_producer(self._trouble)
        self._sent = self._spool.committed


def _forget(_error: KafkaError | None, _message: Message) -> None:
    """Delivery report of a metric: whether it has arrived does not matter."""
