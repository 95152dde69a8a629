"""Reading ``alpr.dlq``: which letters are asked for, and how they come out of the topic."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer

from cli.topic_reading import place_of, records
from schemas.clock import MICROS_PER_S, Micros, parse_time
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import DeadLetter, DeadLetterAction
from schemas.topics import DLQ

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SPAN_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters are asked for; None asks for all.

    Attributes:
        topic: where the record stood.
        agent: who could not handle it.
        error_type: see `schemas.errors.ErrorType`.
        since: failed at this time or later.
        until: failed before this time.
        ids: one of these letters; an id may be cut short.
    """

    topic: str | None = None
    agent: str | None = None
    error_type: str | None = None
    since: Micros | None = None
    until: Micros | None = None
    ids: tuple[str, ...] = ()

    def matches(self, letter: DeadLetter) -> bool:
        """Whether the letter is asked for."""
        return (
            (self.topic is None or letter.topic == self.topic)
            and (self.agent is None or letter.agent == self.agent)
            and (self.error_type is None or letter.error_type == self.error_type)
            and (self.since is None or letter.failed_at >= self.since)
            and (self.until is None or letter.failed_at < self.until)
            and (not self.ids or any(letter.dead_letter_id.startswith(one) for one in self.ids))
        )

    def matches_action(self, action: DeadLetterAction) -> bool:
        """Whether an action is asked for: of such a letter, and done in the time."""
        return (
            (self.topic is None or action.topic == self.topic)
            and (self.agent is None or action.agent == self.agent)
            and (self.error_type is None or action.error_type == self.error_type)
            and (self.since is None or action.acted_at >= self.since)
            and (self.until is None or action.acted_at < self.until)
        )


@dataclass(frozen=True, slots=True)
class FoundLetter:
    """A letter and where it stands in ``alpr.dlq``."""

    letter: DeadLetter
    partition: int
    offset: int


def moment(text: str, now: Micros) -> Micros:
    """A time as people write it: ``15m``, ``2h``, ``3d`` ago, ISO 8601 or a Unix time.

    Raises:
        ValueError: it is none of these.
    """
    span = _SPAN.fullmatch(text.strip())
    if span is not None:
        return now - round(float(span[1]) * _SPAN_S[span[2]] * MICROS_PER_S)
    return parse_time(text)


def letters(
    reader: Consumer, codec: EventCodec, wanted: LetterFilter, skipped: list[str] | None = None
) -> Iterator[FoundLetter]:
    """The letters that are on the topic now, in the order of each partition; one that was written twice comes once.

    Args:
        reader: a consumer of its own; it is closed at the end.
        codec: for the letters.
        wanted: which of them.
        skipped: takes a line for each record that is no letter.

    Raises:
        CommandError: the topic does not exist.
        KafkaException: no answer.
        RegistryUnavailable: no answer of the registry.
    """
    seen: set[str] = set()
    for message in records(reader, DLQ, wanted.since):
        partition, offset = place_of(message)
        try:
            letter: DeadLetter = codec.decode(DLQ, message.value())
        except SchemaError as error:
            if skipped is not None:
                skipped.append(f"{DLQ.name}[{partition}] offset {offset} is no dead letter: {error}")
            continue
        if letter.dead_letter_id not in seen and wanted.matches(letter):
            seen.add(letter.dead_letter_id)
            yield FoundLetter(letter, partition, offset)
