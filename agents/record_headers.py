"""Headers of records between the agents: what goes on with a record, and where its input stood."""

from collections.abc import Sequence
from typing import Protocol

from schemas.clock import MICROS_PER_MS, Micros
from tables.passes import SourcePosition

TRACE_HEADERS = frozenset({"traceparent", "tracestate", "baggage"})
"""W3C Trace Context and W3C Baggage, as OpenTelemetry's propagators write them to Kafka."""
SOURCE_HEADER = "alpr-source"
"""``partition/offset/timestamp in ms`` of the raw record that a routed one was made of. A router that is killed sends
the records since its last commit once more; at its new place in the log, only this tells that one from the first."""
LATENESS_HEADER = "alpr-lateness-ms"
"""How late reads of the camera may come, where the camera registry says; so that a replay knows what held then."""
MAX_SOURCE_BYTES = 64
MAX_DIGITS = 12

Headers = Sequence[tuple[str, bytes | None]]


class Placed(Protocol):
    """Where a record stands."""

    @property
    def partition(self) -> int:
        """Partition."""

    @property
    def offset(self) -> int:
        """Offset in it."""

    @property
    def timestamp(self) -> int:
        """Kafka's timestamp, milliseconds."""


def trace_headers(headers: Headers) -> Headers:
    """The headers that tie a record to its trace."""
    if not headers or (len(headers) == 1 and headers[0][0] == SOURCE_HEADER):
        return ()
    return tuple(header for header in headers if header[0].lower() in TRACE_HEADERS)


def source_header(record: Placed) -> tuple[str, bytes]:
    """The header that says where a record's input stood."""
    return SOURCE_HEADER, b"%d/%d/%d" % (record.partition, record.offset, record.timestamp)


def source_of(headers: Headers) -> SourcePosition | None:
    """Where a record's input stood; None where it does not say, or nothing that can be."""
    for name, value in headers:
        if name == SOURCE_HEADER and value is not None and len(value) <= MAX_SOURCE_BYTES:
            place = value.split(b"/")
            if len(place) == 3:
                partition, offset, timestamp = place
                if partition.isdigit() and offset.isdigit() and timestamp.isdigit():  # of bytes: ASCII digits alone
                    return SourcePosition(int(partition), int(offset), int(timestamp))
    return None


def lateness_header(lateness_s: float) -> tuple[str, bytes]:
    """The header that says how late a camera's reads may come."""
    return LATENESS_HEADER, b"%d" % round(lateness_s * 1000)


def lateness_of(headers: Headers) -> Micros | None:
    """How late the camera's reads may come, microseconds; None where the registry did not say."""
    for name, value in headers:
        if name == LATENESS_HEADER and value is not None and value.isdigit() and len(value) < MAX_DIGITS:
            return int(value) * MICROS_PER_MS
    return None
