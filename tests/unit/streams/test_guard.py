"""The dead-letter guard: which failure becomes which letter, and which passes."""

import asyncio
from typing import Any

import pytest

from schemas.codec import EventCodec
from schemas.errors import (
    AlprError,
    BusinessRuleError,
    ErrorType,
    RegistryUnavailable,
    SchemaError,
    SinkRejected,
    UnknownSchemaId,
)
from schemas.events import DeadLetter
from schemas.registry import MemoryRegistry
from schemas.topics import DLQ
from streams.guard import MAX_LETTER_BYTES, RETRY_HEADER, DeadLetterGuard, classify, retry_count
from streams.run import Output, RunFailed
from tests.unit.streams.doubles import FakeRecord, make_run, records

NOW_US = 1_800_000_000_000_000


class CountingRegistry(MemoryRegistry):
    """Counts the questions; can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.away = False

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """As in memory, unless away."""
        if self.away:
            raise RegistryUnavailable("away")
        self.asked += 1
        return super().register(subject, schema)


@pytest.fixture
def registry() -> CountingRegistry:
    """A registry in memory."""
    return CountingRegistry()


@pytest.fixture
def codec(registry: CountingRegistry) -> EventCodec:
    """A codec on it."""
    return EventCodec(registry)


@pytest.fixture
def guard(codec: EventCodec) -> DeadLetterGuard:
    """The guard of an agent, prepared."""
    guard = DeadLetterGuard("route", codec, now=lambda: NOW_US)
    guard.prepare()
    return guard


def letter_of(codec: EventCodec, output: Output) -> DeadLetter:
    """The letter in an output."""
    letter = codec.decode(DLQ, output.value)
    assert isinstance(letter, DeadLetter)
    return letter


def test_a_letter_keeps_the_record_whole(guard: DeadLetterGuard, codec: EventCodec) -> None:
    """Original bytes, place, time, headers and reason are all in the letter."""
    record = FakeRecord(7, value=b"\x00\xff", key=b"cam", headers=(("trace", b"1"), ("none", None)))
    output = guard.dead_letter(record, SchemaError("not Avro"))
    letter = letter_of(codec, output)
    assert (letter.topic, letter.partition, letter.offset) == (record.topic, 0, 7)
    assert (letter.key, letter.value) == (b"cam", b"\x00\xff")
    assert [(header.key, header.value) for header in letter.headers] == [("trace", b"1"), ("none", None)]
    assert letter.recorded_at == record.timestamp * 1000
    assert (letter.agent, letter.error_type, letter.message) == ("route", "SCHEMA_VALIDATION", "not Avro")
    assert letter.failed_at == NOW_US
    assert letter.stack is None
    assert output.topic == DLQ.name
    assert dict(output.headers)["offset"] == b"7"
    assert dict(output.headers)["error_type"] == b"SCHEMA_VALIDATION"


def test_the_same_failure_is_the_same_letter(guard: DeadLetterGuard, codec: EventCodec) -> None:
    """Reading a record again after a crash gives a letter with the same id; another agent's has its own."""
    ids = [letter_of(codec, guard.dead_letter(FakeRecord(7), ValueError("x"))).dead_letter_id for _ in range(2)]
    assert ids[0] == ids[1]
    other = DeadLetterGuard("deduplicate", codec)
    assert letter_of(codec, other.dead_letter(FakeRecord(7), ValueError("x"))).dead_letter_id != ids[0]


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        (SchemaError("x"), ErrorType.SCHEMA_VALIDATION),
        (UnknownSchemaId("x"), ErrorType.SCHEMA_VALIDATION),
        (BusinessRuleError("x"), ErrorType.BUSINESS_LOGIC),
        (SinkRejected("x"), ErrorType.PROCESSING_FAILURE),
        (AlprError("x"), ErrorType.PROCESSING_FAILURE),
        (TimeoutError(), ErrorType.TIMEOUT),
        (ZeroDivisionError(), ErrorType.UNKNOWN),
    ],
)
def test_errors_are_classified_by_their_branch(error: Exception, error_type: ErrorType) -> None:
    """The tree says what kind of failure it is; what is not in the tree is unknown."""
    assert classify(error) is error_type


