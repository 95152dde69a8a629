"""Reading a topic from its beginning, or from a time, to the end that it has now."""

from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from cli.errors import CommandError
from cli.kafka_clients import TIMEOUT_S
from schemas.clock import MICROS_PER_MS, Micros
from schemas.kafka_refusal import RIGHTS
from schemas.topics import Topic

FIRST_POSITION = -2
"""librdkafka's OFFSET_BEGINNING."""


def records(reader: Consumer, topic: Topic, since: Micros | None = None) -> Iterator[Message]:
    """The records that are on a topic now, in the order of each partition.

    Args:
        reader: a consumer of its own that tells ends; it is closed at the end. Ends must be told: where compaction has
            removed the last records, no record comes at the last offset.
        topic: of the catalogue.
        since: leave out what was written before.

    Raises:
        CommandError: the topic does not exist, or its end does not come.
        KafkaException: no answer.
    """
    try:
        behind = _assign(reader, topic, since)
        while behind:
            message = reader.poll(TIMEOUT_S)
            if message is None:
                raise CommandError(f"{topic.name}: no record within {TIMEOUT_S:g} s; still to read: {sorted(behind)}")
            error, partition = message.error(), message.partition()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                behind.pop(partition if partition is not None else -1, None)
                continue
            partition, offset = place_of(message)
            if partition not in behind:
                continue
            if offset >= behind[partition] - 1:
                del behind[partition]
            yield message
    finally:
        reader.close()


def place_of(message: Message) -> tuple[int, int]:
    """Partition and offset of a record that came from Kafka."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return partition, offset


def _assign(reader: Consumer, topic: Topic, since: Micros | None) -> dict[int, int]:
    """Start reading; gives the end of each partition that has something to read."""
    found = reader.list_topics(topic.name, timeout=TIMEOUT_S).topics[topic.name]
    if found.error is not None and found.error.name() in RIGHTS:
        raise KafkaException(found.error)
    if found.error is not None or not found.partitions:
        raise CommandError(f"there is no topic {topic.name}; `alpr topics apply` creates it")
    places = [TopicPartition(topic.name, number, FIRST_POSITION) for number in found.partitions]
    if since is not None:
        asked = [TopicPartition(topic.name, place.partition, since // MICROS_PER_MS) for place in places]
        places = reader.offsets_for_times(asked, timeout=TIMEOUT_S)
    behind = {}
    starts = []
    for place in places:
        low, high = reader.get_watermark_offsets(place, timeout=TIMEOUT_S)
        start = low if place.offset == FIRST_POSITION else place.offset
        if 0 <= start < high:  # offsets_for_times gives -1 where there is nothing that new
            behind[place.partition] = high
            starts.append(TopicPartition(topic.name, place.partition, start))
    reader.assign(starts)
    return behind
