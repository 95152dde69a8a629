"""Reading ``alpr.dlq``: which letters are asked for, and how they come out of the topic."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from cli.errors import CommandError
from cli.kafka_clients import TIMEOUT_S
from schemas.clock import MICROS_PER_MS, MICROS_PER_S, Micros, parse_time
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import DeadLetter
from schemas.topics import DLQ

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SPAN_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
FIRST_POSITION = -2
"""librdkafka's OFFSET_BEGINNING."""


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
    try:
        behind = _assign(reader, wanted.since)
        seen: set[str] = set()
        while behind:
            message = reader.poll(TIMEOUT_S)
            if message is None:
                raise CommandError(f"{DLQ.name}: no record within {TIMEOUT_S:g} s; still to read: {sorted(behind)}")
            if message.error() is not None:
                raise KafkaException(message.error())
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            if partition not in behind:
                continue
            if offset >= behind[partition] - 1:
                del behind[partition]
            try:
                letter: DeadLetter = codec.decode(DLQ, message.value())
            except SchemaError as error:
                if skipped is not None:
                    skipped.append(f"{DLQ.name}[{partition}] offset {offset} is no dead letter: {error}")
                continue
            if letter.dead_letter_id not in seen and wanted.matches(letter):
                seen.add(letter.dead_letter_id)
                yield FoundLetter(letter, partition, offset)
    finally:
        reader.close()


def _assign(reader: Consumer, since: Micros | None) -> dict[int, int]:
    """Start reading; gives the end of each partition that has something to read."""
    topic = reader.list_topics(DLQ.name, timeout=TIMEOUT_S).topics[DLQ.name]
    if topic.error is not None or not topic.partitions:
        raise CommandError(f"there is no topic {DLQ.name}; `alpr topics apply` creates it")
    places = [TopicPartition(DLQ.name, number, FIRST_POSITION) for number in topic.partitions]
    if since is not None:
        asked = [TopicPartition(DLQ.name, place.partition, since // MICROS_PER_MS) for place in places]
        places = reader.offsets_for_times(asked, timeout=TIMEOUT_S)
    behind = {}
    starts = []
    for place in places:
        low, high = reader.get_watermark_offsets(place, timeout=TIMEOUT_S)
        start = low if place.offset == FIRST_POSITION else place.offset
        if 0 <= start < high:  # offsets_for_times gives -1 where there is nothing that new
            behind[place.partition] = high
            starts.append(TopicPartition(DLQ.name, place.partition, start))
    reader.assign(starts)
    return behind