def test_unexpected_errors_carry_their_stack(guard: DeadLetterGuard, codec: EventCodec) -> None:
    """A bug can be found from its dead letter."""
    try:
        raise KeyError("plate")
    except KeyError as error:
        letter = letter_of(codec, guard.dead_letter(FakeRecord(1), error))
    assert letter.stack is not None
    assert "test_unexpected_errors_carry_their_stack" in letter.stack


def test_messages_without_text_and_with_odd_text_are_kept(guard: DeadLetterGuard, codec: EventCodec) -> None:
    """An error without words is called by its name; what UTF-8 cannot say is replaced; long text is cut."""
    assert letter_of(codec, guard.dead_letter(FakeRecord(1), ValueError())).message == "ValueError"
    assert letter_of(codec, guard.dead_letter(FakeRecord(1), ValueError("\ud800"))).message == "?"
    assert len(letter_of(codec, guard.dead_letter(FakeRecord(1), ValueError("x" * 9_999))).message) == 2_000


def test_a_letter_that_kafka_would_refuse_leaves_the_value_out(guard: DeadLetterGuard, codec: EventCodec) -> None:
    """A record too large for the dead letter topic must not stop the worker."""
    output = guard.dead_letter(FakeRecord(1, value=b"x" * MAX_LETTER_BYTES), SchemaError("no"))
    assert output.value is not None
    assert len(output.value) < MAX_LETTER_BYTES
    letter = letter_of(codec, output)
    assert letter.value is None
    assert "left out" in letter.message


def test_letters_need_no_registry_after_prepare(
    registry: CountingRegistry, codec: EventCodec, guard: DeadLetterGuard
) -> None:
    """A registry that goes away later stops no dead letter."""
    registry.away = True
    assert letter_of(codec, guard.dead_letter(FakeRecord(1), SchemaError("x"))).offset == 1
    assert registry.asked == 1


def decode_even(record: Any) -> int:
    """Fails for odd offsets."""
    if record.offset % 2:
        raise SchemaError(f"odd {record.offset}")
    return int(record.offset)


def test_a_bad_record_does_not_take_its_neighbours(guard: DeadLetterGuard, codec: EventCodec) -> None:
    """Each record of a run is decoded by itself; the bad ones become letters, in order."""
    events, letters = guard.decode_run(make_run(records(0, 5)), decode_even)
    assert [event for _, event in events] == [0, 2, 4]
    assert [record.offset for record, _ in events] == [0, 2, 4]
    assert [letter_of(codec, output).offset for output in letters] == [1, 3]


def test_an_absent_registry_is_no_ones_fault(guard: DeadLetterGuard) -> None:
    """While the registry is away no record becomes a dead letter: the run is tried again."""

    def decode(_record: Any) -> int:
        raise RegistryUnavailable("away")

    with pytest.raises(RegistryUnavailable):
        guard.decode_run(make_run(records(0, 2)), decode)


def test_watch_guards_work_on_one_record(guard: DeadLetterGuard, codec: EventCodec) -> None:
    """What fails inside becomes a letter; what goes well adds nothing."""
    outputs: list[Output] = []
    with guard.watch(FakeRecord(3), outputs):
        raise BusinessRuleError("1970")
    with guard.watch(FakeRecord(4), outputs):
        pass
    assert [letter_of(codec, output).offset for output in outputs] == [3]


@pytest.mark.parametrize(
    "error", [RegistryUnavailable("x"), RunFailed("x"), asyncio.CancelledError(), KeyboardInterrupt()]
)
def test_what_is_not_the_records_fault_passes_the_guard(guard: DeadLetterGuard, error: BaseException) -> None:
    """Absent servers, broken contracts and the end of the process are not dead letters."""
    outputs: list[Output] = []
    with pytest.raises(type(error)), guard.watch(FakeRecord(3), outputs):
        raise error
    assert outputs == []


@pytest.mark.parametrize(
    ("headers", "count"),
    [
        ((), 0),
        (((RETRY_HEADER, b"2"),), 2),
        (((RETRY_HEADER, b"many"),), 0),
        (((RETRY_HEADER, None),), 0),
        (((RETRY_HEADER, b"9" * 30),), 0),
    ],
)
def test_retry_count_comes_from_the_header(headers: Any, count: int) -> None:
    """Replays are counted; nonsense counts as none."""
    assert retry_count(FakeRecord(1, headers=headers)) == count
