"""Which headers of a record go on with what comes of it."""

from collections.abc import Sequence

TRACE_HEADERS = frozenset({"traceparent", "tracestate", "baggage"})
"""W3C Trace Context and W3C Baggage, as OpenTelemetry's propagators write them to Kafka."""

Headers = Sequence[tuple[str, bytes | None]]


def trace_headers(headers: Headers) -> Headers:
    """The headers that tie a record to its trace."""
    if not headers:
        return ()
    return tuple(header for header in headers if header[0].lower() in TRACE_HEADERS)
