"""Records between the stages of the correlations: which partition they go to, and what they are when they come back.

They are JSON and not Avro: nobody but the next stage of the same role reads them, they live for three days, and a
re-keyed event is laid out as it waits in the stage's table (`alert_rules.correlations.event`).
"""

import json
from collections.abc import Iterable, Iterator

from aiokafka.partitioner import murmur2  # type: ignore[import-untyped]  # it ships no types

from alert_rules.correlations.driver import Passed, Tick
from alert_rules.correlations.rekeyed import Rekeyed
from schemas.errors import SchemaError
from schemas.record_kinds import is_of, kind_header
from schemas.topics import REKEYED_GROUP, REKEYED_PAIR, SIGHTINGS, TICK_SOURCES, Topic
from streams.run import Output, Record

INPUTS: tuple[Topic, ...] = (SIGHTINGS, REKEYED_GROUP, REKEYED_PAIR)
"""What each stage reads."""


def sources_of(stage: int) -> int:
    """How many partitions speak for the time of a stage's input."""
    return TICK_SOURCES if stage == 0 else INPUTS[stage - 1].partitions


def partition_of(key: str, partitions: int) -> int:
    """Where a key lives: murmur2, as every producer of the platform has it."""
    hashed: int = murmur2(key.encode())
    return (hashed & 0x7FFFFFFF) % partitions


def rekeyed_output(topic: Topic, rekeyed: Rekeyed) -> Output:
    """An event on its way to the partition of its group."""
    partition = partition_of(rekeyed.group, topic.partitions)
    return Output(topic.name, rekeyed.group.encode(), rekeyed.encode(), partition)


def passed_outputs(topic: Topic, source: int, passed: Passed) -> Iterator[Output]:
    """The word of a partition, to every partition of the next stage.

    Args:
        topic: that the next stage reads.
        source: partition that speaks.
        passed: up to when it has decided.
    """
    value = json.dumps([source, passed.watermark_us]).encode()
    for partition in range(topic.partitions):
        yield Output(topic.name, None, value, partition, (kind_header(Passed),))


def read_record(record: Record) -> Rekeyed | Tick:
    """A record of a re-keyed topic.

    Raises:
        SchemaError: it is no such record, or lies under another key than its group's.
    """
    if record.value is None:
        raise SchemaError("a re-keyed record has no value")
    if is_of(Passed, record.headers):
        return _tick(record.value)
    rekeyed = Rekeyed.decode(record.value)
    if record.key != rekeyed.group.encode():
        raise SchemaError(f"the key {record.key!r:.80} is not the group")
    return rekeyed


def last_passed(found: Iterable[Passed]) -> Passed | None:
    """Of several words of one partition the last: it says what the others said."""
    return max(found, key=lambda passed: passed.watermark_us, default=None)


def _tick(value: bytes) -> Tick:
    try:
        source, watermark_us = json.loads(value)
        return Tick(str(int(source)), int(watermark_us))
    except (ValueError, TypeError) as error:
        raise SchemaError(f"no time of a stage: {error}") from error
