"""Telling apart the records of one topic without decoding them: what is no event of the topic says so in a header.

Clocks stand among detections and ticks among sightings because their place in the log is their meaning. Each has an
Avro schema of its own under ``<topic>-<record name>`` (Confluent's TopicRecordNameStrategy), so a consumer that goes by
schema id understands them too.
"""

from collections.abc import Mapping, Sequence
from functools import cache

KIND_HEADER = "alpr-record"
"""The first header of a record that is no event of its topic; the value is the Avro name of what it is."""

Headers = Sequence[tuple[str, bytes | None]]
AnyHeaders = Headers | Sequence[tuple[str, str | bytes | None]] | Mapping[str, str | bytes | None]
"""As Kafka's clients give them; librdkafka's are typed for what may be sent too."""


@cache
def kind_header(cls: type) -> tuple[str, bytes]:
    """The header for records of a class: ``alpr.Tick``."""
    return KIND_HEADER, b"alpr." + cls.__name__.encode()


def is_event(headers: AnyHeaders | None) -> bool:
    """Whether a record is an event of its topic: it has no kind of its own."""
    return not headers or next(iter(headers))[0] != KIND_HEADER


def is_of(cls: type, headers: Headers | None) -> bool:
    """Whether a record is one of this class, by its header."""
    return bool(headers) and headers[0] == kind_header(cls)  # type: ignore[index]  # not empty
