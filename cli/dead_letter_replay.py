"""Settling dead letters: sending them back to where they came from, or discarding them, and noting who did it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, Protocol

from agents.decisions.raw_records import ORIGIN_HEADER
from cli.dead_letter_actions import DISCARDED, REPLAYED, ActionLog, ActionWriter
from cli.dead_letter_log import FoundLetter
from schemas.events import DeadLetter
from streams.guard import RETRY_HEADER

FLUSH_S = 30.0
Headers = list[tuple[str, str | bytes | None]]


class RecordProducer(Protocol):
    """The part of confluent-kafka's producer that settling needs."""

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

    def poll(self, timeout: float) -> int:
        """Run delivery callbacks."""

    def flush(self, timeout: float) -> int:
        """Wait for deliveries; gives how many are still out."""


@dataclass(slots=True)
class ReplayResult:
    """What became of the letters.

    Attributes:
        sent: records that Kafka has acknowledged; of a discard: letters that were discarded.
        skipped: letter id and why it was left out.
        failed: letter id and the error of its delivery.
    """

    sent: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def refusal(letter: DeadLetter, max_retries: int, actions: ActionLog | None = None) -> str | None:
    """Why a letter cannot be replayed; None if it can.

    Args:
        letter: in question.
        max_retries: a record that was replayed this often is poison: it stays where it is.
        actions: what was done so far; a letter that is settled is not sent again.
    """
    settled = actions.why_settled(letter.dead_letter_id) if actions is not None else None
    if settled is not None:
        return settled
    if letter.value is None:
        return "its bytes were not kept"
    if letter.retry_count >= max_retries:
        return f"replayed {letter.retry_count} times already (--max-retries)"
    return None


def replay_headers(letter: DeadLetter) -> Headers:
    """Headers of the replayed record: the original ones, the new count, and where it first stood."""
    headers: Headers = [(header.key, header.value) for header in letter.headers if header.key != RETRY_HEADER]
    headers.append((RETRY_HEADER, str(letter.retry_count + 1).encode()))
    if not any(name == ORIGIN_HEADER for name, _ in headers):
        headers.append((ORIGIN_HEADER, f"{letter.topic}/{letter.partition}/{letter.offset}".encode()))
    return headers


def replay(
    found: Iterable[FoundLetter],
    producer: RecordProducer,
    writer: ActionWriter,
    *,
    max_retries: int,
    rate_per_s: float,
    actions: ActionLog | None = None,
    pause: Callable[[float], None] = sleep,
    now: Callable[[], float] = monotonic,
) -> ReplayResult:
    """Send letters to their original topic and partition, in their order, no faster than the rate.

    A letter is noted as replayed as soon as Kafka has acknowledged its record. Between the two lies a moment: a command
    that is killed in it leaves records that were sent and not noted, and the next run sends these again. Ids of events
    come from the record or its first place, so they are the same events.

    Args:
        found: letters.
        producer: of records.
        writer: of actions.
        max_retries: a letter that was replayed this often stays where it is.
        rate_per_s: records a second.
        actions: what was done so far; None: send letters again that are settled.
        pause: sleeps for seconds.
        now: seconds of a clock that only goes forward.
    """
    settling = _Settling(producer, writer, REPLAYED)
    next_at = now()
    try:
        for one in found:
            letter = one.letter
            reason = refusal(letter, max_retries, actions)
            if reason is not None:
                settling.result.skipped.append((letter.dead_letter_id, reason))
                continue
            wait_s = next_at - now()
            if wait_s > 0:
                pause(wait_s)
            next_at = max(next_at, now()) + 1 / rate_per_s
            settling.send(letter)
    finally:  # also when somebody interrupts: what was sent has to be noted
        settling.finish()
    return settling.result


def discard(
    found: Iterable[FoundLetter], producer: RecordProducer, writer: ActionWriter, actions: ActionLog
) -> ReplayResult:
    """Note letters as discarded; they stay on the topic until their time is over.

    Args:
        found: letters.
        producer: of records.
        writer: of actions.
        actions: what was done so far; settled letters are left out.
    """
    settling = _Settling(producer, writer, DISCARDED)
    try:
        for one in found:
            settled = actions.why_settled(one.letter.dead_letter_id)
            if settled is not None:
                settling.result.skipped.append((one.letter.dead_letter_id, settled))
            else:
                settling.note(one.letter)
    finally:
        settling.finish()
    return settling.result


class _Settling:
    """Sends records, and notes each letter once its record is acknowledged."""

    def __init__(self, producer: RecordProducer, writer: ActionWriter, action: str) -> None:
        self.result = ReplayResult()
        self._producer = producer
        self._writer = writer
        self._action = action
        self._acknowledged: list[DeadLetter] = []

    def send(self, letter: DeadLetter) -> None:
        """Send a letter's record back."""

        def delivered(error: Any, _message: Any) -> None:
            if error is None:
                self._acknowledged.append(letter)
            else:
                self.result.failed.append((letter.dead_letter_id, str(error)))

        record = {
            "topic": letter.topic, "value": letter.value, "key": letter.key, "partition": letter.partition,
            "headers": replay_headers(letter),
        }  # fmt: skip
        self._produce(record, delivered)
        self._producer.poll(0)
        self._note_acknowledged()

    def note(self, letter: DeadLetter) -> None:
        """Note what was done with a letter."""

        def delivered(error: Any, _message: Any) -> None:
            if error is None:
                self.result.sent += 1
            else:
                self.result.failed.append((letter.dead_letter_id, f"{self._action}, but not noted: {error}"))

        self._produce(self._writer.record(letter, self._action), delivered)
        self._producer.poll(0)

    def finish(self) -> None:
        """Wait for the records, note them, and wait for the notes."""
        left = self._producer.flush(FLUSH_S)
        self._note_acknowledged()
        left += self._producer.flush(FLUSH_S)
        if left:
            self.result.failed.append(("-", f"{left} records were not acknowledged within {FLUSH_S:g} s"))

    def _note_acknowledged(self) -> None:
        while self._acknowledged:
            self.note(self._acknowledged.pop(0))

    def _produce(self, record: dict[str, Any], on_delivery: Callable[[Any, Any], None]) -> None:
        while True:
            try:
                self._producer.produce(**record, on_delivery=on_delivery)
            except BufferError:  # the client's queue is full: wait for deliveries
                self._producer.poll(0.5)
            else:
                return
