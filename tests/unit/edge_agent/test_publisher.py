"""Events go out oldest first, each ticked off only when Kafka has it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from edge_agent.outgoing import Outgoing
from edge_agent.publisher import Publisher
from edge_agent.spool import Spool
from schemas.codec import EventCodec
from schemas.errors import RegistryUnavailable
from schemas.events import Detection
from schemas.json_form import detection_from_json, looks_like_json
from schemas.registry import MemoryRegistry
from schemas.topics import DETECTED
from tests.unit.edge_agent import builders

pytestmark = pytest.mark.thorough

MIB = 2**20


@dataclass
class FakeKafka:
    """A broker that acknowledges, is away, or refuses; it may make several producers."""

    received: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    is_away: bool = False
    refuse_with: int | None = None
    producers: int = 0

    def make(self, _on_error: Callable[[KafkaError], None]) -> "FakeProducer":
        """A new producer."""
        self.producers += 1
        return FakeProducer(self)


@dataclass
class FakeProducer:
    """Delivers on poll, in order, as confluent-kafka does."""

    kafka: FakeKafka
    queue: list[tuple[str, bytes, bytes, Any]] = field(default_factory=list)

    def produce(self, topic: str, *, key: bytes, value: bytes, on_delivery: Any) -> None:
        """Queues; full at five."""
        if len(self.queue) >= 5:
            raise BufferError("queue full")
        self.queue.append((topic, key, value, on_delivery))

    def poll(self, timeout: float) -> int:
        """Delivers unless the broker is away."""
        time.sleep(min(timeout, 0.001))
        if self.kafka.is_away:
            return 0
        done, self.queue = self.queue, []
        for topic, key, value, on_delivery in done:
            if self.kafka.refuse_with is not None:
                on_delivery(KafkaError(self.kafka.refuse_with), None)
            else:
                self.kafka.received.append((topic, key, value))
                on_delivery(None, None)
        return len(done)

    def flush(self, timeout: float) -> int:
        """As poll."""
        self.poll(timeout)
        return len(self.queue)

    def purge(self) -> None:
        """Forgets what is queued."""
        self.queue.clear()


class AwayRegistry(MemoryRegistry):
    """A registry that does not answer."""

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """Fails as a connection does."""
        raise RegistryUnavailable("nobody there")


def _outgoing(number: int) -> Outgoing:
    detection = Detection(
        event_id=f"event-{number}", captured_at=number, camera_id="gate", first_seen_at=number, last_seen_at=number
    )
    return Outgoing(detection, (), time.monotonic())


def _ids(kafka: FakeKafka, codec: EventCodec) -> list[str]:
    return [codec.decode(DETECTED, value).event_id for _, _, value in kafka.received]


def _wait(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.005)
    assert condition()


@pytest.fixture
def kafka() -> FakeKafka:
    """A broker that takes everything."""
    return FakeKafka()


@pytest.fixture
def codec() -> EventCodec:
    """A codec on a registry in memory."""
    return EventCodec(MemoryRegistry())


@pytest.fixture
def publisher(tmp_path: Path, kafka: FakeKafka, codec: EventCodec) -> Iterator[Publisher]:
    """A running publisher."""
    running = Publisher(Spool(tmp_path, max_bytes=MIB), codec, kafka.make)
    running.start()
    yield running
    kafka.is_away, kafka.refuse_with = False, None
    running.close(2)


def test_events_arrive_in_order_under_their_camera(publisher: Publisher, kafka: FakeKafka, codec: EventCodec) -> None:
    """More events than the producer's queue holds all arrive once, keyed by camera."""
    for number in range(40):
        publisher.publish(_outgoing(number))
    _wait(lambda: len(kafka.received) == 40)
    assert _ids(kafka, codec) == [f"event-{n}" for n in range(40)]
    assert {(topic, key) for topic, key, _ in kafka.received} == {(DETECTED.name, b"gate")}


