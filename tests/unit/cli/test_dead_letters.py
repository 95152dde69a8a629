"""Which dead letters a command takes, and how it sends them back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from agents.decisions.raw_records import ORIGIN_HEADER
from cli.dead_letter_actions import DISCARDED, OPEN, REPLAYED, ActionLog, ActionWriter
from cli.dead_letter_log import FoundLetter, LetterFilter, moment
from cli.dead_letter_replay import Headers, discard, refusal, replay, replay_headers
from cli.dead_letter_settings import DeadLetterSettings
from schemas.clock import parse_time
from schemas.codec import EventCodec
from schemas.events import DeadLetter, DeadLetterAction, Header
from schemas.registry import MemoryRegistry
from schemas.topics import DLQ_ACTIONS
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
        prompt: acknowledges at once.
    """

    full: int = 0
    error: str | None = None
    lost: bool = False
    prompt: bool = False
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
        """Nothing is due, unless it is prompt."""
        return self.flush(timeout) if self.prompt else 0

    def flush(self, timeout: float) -> int:
        """Acknowledge everything."""
        if self.lost:
            return len(self.waiting)
        waiting, self.waiting = self.waiting, []
        for on_delivery in waiting:
            on_delivery(self.error, None)
        return 0


CODEC = EventCodec(MemoryRegistry())


def writer() -> ActionWriter:
    """Notes what kim did."""
    return ActionWriter(CODEC, "kim", "mended", now=lambda: NOW)


def sent_back(producer: FakeProducer) -> list[tuple[str, bytes | None, bytes | None, int, Headers]]:
    """What was sent to where it came from."""
    return [record for record in producer.sent if record[0] != DLQ_ACTIONS.name]


def noted(producer: FakeProducer) -> list[DeadLetterAction]:
    """The actions that were written."""
    return [CODEC.decode(DLQ_ACTIONS, value) for topic, _, value, _, _ in producer.sent if topic == DLQ_ACTIONS.name]


def log_of(*actions: DeadLetterAction) -> ActionLog:
    """A log that holds these."""
    return ActionLog({action.dead_letter_id: action for action in actions}, list(actions))


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
    result = replay(found(LETTER), producer, writer(), max_retries=5, rate_per_s=1000)
    ((topic, key, value, partition, headers),) = sent_back(producer)
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
    result = replay(
        found(replace(LETTER, value=None), tried, LETTER), producer, writer(), max_retries=5, rate_per_s=1000
    )
    assert (result.sent, [letter_id for letter_id, _ in result.skipped]) == (1, ["d-1", "tried"])
    assert refusal(LETTER, 5) is None


def test_rate_is_kept() -> None:
    """Five at ten a second: four pauses of a tenth."""
    clock = [0.0]
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock[0] += seconds

    replay(
        found(*[LETTER] * 5), FakeProducer(), writer(), max_retries=5, rate_per_s=10, pause=pause, now=lambda: clock[0]
    )
    assert pauses == pytest.approx([0.1] * 4)


def test_full_queue_is_waited_for() -> None:
    """Nothing is lost when the client has no room."""
    producer = FakeProducer(full=3)
    assert replay(found(LETTER), producer, writer(), max_retries=5, rate_per_s=1000).sent == 1


def test_failed_deliveries_are_told() -> None:
    """A refused record is not counted as sent."""
    result = replay(found(LETTER), FakeProducer(error="too large"), writer(), max_retries=5, rate_per_s=1000)
    assert (result.sent, result.failed) == (0, [("d-1", "too large")])
    assert replay(found(LETTER), FakeProducer(lost=True), writer(), max_retries=5, rate_per_s=1000).failed


