"""Which OpenSearch errors pass, which are the document's own fault, and how long the cluster asks to be left alone."""

from collections.abc import Collection, Mapping
from typing import Any

from opensearchpy import AIOHttpConnection
from opensearchpy.exceptions import OpenSearchException, TransportError

from agents.sinks.retry_after import seconds
from schemas.errors import SinkRejected, SinkUnavailable

_REFUSALS = frozenset(
    {
        "mapper_parsing_exception",
        "document_parsing_exception",
        "parsing_exception",
        "parse_exception",
        "x_content_parse_exception",
        "json_parse_exception",
        "strict_dynamic_mapping_exception",
        "max_bytes_length_exceeded_exception",
        "illegal_argument_exception",  # an immense term, an id of more than 512 bytes
        "action_request_validation_exception",
    }
)
"""Item error types that are about the document. Others with status 400 are not: ``validation_exception`` also says that
the cluster has its most shards, and waiting for an operator loses nothing."""
_CONFLICT, _TOO_LARGE = 409, 413
_THROTTLES = frozenset({429, 503})


class Throttled(TransportError):
    """The cluster, or a proxy before it, asks for a pause.

    Attributes:
        retry_after_s: as its Retry-After header says; None without one.
    """

    def __init__(self, status: int, text: str, retry_after_s: float | None) -> None:
        super().__init__(status, text, {})
        self.retry_after_s = retry_after_s


class PoliteConnection(AIOHttpConnection):
    """opensearch-py's connection, which would throw the Retry-After header away."""

    async def perform_request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the parent's signature
        ignore: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """As its parent.

        Raises:
            Throttled: status 429 or 503.
        """
        status, response_headers, text = await super().perform_request(
            method, url, params, body, timeout, {*ignore, *_THROTTLES}, headers
        )
        if status in _THROTTLES and status not in ignore:
            raise Throttled(status, text[:500], seconds(response_headers.get("retry-after")))
        return status, response_headers, text


def translate(error: OpenSearchException) -> SinkUnavailable:
    """The error of a whole request: the cluster is away, overloaded, read-only or not as it should be."""
    pause_s = error.retry_after_s if isinstance(error, Throttled) else None
    return SinkUnavailable(f"OpenSearch: {_text(error)}", pause_s)


def is_too_large(error: OpenSearchException) -> bool:
    """Whether the request has more bytes than the cluster takes."""
    return isinstance(error, TransportError) and error.status_code == _TOO_LARGE


def judge(item: Mapping[str, Any]) -> SinkRejected | SinkUnavailable | None:
    """What became of one document of a bulk request.

    Returns:
        None: written, or a version conflict: an equal or higher revision is there already.
    """
    status = int(item["status"])
    error = item.get("error")
    if error is None or status == _CONFLICT:
        return None
    kind = error.get("type", "error")
    text = f"OpenSearch {status} {kind}: {_reasons(error)}"
    if status < 500 and kind in _REFUSALS:
        return SinkRejected(text[:1000])
    return SinkUnavailable(text[:1000])


def _text(error: OpenSearchException) -> str:
    if isinstance(error, TransportError):
        status = error.status_code if isinstance(error.status_code, int) else "connection"
        info = error.info.get("error") if isinstance(error.info, Mapping) else None
        details = _reasons(info) if isinstance(info, Mapping) else ""
        return f"{status} {error.error or ''} {details}".strip()[:1000]
    return str(error)[:1000]


def _reasons(error: Mapping[str, Any] | None) -> str:
    """The reason and those below it, the innermost of which says what was wrong."""
    reasons: list[str] = []
    while error:
        reason = error.get("reason")
        if reason and reason not in reasons:
            reasons.append(str(reason))
        error = error.get("caused_by")
    return "; ".join(reasons)
