"""What only a real cluster can show: half-remembered plates are found, and a wiped or read-only cluster recovers."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from agents.sinks.documents import alert_index, sighting_index
from agents.sinks.opensearch import OpenSearchSink
from schemas.clock import parse_time
from schemas.errors import SinkUnavailable
from schemas.events import Location, Vehicle
from schemas.identity import fold
from tests.connected.sinks.conftest import OpenSearchHarness
from tests.unit.agents.sinks.sightings import alert, new_id, sighting

JULY_2031 = parse_time("2031-07-01T12:00:00Z")
"""A month of these tests' own"""


@pytest.fixture
async def own_month(opensearch: OpenSearchHarness) -> AsyncIterator[str]:
    """The index of July 2031, absent before and after."""
    name = "alpr-events-2031.07"
    await opensearch.direct.indices.delete(index=name, params={"ignore_unavailable": "true"})
    yield name
    await opensearch.direct.indices.delete(index=name, params={"ignore_unavailable": "true"})


async def hits(harness: OpenSearchHarness, query: dict[str, Any]) -> set[str]:
    """Ids that a query finds through the alias, in our month."""
    await harness.direct.indices.refresh(index="alpr-events")
    body = {
        "query": {
            "bool": {"must": [query], "filter": [{"range": {"captured_at": {"gte": "2031-07-01", "lt": "2031-08-01"}}}]}
        }
    }
    found = await harness.direct.search(index="alpr-events", body=body)
    return {hit["_id"] for hit in found["hits"]["hits"]}


@pytest.mark.parametrize(
    "query",
    [
        {"term": {"plate_text": "WX-5O1 Z"}},
        {"term": {"plate_normalized_text": "WX5O1Z"}},
        {"wildcard": {"resolved_text.wildcard": "*5?1Z"}},
        {"wildcard": {"plate_normalized_text": "WX*"}},
        {"fuzzy": {"plate_normalized_text": {"value": "WX5OIZ", "fuzziness": 1}}},
        {"match": {"resolved_text.grams": {"query": "x5o1", "analyzer": "plate_grams", "minimum_should_match": "90%"}}},
        {"match": {"resolved_text.grams": "x5o"}},
        {"term": {"plate_folded": fold("WXSOIZ")}},
        {"wildcard": {"plate_folded.wildcard": f"*{fold('OIZ')}"}},
        {"match": {"everything": {"query": "white transit harbour", "operator": "and"}}},
        {"match": {"everything": "resume"}},
        {"term": {"extras_pairs": "load.note=Résumé papers"}},
        {"geo_distance": {"distance": "2km", "location": {"lat": 48.001, "lon": 11.0}}},
        {"bool": {"filter": [{"term": {"vehicle_color": "white"}}, {"range": {"plate_confidence": {"gte": 0.9}}}]}},
    ],
    ids=str,
)
async def test_sighting_is_found(opensearch: OpenSearchHarness, own_month: str, query: dict[str, Any]) -> None:
    """Exact, wildcard, fuzzy, by a part, confusables, words, extras, place: each finds it and not another."""
    wanted = sighting(
        "wanted", text="WX-5O1 Z", captured_at=JULY_2031, location=Location(48.0, 11.0),
        extras={"load.note": "Résumé papers"},
    )  # fmt: skip
    other = sighting(
        "other", text="KK 777 H", captured_at=JULY_2031, location=Location(10.0, 10.0), site_id="north",
        vehicle=Vehicle("car", "Seat", "Ibiza", "red", 0.9), extras={"load.note": "coal"},
    )  # fmt: skip
    assert await opensearch.sink.write([wanted, other]) == []
    assert await hits(opensearch, query) == {"wanted"}


async def test_later_identity_is_found_and_the_earlier_one_is_not(
    opensearch: OpenSearchHarness, own_month: str
) -> None:
    """A revision replaces the document in its month; the earlier identity remains as what it was."""
    first = sighting("e", 1, "AB 123", captured_at=JULY_2031)
    second = sighting("e", 2, "AB 128", captured_at=JULY_2031)
    assert second.resolved is not None
    second = replace(second, resolved=replace(second.resolved, previous_text="AB123"))
    await opensearch.sink.write([first])
    await opensearch.sink.write([second])
    assert await hits(opensearch, {"term": {"resolved_text": "AB123"}}) == set()
    assert await hits(opensearch, {"term": {"resolved_text": "AB128"}}) == {"e"}
    assert await hits(opensearch, {"term": {"previous_text": "AB123"}}) == {"e"}