def test_latency_is_measured_when_it_is_published(publisher: Publisher, kafka: FakeKafka, codec: EventCodec) -> None:
    """The event says how long it took from the frame to the publisher."""
    outgoing = _outgoing(1)
    publisher.publish(Outgoing(outgoing.detection, (), outgoing.grabbed_s - 0.25))
    _wait(lambda: len(kafka.received) == 1)
    latency_ms = codec.decode(DETECTED, kafka.received[0][2]).latency_ms
    assert 250 <= latency_ms < 5000


def test_an_outage_loses_nothing_and_keeps_the_order(publisher: Publisher, kafka: FakeKafka, codec: EventCodec) -> None:
    """Events of an outage wait and then arrive, oldest first, each once."""
    kafka.is_away = True
    for number in range(12):
        publisher.publish(_outgoing(number))
    time.sleep(0.1)
    assert kafka.received == []
    kafka.is_away = False
    _wait(lambda: len(kafka.received) == 12)
    assert _ids(kafka, codec) == [f"event-{n}" for n in range(12)]


def test_a_failed_delivery_is_repeated_from_where_it_failed(
    publisher: Publisher, kafka: FakeKafka, codec: EventCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error a new producer sends again; nothing is ticked off meanwhile."""
    monkeypatch.setattr("edge_agent.publisher.RETRY_S", 0.05)
    kafka.refuse_with = KafkaError.REQUEST_TIMED_OUT
    publisher.publish(_outgoing(1))
    _wait(lambda: kafka.producers >= 2)
    kafka.refuse_with = None
    _wait(lambda: len(kafka.received) == 1)
    assert _ids(kafka, codec) == ["event-1"]


def test_an_event_that_kafka_refuses_for_good_does_not_block_the_next(
    publisher: Publisher, kafka: FakeKafka, codec: EventCodec
) -> None:
    """A record that is too large is counted and left behind."""
    kafka.refuse_with = KafkaError.MSG_SIZE_TOO_LARGE
    publisher.publish(_outgoing(1))
    time.sleep(0.1)
    kafka.refuse_with = None
    publisher.publish(_outgoing(2))
    _wait(lambda: len(kafka.received) == 1)
    assert _ids(kafka, codec) == ["event-2"]
    assert kafka.producers == 1


def test_what_a_stopped_agent_left_is_sent_by_the_next(tmp_path: Path, kafka: FakeKafka, codec: EventCodec) -> None:
    """The spool outlives the process."""
    kafka.is_away = True
    first = Publisher(Spool(tmp_path, max_bytes=MIB), codec, kafka.make)
    first.start()
    for number in range(3):
        first.publish(_outgoing(number))
    assert first.close(0.2) == 3
    kafka.is_away = False
    second = Publisher(Spool(tmp_path, max_bytes=MIB), codec, kafka.make)
    second.start()
    assert second.close(5) == 0
    assert _ids(kafka, codec) == ["event-0", "event-1", "event-2"]


def test_without_a_registry_detections_go_out_as_json(tmp_path: Path, kafka: FakeKafka) -> None:
    """The raw topic takes JSON, so a registry that is away stops no event."""
    publisher = Publisher(Spool(tmp_path, max_bytes=MIB), EventCodec(AwayRegistry()), kafka.make)
    publisher.start()
    publisher.publish(_outgoing(7))
    assert publisher.close(5) == 0
    value = kafka.received[0][2]
    assert looks_like_json(value)
    assert detection_from_json(value).event_id == "event-7"


def test_a_full_spool_costs_the_event_and_not_the_camera(
    tmp_path: Path, kafka: FakeKafka, codec: EventCodec, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loss is said loudly and counted; publish returns."""
    kafka.is_away = True
    publisher = Publisher(Spool(tmp_path, max_bytes=300), codec, kafka.make)
    for number in range(10):
        publisher.publish(_outgoing(number))
    assert 0 < publisher.close(0) < 10


def test_builders_make_what_they_say() -> None:
    """The doubts of a built read stand behind its text."""
    assert [a.char for a in builders.read("AB", p1_8=0.02).characters[1]] == ["B", "8"]
