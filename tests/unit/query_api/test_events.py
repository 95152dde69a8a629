"""The routes of sightings."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from schemas.clock import to_iso
from schemas.events import CharacterAlternative, Images, Plate, Resolved
from tests.unit.query_api import samples
from tests.unit.query_api.fakes import MemoryPorts


def put(world: MemoryPorts, *events: Any) -> None:
    """Seed the store."""
    asyncio.run(world.store.seed(*events))


def test_recent_is_newest_first_and_limited(client: TestClient, world: MemoryPorts) -> None:
    """The newest sightings come first, as many as asked for, and the cursor goes on in the search."""
    events = [samples.sighting(captured_at=samples.ago(60 * (i + 1))) for i in range(5)]
    put(world, *events)
    page = client.get("/events/recent", params={"limit": 2}).json()
    assert [item["event_id"] for item in page["items"]] == [event.event_id for event in events[:2]]
    rest = client.get("/events/search", params={"cursor": page["next_cursor"]}).json()
    assert [item["event_id"] for item in rest["items"]] == [event.event_id for event in events[2:]]
    assert rest["next_cursor"] is None


def test_search_is_not_an_id(client: TestClient, world: MemoryPorts) -> None:
    """`/events/search` and `/events/recent` are lists, whatever the id route would take."""
    put(world, samples.sighting(event_id="search"), samples.sighting(event_id="recent"))
    assert "items" in client.get("/events/search").json()
    assert "items" in client.get("/events/recent").json()


def test_document_of_an_event(client: TestClient, world: MemoryPorts) -> None:
    """An event shows nested, in UTC, with presigned images and the alternatives of each character."""
    event = samples.sighting(
        plate=Plate("AB-1", "AB1", 0.9, "nl", ((CharacterAlternative("A", 0.9), CharacterAlternative("4", 0.1)),)),
        resolved=Resolved(text="AB1", confidence=0.95),
        images=Images("s3://alpr-plate-images/c/plate.jpg", None, "https://camera.example/f.jpg"),
    )
    put(world, event)
    shown = client.get(f"/events/{event.event_id}").json()
    assert datetime.fromisoformat(shown["captured_at"]) == datetime.fromisoformat(to_iso(event.captured_at))
    assert shown["captured_at"].endswith("Z")
    assert shown["plate"]["text"] == "AB-1"
    assert shown["plate"]["characters"][0] == [{"char": "A", "probability": 0.9}, {"char": "4", "probability": 0.1}]
    assert shown["resolved"] == {"text": "AB1", "confidence": 0.95, "previous_text": None}
    assert shown["location"] == {"lat": 52.1, "lon": 5.2}
    assert shown["images"]["plate"]["url"].startswith("http://images.test/alpr-plate-images/c/plate.jpg?")
    assert datetime.fromisoformat(shown["images"]["plate"]["expires_at"]).utcoffset() == timedelta(0)
    assert shown["images"]["vehicle"] is None
    assert shown["images"]["frame"] == {"url": "https://camera.example/f.jpg", "expires_at": None}


def test_lists_leave_the_characters_out(client: TestClient, world: MemoryPorts) -> None:
    """A page does not carry the alternatives of each character: they are most of an event's size."""
    put(world, samples.sighting())
    [item] = client.get("/events/recent").json()["items"]
    assert item["plate"]["characters"] is None


def test_vehicle_without_plate(client: TestClient, world: MemoryPorts) -> None:
    """A vehicle without a plate has none in its document."""
    event = samples.vehicle()
    put(world, event)
    shown = client.get(f"/events/{event.event_id}").json()
    assert (shown["plate"], shown["resolved"], shown["vehicle"]["type"]) == (None, None, "truck")


def test_likelihood_of_the_plate_that_was_looked_for(client: TestClient, world: MemoryPorts) -> None:
    """A search without wildcards says how likely each read is the plate as typed; with wildcards it cannot."""
    put(world, samples.sighting("AB123C"), samples.sighting("ABI23C"))
    items = client.get("/events/search", params={"plate": "AB123C", "fuzzy": True}).json()["items"]
    likelihoods = {item["plate"]["text"]: item["match_likelihood"] for item in items}
    assert likelihoods["AB123C"] > 0.9
    assert 0 < likelihoods["ABI23C"] < 0.2
    [item, _] = client.get("/events/search", params={"plate": "AB*"}).json()["items"]
    assert item["match_likelihood"] is None


def test_unknown_event(client: TestClient) -> None:
    """An id that is not there is a 404 problem."""
    answer = client.get("/events/none")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:alpr:problem:not-found"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-24T10:30:00Z", "2026-11-24T10:30:00+00:00"),
        ("2026-11-24T10:30:00", "2026-11-24T10:30:00+00:00"),
        ("2026-11-24T11:30:00+01:00", "2026-11-24T10:30:00+00:00"),
        ("2026-11-24T11:30:00 01:00", "2026-11-24T10:30:00+00:00"),
        ("2026-11-24", "2026-11-24T00:00:00+00:00"),
        ("1795516200", "2026-11-24T10:30:00+00:00"),
        ("1795516200123", "2026-11-24T10:30:00.123+00:00"),
    ],
)
def test_times(client: TestClient, world: MemoryPorts, written: str, meant: str) -> None:
    """Times are ISO 8601, UTC where no zone is named, or Unix times; also with a plus sign lost in the URL."""
    at = round(datetime.fromisoformat(meant).timestamp() * 1_000_000)
    put(world, *(samples.sighting(event_id=str(shift), captured_at=at + shift) for shift in (-1, 0)))
    items = client.get("/events/search", params={"from": written}).json()["items"]
    assert [item["event_id"] for item in items] == ["0"]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"plate": "🚗"}, "plate"),
        ({"plate": "-"}, "plate"),
        ({"plate": ""}, "plate"),
        ({"plate": "A" * 17}, "plate"),
        ({"plate": "A\x00B"}, "plate"),
        ({"camera_id": "a\x00b"}, "camera_id[0]"),
        ({"camera_id": ["c"] * 51}, "camera_id"),
        ({"from": "yesterday"}, "from"),
        ({"to": "9999999999999999999999"}, "to"),
        ({"from": "nan"}, "from"),
        ({"from": "2026-11-25", "to": "2026-11-24"}, "query"),
        ({"min_confidence": 1.5}, "min_confidence"),
        ({"min_confidence": "nan"}, "min_confidence"),
        ({"fuzzy": "maybe"}, "fuzzy"),
        ({"plat": "AB123C"}, "plat"),
    ],
)
def test_wrong_parameters(client: TestClient, parameters: dict[str, Any], field: str) -> None:
    """A wrong or unknown parameter is a 422 problem that names it."""
    answer = client.get("/events/search", params=parameters)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [item["field"] for item in answer.json()["errors"]] == [field]


def test_path_with_nul(client: TestClient) -> None:
    """An id with a NUL character is refused before it reaches the database."""
    assert client.get("/events/a%00b").status_code == 422
    assert client.get("/alerts/a%00b").status_code == 422


def test_store_away(client: TestClient, world: MemoryPorts) -> None:
    """With the database away lists answer 503 with Retry-After, and work again when it is back."""
    world.store.away = True
    answer = client.get("/events/recent")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json()["type"] == "urn:alpr:problem:unavailable"
    world.store.away = False
    assert client.get("/events/recent").status_code == 200
