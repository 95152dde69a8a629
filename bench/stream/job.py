"""The job that every engine does: decode a read, fold its plate, drop repeats of a pass, encode an event.

A read is an event unless the same camera read the same folded plate at most `GAP_MS` before (the newest such read
counts, event or not). All Python engines call these functions, so what differs is the engine. Nothing of the project is
imported here, since Quix Streams runs in an environment of its own; `kafka_streams/` says the same in Java.
"""

from io import BytesIO
from struct import pack
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer

PARTITIONS = 8
GAP_MS = 10_000
READ_SCHEMA_ID, EVENT_SCHEMA_ID = 1, 2
Fields = dict[str, Any]

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


def decode_read(value: bytes) -> Fields:
    """A read from its wire form."""
    return _decode(value, READ)


def encode_read(read: Fields) -> bytes:
    """A read in its wire form."""
    return _encode(_READ_HEADER, READ, read)


def decode_event(value: bytes) -> Fields:
    """An event from its wire form."""
    return _decode(value, EVENT)


def encode_event(event: Fields) -> bytes:
    """An event in its wire form."""
    return _encode(_EVENT_HEADER, EVENT, event)


def fold(plate: str) -> str:
    """The match key: upper case, without separators, look-alikes as one."""
    return plate.strip().upper().translate(_FOLDED)


def is_new(last_ms: int | None, read_ms: int) -> bool:
    """Whether a read begins a pass, by the time of the last read of its key."""
    return last_ms is None or read_ms - last_ms > GAP_MS


def event_of(read: Fields, match_key: str) -> Fields:
    """The event that a read becomes."""
    return {
        "event_id": read["event_id"],
        "captured_at": read["captured_at"],
        "camera_id": read["camera_id"],
        "plate": read["plate"],
        "match_key": match_key,
        "confidence": read["confidence"],
        "region": read["region"],
        "image_key": read["image_key"],
    }


def _decode(value: bytes, schema: Any) -> Fields:
    body = BytesIO(value)
    body.seek(_HEADER_BYTES)
    fields: Any = schemaless_reader(body, schema, None)
    return fields  # type: ignore[no-any-return]  # both schemas are records


def _encode(header: bytes, schema: Any, fields: Fields) -> bytes:
    body = BytesIO()
    body.write(header)
    schemaless_writer(body, schema, fields)
    return body.getvalue()