@pytest.mark.parametrize("prompt", [True, False])
def test_replay_is_noted_once_it_is_acknowledged(prompt: bool) -> None:
    """Who, what, when and why, and where the record stood."""
    producer = FakeProducer(prompt=prompt)
    result = replay(found(LETTER), producer, writer(), max_retries=5, rate_per_s=1000)
    (action,) = noted(producer)
    assert (action.dead_letter_id, action.action, action.actor, action.reason) == ("d-1", REPLAYED, "kim", "mended")
    assert (action.acted_at, action.topic, action.partition, action.offset) == (NOW, LETTER.topic, 3, 77)
    assert (action.agent, action.error_type, action.retry_count) == ("route", "SCHEMA_VALIDATION", 1)
    assert (result.sent, result.failed) == (1, [])


def test_what_was_replayed_is_not_sent_again() -> None:
    """A second run finds the notes of the first; only --again looks past them."""
    first = FakeProducer()
    replay(found(LETTER), first, writer(), max_retries=5, rate_per_s=1000)
    actions = log_of(*noted(first))
    second = FakeProducer()
    result = replay(found(LETTER), second, writer(), max_retries=5, rate_per_s=1000, actions=actions)
    assert second.sent == []
    assert result.skipped == [("d-1", "replayed by kim at 2026-11-24T12:00:00")]
    assert replay(found(LETTER), FakeProducer(), writer(), max_retries=5, rate_per_s=1000).sent == 1


def test_what_kafka_refused_is_not_noted() -> None:
    """It stays open, to be sent by the next run."""
    producer = FakeProducer(error="too large")
    replay(found(LETTER), producer, writer(), max_retries=5, rate_per_s=1000)
    assert noted(producer) == []


def test_interrupted_replay_notes_what_it_has_sent() -> None:
    """Ctrl-C between two letters: the first one is not sent again."""

    def letters_then_interrupt() -> Iterator[FoundLetter]:
        yield from found(LETTER)
        raise KeyboardInterrupt

    producer = FakeProducer()
    with pytest.raises(KeyboardInterrupt):
        replay(letters_then_interrupt(), producer, writer(), max_retries=5, rate_per_s=1000)
    assert [action.dead_letter_id for action in noted(producer)] == ["d-1"]


def test_discarded_letters_are_settled_and_not_sent() -> None:
    """Noted, not sent, and left out by whatever comes later."""
    producer = FakeProducer()
    result = discard(found(LETTER), producer, writer(), log_of())
    (action,) = noted(producer)
    assert (result.sent, action.action, sent_back(producer)) == (1, DISCARDED, [])
    actions = log_of(action)
    assert refusal(LETTER, 5, actions) == "discarded by kim at 2026-11-24T12:00:00"
    assert discard(found(LETTER), producer, writer(), actions).skipped == [
        ("d-1", "discarded by kim at 2026-11-24T12:00:00")
    ]


def test_states_of_letters() -> None:
    """The latest action counts."""
    producer = FakeProducer()
    discard(found(LETTER), producer, writer(), log_of())
    replay(found(LETTER), producer, writer(), max_retries=5, rate_per_s=1000)
    actions = log_of(*noted(producer))
    assert (actions.state("d-1"), actions.state("d-2")) == (REPLAYED, OPEN)


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (LetterFilter(), True),
        (LetterFilter(topic="alpr.plates.detected", agent="route", error_type="SCHEMA_VALIDATION"), True),
        (LetterFilter(topic="alpr.metrics"), False),
        (LetterFilter(agent="correlate"), False),
        (LetterFilter(error_type="TIMEOUT"), False),
        (LetterFilter(since=NOW), True),
        (LetterFilter(since=NOW + 1), False),
        (LetterFilter(until=NOW), False),
    ],
)
def test_filter_of_the_audit_trail(wanted: LetterFilter, matches: bool) -> None:
    """Of such letters, done in the time."""
    producer = FakeProducer()
    discard(found(LETTER), producer, writer(), log_of())
    assert wanted.matches_action(noted(producer)[0]) is matches


def test_limit_of_tries_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poison stops going round after as many tries as the site allows."""
    monkeypatch.setenv("ALPR_DLQ_MAX_RETRIES", "1")
    assert refusal(LETTER, DeadLetterSettings().max_retries) == "replayed 1 times already (--max-retries)"
