"""What a raw record holds: detections or a measurement, in Avro or JSON, of our producers or foreign ones."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from schemas.clock import MICROS_PER_MS
from schemas.codec import EventCodec
from schemas.deepstream import is_deepstream, objects_of
from schemas.errors import AlprError, BusinessRuleError, SchemaError
from schemas.events import Detection, Metric
from schemas.json_form import detection_from_json, looks_like_json
from schemas.keys import foreign_detection_id
from schemas.metric_form import is_metric, metric_from_json
from schemas.topics import DETECTED

ORIGIN_HEADER = "alpr-replay-of"
"""Header of a replayed record: ``topic/partition/offset`` where it first stood. Ids that come from the place in the log
come from there, so that a record that is replayed twice is one event."""


class RawRecord(Protocol):
    """The part of a Kafka record that routing looks at."""

    @property
    def topic(self) -> str:
        """Topic it stands in."""

    @property
    def partition(self) -> int:
        """Partition it stands in."""

    @property
    def offset(self) -> int:
        """Offset in the partition."""

    @property
    def timestamp(self) -> int:
        """Kafka's timestamp, milliseconds since the epoch."""

    @property
    def value(self) -> bytes | None:
        """The bytes as they came."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Record headers."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that a record says.

    Attributes:
        event: what it says; None where this part of the record cannot be read.
        lane: its place in the record, from 0.
        error: why it cannot be read.
        value: the Avro bytes that say just this.
    """

    event: Detection | Metric | None
    lane: int = 0
    error: AlprError | None = None
    value: bytes | None = None


def read(record: RawRecord, codec: EventCodec, max_bytes: int) -> tuple[tuple[Reading, ...], int]:
    """Decode a record; the first byte tells JSON from Confluent Avro, the fields tell the forms of JSON apart.

    Returns:
        What it says, and how many objects it has that are none of ours (people, road signs).

    Raises:
        SchemaError: nothing of it can be read.
        BusinessRuleError: larger than any detection.
        RegistryUnavailable: the schema id is not known yet and the registry does not answer; try again.
    """
    value = record.value
    if not value:
        raise SchemaError("the value is empty")
    if len(value) > max_bytes:
        raise BusinessRuleError(f"the record has {len(value)} bytes; a detection has at most {max_bytes}")
    if looks_like_json(value):
        return _read_json(record, value)
    detection: Detection = codec.decode(DETECTED, value)
    if not detection.event_id.strip():
        return (Reading(replace(detection, event_id=foreign_id(record))),), 0
    return (Reading(detection, value=value),), 0


def foreign_id(record: RawRecord) -> str:
    """Id of a detection whose producer gave none, from where its record stood first."""
    for name, value in record.headers:
        if name == ORIGIN_HEADER and value is not None:
            topic, _, place = value.decode(errors="replace").partition("/")
            partition, _, offset = place.partition("/")
            if partition.isdecimal() and offset.isdecimal() and len(place) < 40:
                return foreign_detection_id(topic, int(partition), int(offset))
    return foreign_detection_id(record.topic, record.partition, record.offset)


def _read_json(record: RawRecord, value: bytes) -> tuple[tuple[Reading, ...], int]:
    body = _parse(value)
    if is_deepstream(body):
        objects = objects_of(body)
        ours = [found for found in objects if found.detection is not None or found.error is not None]
        readings = tuple(Reading(found.detection, found.place, found.error) for found in ours)
        return readings, len(objects) - len(ours)
    if is_metric(body):
        return (Reading(metric_from_json(body, record.timestamp * MICROS_PER_MS)),), 0
    detection = detection_from_json(body, default_event_id=foreign_id(record))
    if not detection.event_id.strip():
        detection = replace(detection, event_id=foreign_id(record))
    return (Reading(detection),), 0


def _parse(value: bytes) -> dict[str, Any]:
    try:
        body = json.loads(value)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise SchemaError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise SchemaError(f"JSON must be an object, not {type(body).__name__}")
    return body
