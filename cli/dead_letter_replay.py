"""Sending dead letters back to where they came from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, Protocol

from agents.decisions.raw_records import ORIGIN_HEADER
from cli.dead_letter_log import FoundLetter
from schemas.events import DeadLetter
from streams.guard import RETRY_HEADER

FLUSH_S = 30.0
Headers = list[tuple[str, str | bytes | None]]


class RecordProducer(Protocol):
    """The part of confluent-kafka's producer that replay needs."""

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
        sent: records that Kafka has acknowledged.
        skipped: letter id and why it was left out.
        failed: letter id and the error of its delivery.
    """

    sent: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def refusal(letter: DeadLetter, max_retries: int) -> str | None:
    """Why a letter cannot be replayed; None if it can."""
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
    *,
    max_retries: int,
    rate_per_s: float,
    pause: Callable[[float], None] = sleep,
    now: Callable[[], float] = monotonic,
) -> ReplayResult:
    """Send letters to their original topic and partition, in their order, no faster than the rate.

    Args:
        found: letters.
        producer: of records.
        max_retries: a letter that was replayed this often stays where it is.
        rate_per_s: records a second.
        pause: sleeps for seconds.
        now: seconds of a clock that only goes forward.
    """
    result = ReplayResult()
    next_at = now()
    for one in found:
        letter = one.letter
        reason = refusal(letter, max_retries)
        if reason is not None:
            result.skipped.append((letter.dead_letter_id, reason))
            continue
        wait_s = next_at - now()
        if wait_s > 0:
            pause(wait_s)
        next_at = max(next_at, now()) + 1 / rate_per_s
        _send(producer, letter, _note(result, letter.dead_letter_id))
        producer.poll(0)
    left = producer.flush(FLUSH_S)
    if left:
        result.failed.append(("-", f"{left} records were not acknowledged within {FLUSH_S:g} s"))
    return result


def _send(producer: RecordProducer, letter: DeadLetter, on_delivery: Callable[[Any, Any], None]) -> None:
    while True:
        try:
            producer.produce(
                letter.topic,
                value=letter.value,
                key=letter.key,
                partition=letter.partition,
                on_delivery=on_delivery,
                headers=replay_headers(letter),
            )
        except BufferError:  # the client's queue is full: wait for deliveries
            producer.poll(0.5)
        else:
            return


def _note(result: ReplayResult, letter_id: str) -> Callable[[Any, Any], None]:
    def delivered(error: Any, _message: Any) -> None:
        if error is None:
            result.sent += 1
        else:
            result.failed.append((letter_id, str(error)))

    return delivered
