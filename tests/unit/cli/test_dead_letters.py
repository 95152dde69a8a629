"""Which dead letters a command takes, and how it sends them back."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from agents.decisions.raw_records import ORIGIN_HEADER
from cli.dead_letter_log import FoundLetter, LetterFilter, moment
from cli.dead_letter_replay import Headers, refusal, replay, replay_headers
from schemas.clock import parse_time
from schemas.events import DeadLetter, Header
from streams.guard import RETRY_HEADER
from tests.unit.schemas.golden_samples import SAMPLES

LETTER: DeadLetter = SAMPLES["DeadLetter"]
NOW = parse_time("2026-11-24T12:00:00Z")


@dataclass
class FakeProducer:
    """Acknowledges when it is flushed.

    Attributes:
        full: how often the queue is full before it takes a record.
        error: of all deliveries.
        lost: acknowledges nothing.
    """

    full: int = 0
    error: str | None = None
    lost: bool = False
    sent: list[tuple[str, bytes | None, bytes | None, int, Headers]] = field(default_factory=list)
    waiting: list[Callable[[Any, Any], None]] = field(default_factory=list)

    def produce(
        self,
        topic: str,
        *,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        on_delivery: Callable[[Any, Any], None],
        headers: Headers,
    ) -> None:
        """Take a record."""
        if self.full:
            self.full -= 1
            raise BufferError
        self.sent.append((topic, key, value, partition, headers))
        self.waiting.append(on_delivery)

    def poll(self, timeout: float) -> int:
        """Nothing is due."""
        return 0

    def flush(self, timeout: float) -> int:
        """Acknowledge everything."""
        if self.lost:
            return len(self.waiting)
        for on_delivery in self.waiting:
            on_delivery(self.error, None)
        self.waiting.clear()
        return 0


def found(*letters: DeadLetter) -> list[FoundLetter]:
    """Letters as they come from the topic."""
    return [FoundLetter(letter, 0, offset) for offset, letter in enumerate(letters)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15m", NOW - 900_000_000),
        ("2h", NOW - 7_200_000_000),
        ("1.5d", NOW - 129_600_000_000),
        ("2026-11-24T10:00:00Z", NOW - 7_200_000_000),
    ],
)
def test_times_as_people_write_them(text: str, expected: int) -> None:
    """A span is that long ago; a time is itself."""
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "5", "3 parsecs", "-2h"])
def test_what_is_no_time(text: str) -> None:
    """Refused, or a Unix time; never taken for a span."""
    try:
        assert moment(text, NOW) == parse_time(text)
    except ValueError:
        return


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (LetterFilter(), True),
        (LetterFilter(topic="alpr.plates.detected", agent="route", error_type="SCHEMA_VALIDATION"), True),
        (LetterFilter(topic="alpr.metrics"), False),
        (LetterFilter(agent="correlate"), False),
        (LetterFilter(error_type="TIMEOUT"), False),
        (LetterFilter(since=LETTER.failed_at), True),
        (LetterFilter(since=LETTER.failed_at + 1), False),
        (LetterFilter(until=LETTER.failed_at), False),
        (LetterFilter(until=LETTER.failed_at + 1), True),
        (LetterFilter(ids=("x", "d-")), True),
        (LetterFilter(ids=("x",)), False),
    ],
)
def test_filter(wanted: LetterFilter, matches: bool) -> None:
    """All conditions must hold."""
    assert wanted.matches(LETTER) is matches


def test_replay_goes_back_to_where_it_came_from() -> None:
    """Topic, partition, key and bytes as they were; the count goes up; the first place is kept."""
    producer = FakeProducer()
    result = replay(found(LETTER), producer, max_retries=5, rate_per_s=1000)
    (topic, key, value, partition, headers) = producer.sent[0]
    assert (topic, key, value, partition) == (LETTER.topic, LETTER.key, LETTER.value, LETTER.partition)
    assert headers == [
        ("traceparent", b"00-1"), ("empty", None), (RETRY_HEADER, b"2"), (ORIGIN_HEADER, b"alpr.plates.detected/3/77"),
    ]  # fmt: skip
    assert (result.sent, result.skipped, result.failed) == (1, [], [])


def test_second_replay_keeps_the_first_place() -> None:
    """The count is replaced, the origin is not."""
    again = replace(
        LETTER, offset=99, retry_count=3,
        headers=(Header(RETRY_HEADER, b"3"), Header(ORIGIN_HEADER, b"alpr.plates.detected/3/77")),
    )  # fmt: skip
    assert replay_headers(again) == [(ORIGIN_HEADER, b"alpr.plates.detected/3/77"), (RETRY_HEADER, b"4")]


def test_letters_that_cannot_help_are_left_out() -> None:
    """Without bytes there is nothing to send; after so many tries it would go round for ever."""
    producer = FakeProducer()
    tried = replace(LETTER, dead_letter_id="tried", retry_count=5)
    result = replay(found(replace(LETTER, value=None), tried, LETTER), producer, max_retries=5, rate_per_s=1000)
    assert (result.sent, [letter_id for letter_id, _ in result.skipped]) == (1, ["d-1", "tried"])
    assert refusal(LETTER, 5) is None


def test_rate_is_kept() -> None:
    """Five at ten a second: four pauses of a tenth."""
    clock = [0.0]
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock[0] += seconds

    replay(found(*[LETTER] * 5), FakeProducer(), max_retries=5, rate_per_s=10, pause=pause, now=lambda: clock[0])
    assert pauses == pytest.approx([0.1] * 4)


def test_full_queue_is_waited_for() -> None:
    """Nothing is lost when the client has no room."""
    producer = FakeProducer(full=3)
    assert replay(found(LETTER), producer, max_retries=5, rate_per_s=1000).sent == 1


def test_failed_deliveries_are_told() -> None:
    """A refused record is not counted as sent."""
    result = replay(found(LETTER), FakeProducer(error="too large"), max_retries=5, rate_per_s=1000)
    assert (result.sent, result.failed) == (0, [("d-1", "too large")])
    assert replay(found(LETTER), FakeProducer(lost=True), max_retries=5, rate_per_s=1000).failed
