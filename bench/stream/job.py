"""The job that every engine does: decode a read, fold its plate, drop repeats of a pass, encode an event.

A read is an event unless the same camera read the same folded plate at most `GAP_MS` before (the newest such read
counts, event or not). All Python engines call these functions, so what differs is the engine; `kafka_streams/` says the
same in Java, with the generic reader and writer of Avro's Java library.

Bytes are read and written as everywhere in this project: by functions compiled from the schemas
(docs/decisions/direct-codec.md). fastavro would take half of the CPU time that the run transport takes with everything
else, and so hide what is compared. Only modules that need no more than fastavro are imported, since Quix Streams runs
in an environment of its own.
"""

from dataclasses import dataclass
from struct import pack
from typing import Any

from fastavro import parse_schema

from schemas.builders import builder
from schemas.direct_reading import ReadingSource
from schemas.direct_writing import WritingSource

PARTITIONS = 8
GAP_MS = 10_000
READ_SCHEMA_ID, EVENT_SCHEMA_ID = 1, 2


@dataclass(frozen=True, slots=True)
class Read:
    """A plate that a camera read."""

    event_id: str
    captured_at: int
    camera_id: str
    track_id: int
    plate: str
    confidence: float
    region: str | None
    image_key: str


@dataclass(frozen=True, slots=True)
class Event:
    """The first read of a pass."""

    event_id: str
    captured_at: int
    camera_id: str
    plate: str
    match_key: str
    confidence: float
    region: str | None
    image_key: str


_TEXT = "string"
_SHARED = [
    {"name": "confidence", "type": "float"},
    {"name": "region", "type": ["null", _TEXT], "default": None},
    {"name": "image_key", "type": _TEXT},
]
_FIRST = [
    {"name": "event_id", "type": _TEXT},
    {"name": "captured_at", "type": "long"},
    {"name": "camera_id", "type": _TEXT},
]
READ = parse_schema(
    {
        "type": "record",
        "name": "PlateRead",
        "fields": [*_FIRST, {"name": "track_id", "type": "long"}, {"name": "plate", "type": _TEXT}, *_SHARED],
    }
)
EVENT = parse_schema(
    {
        "type": "record",
        "name": "PlateEvent",
        "fields": [*_FIRST, {"name": "plate", "type": _TEXT}, {"name": "match_key", "type": _TEXT}, *_SHARED],
    }
)
# Confluent wire format: magic byte 0, schema id, Avro body
_HEADER_BYTES = 5
_READ_HEADER = pack(">bI", 0, READ_SCHEMA_ID)
_EVENT_HEADER = pack(">bI", 0, EVENT_SCHEMA_ID)
_FOLDED = str.maketrans({"O": "0", "I": "1", "B": "8", "S": "5", "Z": "2", " ": None, "-": None})


def _reader(schema: Any, cls: type) -> Any:
    source = ReadingSource()
    source.read(schema, cls, "record", 1)
    source.line(1, "if p != len(b): raise Unusual('bytes left over or missing')")
    source.line(1, "return record")
    return source.function("read", "b, p")


def _writer(schema: Any, cls: type) -> Any:
    source = WritingSource()
    source.line(1, "out = bytearray(front)")
    source.write(schema, cls, "record", 1)
    source.line(1, "return bytes(out)")
    return source.function("write", "front, record")


_new_event = builder(Event)
_read_read, _write_read = _reader(READ, Read), _writer(READ, Read)
_read_event, _write_event = _reader(EVENT, Event), _writer(EVENT, Event)


def decode_read(value: bytes) -> Read:
    """A read from its wire form."""
    read: Read = _read_read(value, _HEADER_BYTES)
    return read


def encode_read(read: Read) -> bytes:
    """A read in its wire form."""
    value: bytes = _write_read(_READ_HEADER, read)
    return value


def decode_event(value: bytes) -> Event:
    """An event from its wire form."""
    event: Event = _read_event(value, _HEADER_BYTES)
    return event


def encode_event(event: Event) -> bytes:
    """An event in its wire form."""
    value: bytes = _write_event(_EVENT_HEADER, event)
    return value


def fold(plate: str) -> str:
    """The match key: upper case, without separators, look-alikes as one."""
    return plate.strip().upper().translate(_FOLDED)


def is_new(last_ms: int | None, read_ms: int) -> bool:
    """Whether a read begins a pass, by the time of the last read of its key."""
    return last_ms is None or read_ms - last_ms > GAP_MS


def event_of(read: Read, match_key: str) -> Event:
    """The event that a read becomes."""
    return _new_event(
        read.event_id, read.captured_at, read.camera_id, read.plate, match_key,
        read.confidence, read.region, read.image_key,
    )  # fmt: skip
