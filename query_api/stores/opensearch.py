"""The search index on OpenSearch: the alias that the OpenSearch sink keeps over its monthly indices."""

from datetime import datetime
from typing import Any

from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import OpenSearchException, TransportError

from query_api.errors import InvalidQuery
from query_api.plates import PlateQuery
from query_api.stores.highlights import highlights
from query_api.values import EventRow, Hit, TextQuery
from schemas.clock import parse_time, to_datetime
from schemas.errors import Unavailable
from schemas.identity import MAX_PLATE_CHARS, fold, normalise

ALIAS = "alpr-events"
_TIMES = ("captured_at", "first_seen_at", "last_seen_at")
_PLATES = ("plate_normalized_text", "resolved_text")
_NOT_MERGED = {"must_not": [{"exists": {"field": "merged_into"}}]}
_TEXT_FLAGS = "AND|OR|NOT|PHRASE|PREFIX|PRECEDENCE|ESCAPE|WHITESPACE"


class OpenSearchIndex:
    """`query_api.ports.SearchIndex` over the sink's monthly indices.

    Args:
        url: base URL of the server.
        timeout_s: longest wait for an answer, on both sides.
        retry_after_s: pause that clients are told when the server is away.
        login: user and password.
        ca_certs: file with the certificates to trust.
        alias: of the indices to search.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float,
        retry_after_s: float,
        login: tuple[str, str] | None = None,
        ca_certs: str | None = None,
        alias: str = ALIAS,
    ) -> None:
        self._alias = alias
        self._url = url
        self._login = login
        self._ca_certs = ca_certs
        self._timeout_s = timeout_s
        self._retry_after_s = retry_after_s
        self._client: AsyncOpenSearch | None = None

    async def open(self) -> None:
        """See `query_api.ports.Dependency.open`."""
        # no retries: the client of this API repeats a request better than this API holds it
        self._client = AsyncOpenSearch(
            hosts=[self._url],
            timeout=self._timeout_s,
            max_retries=0,
            http_auth=self._login,
            ca_certs=self._ca_certs,
        )

    async def close(self) -> None:
        """See `query_api.ports.Dependency.close`."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def ping(self) -> None:
        """See `query_api.ports.Dependency.ping`."""
        try:
            await self._opened().cluster.health()
        except OpenSearchException as error:
            raise self._translated(error) from error

    async def search(self, query: TextQuery, after: tuple[float, int, str] | None, limit: int) -> list[Hit]:
        """See `query_api.ports.SearchIndex.search`."""
        body = search_body(query, after, limit, self._timeout_s)
        try:
            answer = await self._opened().search(
                index=self._alias, body=body, params={"ignore_unavailable": "true", "allow_no_indices": "true"}
            )
        except OpenSearchException as error:
            raise self._translated(error) from error
        return [_hit(found, query.text) for found in answer["hits"]["hits"]]

    def _opened(self) -> AsyncOpenSearch:
        if self._client is None:
            raise Unavailable("the search index is not opened yet")
        return self._client

    def _translated(self, error: OpenSearchException) -> InvalidQuery | Unavailable:
        if isinstance(error, TransportError) and error.status_code == 400:
            return InvalidQuery("the search index cannot run this query; try fewer operators or wildcards")
        return Unavailable("the search index does not answer", retry_after_s=self._retry_after_s)


def search_body(query: TextQuery, after: tuple[float, int, str] | None, limit: int, timeout_s: float) -> dict[str, Any]:
    """The search request.

    Words are looked for in the field that holds those of all others (simple_query_string forgives any syntax). What
    could be a plate is looked for as such as well: exact, with confusables, one edit away, and as part of a plate.
    """
    wordings: list[dict[str, Any]] = [
        {
            "simple_query_string": {
                "query": query.text,
                "fields": ["everything"],
                "default_operator": "and",
                "flags": _TEXT_FLAGS,
            }
        },
        *_plate_wordings(query.text),
    ]
    filters: list[dict[str, Any]] = []
    if query.camera_ids:
        filters.append({"terms": {"camera_id": list(query.camera_ids)}})
    if query.site_ids:
        filters.append({"terms": {"site_id": list(query.site_ids)}})
    period = {name: moment.isoformat() for name, moment in (("gte", query.start), ("lt", query.end)) if moment}
    if period:
        filters.append({"range": {"captured_at": period}})
    body: dict[str, Any] = {
        "size": limit,
        "timeout": f"{round(timeout_s * 1000)}ms",
        "track_total_hits": False,
        "query": {"bool": {"should": wordings, "minimum_should_match": 1, "filter": filters, **_NOT_MERGED}},
        "sort": [
            {"_score": "desc"},
            {"captured_at": {"order": "desc", "unmapped_type": "date", "numeric_type": "date"}},
            {"event_id": {"order": "desc", "unmapped_type": "keyword"}},
        ],
    }
    if after is not None:
        body["search_after"] = list(after)
    return body


def _plate_wordings(text: str) -> list[dict[str, Any]]:
    """The text taken for a plate, for a part of one, and for a pattern of one; nothing where it cannot be."""
    patterned = any(wildcard in text for wildcard in "?*")
    if patterned and " " not in text:
        pattern = PlateQuery.parse(text) if normalise(text) else None
        if pattern is None or len(pattern.text) < 3:
            return []
        return [{"wildcard": {f"{name}.wildcard": {"value": pattern.text, "boost": 4}}} for name in _PLATES]
    plate = normalise(text)
    if not 2 <= len(plate) <= MAX_PLATE_CHARS:
        return []
    wordings: list[dict[str, Any]] = [{"term": {"plate_folded": {"value": fold(plate), "boost": 5}}}]
    for name in _PLATES:
        wordings.append({"term": {name: {"value": plate, "boost": 10}}})
        if len(plate) >= 3 and any(char.isdigit() for char in plate):
            wordings.append({"wildcard": {f"{name}.wildcard": {"value": f"*{plate}*", "boost": 1}}})
            if len(plate) >= 4:
                wordings.append({"fuzzy": {name: {"value": plate, "fuzziness": 1, "boost": 2}}})
    return wordings


def _hit(found: dict[str, Any], text: str) -> Hit:
    source = dict(found["_source"])
    for name in _TIMES:
        source[name] = _time(source.get(name))
    location = source.get("location")
    if isinstance(location, dict):
        source.setdefault("latitude", location.get("lat"))
        source.setdefault("longitude", location.get("lon"))
    source.setdefault("event_id", found["_id"])
    score, at_ms, event_id = found["sort"]
    return Hit(
        event=EventRow.of(source),
        score=score,
        highlights=highlights(source, text),
        after=(score, at_ms, event_id),
    )


def _time(value: str | int | None) -> datetime | None:
    return None if value is None else to_datetime(parse_time(value))