async def test_cluster_that_was_wiped(opensearch: OpenSearchHarness, own_month: str) -> None:
    """Template, index and alias come back, so that the next document is not mapped by guess."""
    await opensearch.sink.write([sighting("before", captured_at=JULY_2031)])
    await opensearch.cut()
    await opensearch.direct.indices.delete(index=own_month)
    await opensearch.direct.indices.delete_index_template(name="alpr-events")
    await opensearch.mend()
    with pytest.raises(SinkUnavailable):
        await opensearch.sink.write([sighting("after", captured_at=JULY_2031)])
    assert await opensearch.sink.write([sighting("after", captured_at=JULY_2031)]) == []
    mapping = (await opensearch.direct.indices.get_mapping(index=own_month))[own_month]["mappings"]
    assert mapping["properties"]["location"]["type"] == "geo_point"
    assert mapping["dynamic"] == "false"
    assert own_month in await opensearch.indices()


async def test_index_that_was_deleted(opensearch: OpenSearchHarness, own_month: str) -> None:
    """The next document does not make it anew by guess, even without a template: the sink does."""
    await opensearch.sink.write([sighting("a", captured_at=JULY_2031)])
    await opensearch.direct.indices.delete_index_template(name="alpr-events")
    await opensearch.direct.indices.delete(index=own_month)
    with pytest.raises(SinkUnavailable, match="alias"):
        await opensearch.sink.write([sighting("b", captured_at=JULY_2031)])
    assert not await opensearch.direct.indices.exists(index=own_month)
    assert await opensearch.sink.write([sighting("b", captured_at=JULY_2031)]) == []
    assert await hits(opensearch, {"term": {"plate_folded": "A81023"}}) == {"b"}
    assert await opensearch.direct.indices.exists_index_template(name="alpr-events")


async def test_index_that_somebody_else_made(opensearch: OpenSearchHarness, own_month: str) -> None:
    """Documents are kept in an index with a foreign mapping too; it joins the alias."""
    await opensearch.sink.setup()
    await opensearch.direct.indices.delete_index_template(name="alpr-events")
    await opensearch.direct.indices.create(
        index=own_month, body={"mappings": {"properties": {"plate_text": {"type": "text"}}}}
    )
    sink = OpenSearchSink(sighting_index(), opensearch.url)
    assert await sink.write([sighting("a", captured_at=JULY_2031)]) == []
    assert own_month in await opensearch.indices()
    await sink.close()


async def test_read_only_index_holds_the_batch(opensearch: OpenSearchHarness, own_month: str) -> None:
    """A block (a full disk sets one) refuses nothing for good; when it is lifted, the batch goes through."""
    await opensearch.sink.write([sighting("a", captured_at=JULY_2031)])
    block = {"index.blocks.read_only_allow_delete": True}
    await opensearch.direct.indices.put_settings(index=own_month, body=block)
    with pytest.raises(SinkUnavailable, match="block"):
        await opensearch.sink.write([sighting("b", captured_at=JULY_2031)])
    block["index.blocks.read_only_allow_delete"] = False
    await opensearch.direct.indices.put_settings(index=own_month, body=block)
    assert await opensearch.sink.write([sighting("b", captured_at=JULY_2031)]) == []


async def test_cluster_with_its_most_shards_holds_the_batch(opensearch: OpenSearchHarness, own_month: str) -> None:
    """Status 400 is not always the document's fault: without room for an index, the batch waits."""
    settings = opensearch.direct.cluster.put_settings
    await settings(body={"persistent": {"cluster.max_shards_per_node": 1}})
    try:
        with pytest.raises(SinkUnavailable, match="shards"):
            await opensearch.sink.write([sighting("a", captured_at=JULY_2031)])
    finally:
        await settings(body={"persistent": {"cluster.max_shards_per_node": None}})
    assert await opensearch.sink.write([sighting("a", captured_at=JULY_2031)]) == []


async def test_alerts_are_searchable(opensearch: OpenSearchHarness) -> None:
    """An alert is one document, found by rule, plate and the words of its context."""
    event = alert(new_id())
    sink = OpenSearchSink(alert_index(), opensearch.url)
    assert await sink.write([event]) == []
    assert await sink.write([event, event]) == []
    await opensearch.direct.indices.refresh(index="alpr-alerts")
    for query in (
        {"term": {"rule_id": "stolen"}},
        {"term": {"plate_folded": "A81023"}},
        {"match": {"everything": {"query": "ford stolen", "operator": "and"}}},
        {"term": {"event_ids": "e2"}},
    ):
        body = {"query": {"bool": {"must": [query], "filter": [{"term": {"alert_id": event.alert_id}}]}}}
        found = await opensearch.direct.search(index="alpr-alerts", body=body)
        assert found["hits"]["total"]["value"] == 1
    await sink.close()
