"""Full-text search."""

import asyncio

import pytest
from fastapi.testclient import TestClient

from query_api.stores.highlights import highlights
from query_api.stores.opensearch import search_body
from query_api.values import TextQuery
from tests.unit.query_api import samples
from tests.unit.query_api.fakes import MemoryPorts


def test_hits_and_pages(client: TestClient, world: MemoryPorts) -> None:
    """Hits carry event, score and highlights; the cursor goes on behind the last."""
    asyncio.run(world.index.seed(*(samples.sighting(captured_at=samples.ago(i)) for i in range(3))))
    page = client.get("/search/fulltext", params={"q": "ab123c", "limit": 2}).json()
    assert page["items"][0]["highlights"]["plate_text"] == ["<em>AB-123-C</em>"]
    assert page["items"][0]["event"]["images"]["plate"]["url"]
    rest = client.get("/search/fulltext", params={"q": "ab123c", "limit": 2, "cursor": page["next_cursor"]}).json()
    ids = [item["event"]["event_id"] for item in (*page["items"], *rest["items"])]
    assert len(set(ids)) == 3
    assert rest["next_cursor"] is None


def test_index_away_and_the_rest_goes_on(client: TestClient, world: MemoryPorts) -> None:
    """With the index away full-text search is 503, lists work, and health is degraded."""
    world.index.away = True
    answer = client.get("/search/fulltext", params={"q": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert client.get("/events/recent").status_code == 200
    assert client.get("/health").json()["status"] == "degraded"


def test_refused_query(client: TestClient) -> None:
    """A query that the index refuses is a 400 problem."""
    answer = client.get("/search/fulltext", params={"q": "!refused!"})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:alpr:problem:invalid-query")


@pytest.mark.parametrize("parameters", [{}, {"q": ""}, {"q": "x" * 257}, {"q": "a\x00"}])
def test_wrong_queries(client: TestClient, parameters: dict[str, str]) -> None:
    """No query, an empty, an overlong one and one with NUL are 422 problems."""
    assert client.get("/search/fulltext", params=parameters).status_code == 422


def test_highlights_mark_words_and_escape() -> None:
    """Whole words are marked in any case, prefixes where asked for, excluded words never; HTML is escaped."""
    source = {
        "vehicle_make": "Mercedes <Benz>",
        "vehicle_color": "white",
        "camera_id": "white-7",
        "extras": {"n": "a&b"},
    }
    assert highlights(source, "benz") == {"vehicle_make": ["Mercedes &lt;<em>Benz</em>&gt;"]}
    assert highlights(source, "merc") == {}
    assert highlights(source, "merc*") == {"vehicle_make": ["<em>Mercedes</em> &lt;Benz&gt;"]}
    assert highlights(source, "b -white") == {"extras.n": ["a&amp;<em>b</em>"]}


@pytest.mark.parametrize("text", ["🚗", "%", "a" * 256, "?", "*", "??", "AB?1*", "AB 12"])
def test_bodies_of_odd_queries(text: str) -> None:
    """Any text makes a search request whose words are looked for as they are."""
    body = search_body(TextQuery(text=text), None, 10, 5.0)
    words = body["query"]["bool"]["should"][0]["simple_query_string"]
    assert words["query"] == text
