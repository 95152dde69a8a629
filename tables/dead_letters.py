"""What the dead_letter role remembers: how many letters there are of each kind, and where the latest ones stand."""

from dataclasses import dataclass

from schemas.clock import Micros
from schemas.events import DeadLetter


@dataclass(frozen=True, slots=True)
class LetterCount:
    """Dead letters of one topic, agent and error type, in one partition of ``alpr.dlq``.

    Attributes:
        count: letters so far.
        first_failed_at: of the first one.
        last_failed_at: of the latest one.
        offset: in ``alpr.dlq``, of the last letter that was counted: a letter is counted once, whatever is read again.
        recorded_at_ms: Kafka timestamp of it. A letter at an old offset with a newer time belongs to a topic made anew.
    """

    count: int
    first_failed_at: Micros
    last_failed_at: Micros
    offset: int
    recorded_at_ms: int


@dataclass(frozen=True, slots=True)
class LetterEntry:
    """Where a dead letter stands, and what it is about; without its bytes.

    Attributes:
        dead_letter_id: of the letter.
        topic, partition, offset: where the record stood that could not be handled.
        agent: who could not handle it.
        error_type: one of `schemas.errors.ErrorType`.
        message: what was wrong.
        retry_count: how often the record has been replayed.
        failed_at: wall clock of the failure.
        size_bytes: of the record's value.
        dlq_offset: offset of the letter in its partition of ``alpr.dlq``.
    """

    dead_letter_id: str
    topic: str
    partition: int
    offset: int
    agent: str
    error_type: str
    message: str
    retry_count: int
    failed_at: Micros
    size_bytes: int
    dlq_offset: int

    @classmethod
    def of(cls, letter: DeadLetter, dlq_offset: int) -> "LetterEntry":
        """The entry of a letter."""
        return cls(
            dead_letter_id=letter.dead_letter_id,
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            agent=letter.agent,
            error_type=letter.error_type,
            message=letter.message,
            retry_count=letter.retry_count,
            failed_at=letter.failed_at,
            size_bytes=len(letter.value or b""),
            dlq_offset=dlq_offset,
        )


def kind_of(letter: DeadLetter) -> str:
    """Key of the counts: topic, agent and error type."""
    return "\x1f".join((letter.topic, letter.agent, letter.error_type))
