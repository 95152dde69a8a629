"""Events into OpenSearch: bulk requests with external versions, so that a replay or an old revision changes nothing."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Generic

from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import OpenSearchException, RequestError

from agents.sinks.batching import Refused, write_newest
from agents.sinks.documents import Event, IndexSpec
from agents.sinks.opensearch_errors import PoliteConnection, is_too_large, judge, translate
from agents.sinks.port import Rejection
from agents.sinks.settings import OpenSearchSettings
from agents.sinks.storable import check_storable
from schemas.endpoints import endpoints
from schemas.errors import SinkRejected, SinkUnavailable
from telemetry.log import get_logger

Lines = tuple[bytes, bytes]
"""Action and document of a bulk request (two lines of NDJSON)"""
MAX_ID_BYTES = 512
log = get_logger(__name__)


class OpenSearchSink(Generic[Event]):
    """Keeps one kind of event in one family of monthly indices.

    A cluster that comes back empty, or an index that somebody deletes, must not be made anew by the next document: the
    types of its fields would be guessed. So this sink makes its indices itself and writes only through an alias of
    theirs, with ``require_alias``: where that is gone, nothing is written, and set-up runs again.

    Args:
        spec: the kind of event.
        url: of the cluster; default: ``ALPR_OPENSEARCH_URL``.
        settings: default: from the environment.
    """

    def __init__(
        self, spec: IndexSpec[Event], url: str | None = None, settings: OpenSearchSettings | None = None
    ) -> None:
        self.name = f"opensearch.{spec.mapping}"
        self._spec = spec
        self._url = url or endpoints().opensearch_url
        self._settings = settings or OpenSearchSettings()
        self._client: AsyncOpenSearch | None = None
        self._setup_lock = asyncio.Lock()
        self._is_set_up = False
        self._known: set[str] = set()

    async def setup(self) -> None:
        """See `Sink.setup`: index template and alias."""
        async with self._setup_lock:
            try:
                await self._put_template()
            except OpenSearchException as error:
                raise translate(error) from error
            self._known.clear()
            self._is_set_up = True

    async def write(self, batch: Sequence[Event]) -> list[Rejection]:
        """See `Sink.write`."""
        refused: Refused = {}
        events: dict[int, Event] = {}
        lines: dict[int, Lines] = {}
        indices: set[str] = set()
        for index, event in enumerate(batch):
            try:
                check_storable(event)
                name = self._spec.index_of(event)
                lines[index] = self._lines(event, name)
            except SinkRejected as error:
                refused[index] = error
            else:
                events[index] = event
                indices.add(name)
        try:
            await self._ready(indices)
            refused |= await write_newest(
                events,
                key=self._spec.id_of,
                version=self._spec.version_of,
                write=lambda chosen: self._write_lines({index: lines[index] for index in chosen}),
            )
        except SinkUnavailable:
            self._is_set_up = False
            raise
        return [Rejection(index, error) for index, error in sorted(refused.items())]

    async def healthy(self) -> bool:
        """See `Sink.healthy`: the cluster answers and can write."""
        try:
            health = await self._open().cluster.health(params={"request_timeout": 5})
        except OpenSearchException:
            return False
        return bool(health["status"] in ("green", "yellow"))

    async def close(self) -> None:
        """See `Sink.close`."""
        client, self._client = self._client, None
        self._is_set_up = False
        if client is not None:
            await client.close()

    # -- requests

    def _open(self) -> AsyncOpenSearch:
        if self._client is None:
            settings = self._settings
            # the client logs every request, failures with their traceback; what matters of them is ours to log
            logging.getLogger("opensearch").setLevel(logging.ERROR)
            login = None
            if settings.username is not None and settings.password is not None:
                login = (settings.username, settings.password.get_secret_value())
            self._client = AsyncOpenSearch(
                [self._url],
                connection_class=PoliteConnection,
                http_auth=login,
                timeout=settings.timeout_s,
                max_retries=0,  # a failure must be seen: the cluster may come back empty
                retry_on_timeout=False,
                ca_certs=settings.ca_certs,
            )
        return self._client

    async def _ready(self, indices: set[str]) -> None:
        if not self._is_set_up:
            await self.setup()
        try:
            for name in sorted(indices - self._known):
                await self._make_index(name)
                self._known.add(name)
        except OpenSearchException as error:
            raise translate(error) from error

    def _template(self) -> dict[str, Any]:
        return self._spec.template(self._settings.shards, self._settings.replicas, self._settings.refresh_interval)

    async def _put_template(self) -> None:
        """For indices of the family that others make: restored, reindexed."""
        await self._open().indices.put_index_template(name=self._spec.alias, body=self._template())

    async def _make_index(self, name: str) -> None:
        """Create a monthly index; bring one that is there up to this version's mapping."""
        client, body = self._open(), self._template()["template"]
        writing = self._spec.write_alias(name)
        try:
            await client.indices.create(index=name, body={**body, "aliases": {**body["aliases"], writing: {}}})
        except RequestError as error:
            if error.error != "resource_already_exists_exception":
                raise
        else:
            return
        for alias in (self._spec.alias, writing):
            await client.indices.put_alias(index=name, name=alias)
        try:
            await client.indices.put_mapping(index=name, body=body["mappings"])
        except RequestError as error:
            # an index that somebody else made: it takes documents, but not all searches find them
            log.error("index does not fit this version's mapping; reindex it", index=name, error=str(error)[:500])

    async def _write_lines(self, lines: Mapping[int, Lines]) -> Refused:
        refused: Refused = {}
        part: dict[int, Lines] = {}
        size = 0
        for index, pair in lines.items():
            more = len(pair[0]) + len(pair[1]) + 2
            if part and (size + more > self._settings.bulk_bytes or len(part) >= self._settings.bulk_documents):
                refused |= await self._bulk(part)
                part, size = {}, 0
            part[index] = pair
            size += more
        return refused | (await self._bulk(part) if part else {})

    async def _bulk(self, part: Mapping[int, Lines]) -> Refused:
        """One bulk request.

        Raises:
            SinkUnavailable: the request, or some document of it, has to wait.
        """
        body = b"".join(action + b"\n" + document + b"\n" for action, document in part.values())
        try:
            answer = await self._open().bulk(body=body, params={"require_alias": "true"})
        except OpenSearchException as error:
            if not is_too_large(error):
                raise translate(error) from error
            return await self._halves(part, error)
        refused: Refused = {}
        for index, item in zip(part, answer["items"], strict=True):
            verdict = judge(next(iter(item.values())))
            if isinstance(verdict, SinkUnavailable):
                raise verdict
            if verdict is not None:
                refused[index] = verdict
        return refused

    async def _halves(self, part: Mapping[int, Lines], error: OpenSearchException) -> Refused:
        if len(part) == 1:
            return dict.fromkeys(part, SinkRejected(f"OpenSearch takes no document of this size: {error}"))
        entries = list(part.items())
        half = len(entries) // 2
        return {**await self._bulk(dict(entries[:half])), **await self._bulk(dict(entries[half:]))}

    def _lines(self, event: Event, index: str) -> Lines:
        identifier = self._spec.id_of(event)
        if not 0 < len(identifier.encode()) <= MAX_ID_BYTES:
            raise SinkRejected(f"the id has {len(identifier.encode())} bytes; OpenSearch takes 1 to {MAX_ID_BYTES}")
        target: dict[str, Any] = {
            "_index": self._spec.write_alias(index),
            "_id": identifier,
            "version": self._spec.version_of(event),
            "version_type": "external",
        }
        return _json({"index": target}), _json(self._spec.document(event))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
