"""How the OpenSearch sink behaves towards clusters that are in trouble: a small HTTP server plays them."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from agents.sinks.documents import sighting_index
from agents.sinks.opensearch import OpenSearchSink
from agents.sinks.opensearch_errors import judge
from agents.sinks.retry_after import seconds
from agents.sinks.settings import OpenSearchSettings
from schemas.errors import SinkRejected, SinkUnavailable
from tests.unit.agents.sinks.sightings import sighting

Bulk = Callable[[list[dict[str, Any]]], web.Response]


class Cluster:
    """Answers set-up requests like a cluster, and bulk requests as a test says.

    Attributes:
        bulk: gives the answer to the parsed lines.
        bulks: actions and documents of each bulk request.
        templates: how often the template was put.
    """

    def __init__(self) -> None:
        self.bulk: Bulk = lambda lines: items(200, len(lines) // 2)
        self.bulks: list[list[dict[str, Any]]] = []
        self.templates = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Any request."""
        if request.path == "/_bulk":
            lines = [json.loads(line) for line in (await request.read()).splitlines()]
            self.bulks.append(lines)
            return self.bulk(lines)
        if request.path.startswith("/_index_template") and request.method == "PUT":
            self.templates += 1
        return web.json_response({"acknowledged": True})


def items(status: int, count: int, error: dict[str, Any] | None = None) -> web.Response:
    """A bulk answer with one verdict for all."""
    item = {"status": status, **({"error": error} if error else {})}
    return web.json_response({"items": [{"index": item}] * count})


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """The cluster, on a free port."""
    made = Cluster()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def sink(cluster: Cluster) -> AsyncIterator[OpenSearchSink[Any]]:
    """The sink on that cluster."""
    made = OpenSearchSink(sighting_index(), cluster.url, OpenSearchSettings(timeout_s=2, bulk_documents=4))
    yield made
    await made.close()


@pytest.mark.parametrize("status", [429, 503])
async def test_pause_that_the_cluster_asks_for(cluster: Cluster, sink: OpenSearchSink[Any], status: int) -> None:
    """Retry-After of a refused request reaches the caller."""
    cluster.bulk = lambda _lines: web.Response(status=status, headers={"Retry-After": "7"}, text="busy")
    with pytest.raises(SinkUnavailable) as caught:
        await sink.write([sighting()])
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize(
    "error",
    [
        (429, "es_rejected_execution_exception"),
        (429, "circuit_breaking_exception"),
        (503, "unavailable_shards_exception"),
        (403, "cluster_block_exception"),
        (404, "index_not_found_exception"),
        (400, "validation_exception"),
        (500, "null_pointer_exception"),
    ],
)
async def test_items_that_have_to_wait(cluster: Cluster, sink: OpenSearchSink[Any], error: tuple[int, str]) -> None:
    """An overloaded, read-only or full cluster is no reason to give a document up."""
    cluster.bulk = lambda lines: items(error[0], len(lines) // 2, {"type": error[1], "reason": "r"})
    with pytest.raises(SinkUnavailable, match=error[1]):
        await sink.write([sighting()])


async def test_set_up_again_after_trouble(cluster: Cluster, sink: OpenSearchSink[Any]) -> None:
    """A cluster that failed may have come back empty: the template is put again."""
    await sink.write([sighting()])
    assert cluster.templates == 1
    cluster.bulk = lambda _lines: web.Response(status=503)
    with pytest.raises(SinkUnavailable):
        await sink.write([sighting()])
    cluster.bulk = lambda lines: items(201, len(lines) // 2)
    await sink.write([sighting()])
    assert cluster.templates == 2


async def test_version_conflict_is_success(cluster: Cluster, sink: OpenSearchSink[Any]) -> None:
    """An equal or higher revision is there already: nothing is refused."""
    cluster.bulk = lambda lines: items(409, len(lines) // 2, {"type": "version_conflict_engine_exception"})
    assert await sink.write([sighting()]) == []
    action = cluster.bulks[0][0]["index"]
    assert (action["version"], action["version_type"], action["_id"]) == (1, "external", "event-1")


async def test_requests_are_bounded(cluster: Cluster, sink: OpenSearchSink[Any]) -> None:
    """A batch is cut into requests of the setting's size."""
    await sink.write([sighting(f"e{n}") for n in range(10)])
    assert [len(lines) // 2 for lines in cluster.bulks] == [4, 4, 2]


async def test_too_large_requests_are_halved(cluster: Cluster, sink: OpenSearchSink[Any]) -> None:
    """What a proxy finds too large goes in smaller parts; one document that is too large by itself is refused."""

    def answer(lines: list[dict[str, Any]]) -> web.Response:
        if len(lines) > 2 or lines[0]["index"]["_id"] == "e2":
            return web.Response(status=413)
        return items(201, 1)

    cluster.bulk = answer
    rejections = await sink.write([sighting(f"e{n}") for n in range(4)])
    assert [rejection.index for rejection in rejections] == [2]


async def test_silent_cluster_is_unavailable(sink: OpenSearchSink[Any], cluster: Cluster) -> None:
    """An answer that is no JSON is trouble of the cluster."""
    cluster.bulk = lambda _lines: web.Response(status=502, text="<html>bad gateway</html>", content_type="text/html")
    with pytest.raises(SinkUnavailable, match="502"):
        await sink.write([sighting()])


def test_refusals_say_the_innermost_reason() -> None:
    """The message that an operator reads says what was wrong with the document."""
    cause = {"type": "x", "reason": "illegal latitude value [300.0]"}
    verdict = judge({"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "f", "caused_by": cause}})
    assert isinstance(verdict, SinkRejected)
    assert "illegal latitude" in str(verdict)
    assert judge({"status": 201}) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [("7", 7.0), (" 120 ", 120.0), ("", None), (None, None), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_retry_after(header: str | None, expected: float | None) -> None:
    """Seconds are taken, anything else is left to our own back-off."""
    assert seconds(header) == expected
