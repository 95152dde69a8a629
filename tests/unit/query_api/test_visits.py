"""The routes of visits."""

import asyncio
from typing import Any

from fastapi.testclient import TestClient

from schemas.clock import MICROS_PER_S, to_iso
from schemas.events import Absence
from tests.unit.query_api import samples
from tests.unit.query_api.fakes import MemoryPorts


def put(world: MemoryPorts, *events: Any) -> None:
    """Seed the store."""
    asyncio.run(world.store.seed(*events))


def test_visit_shows_entry_exit_and_absences(client: TestClient, world: MemoryPorts) -> None:
    """Both gates with their sightings, and what the match was worth."""
    start = samples.ago(7200) // MICROS_PER_S * MICROS_PER_S + 123_456
    end = start + 3600 * MICROS_PER_S
    item = samples.visit(
        started_at=start, outcome="completed", exited_at=end, exit_event_id="e4", exit_camera_id="gate-2",
        exit_plate_text="A8123C", ended_at=end, match="confusable", match_score=0.08, dwell_s=3600.0, absent_s=60.0,
        absences=(Absence(start + 1, start + 2, "e2", "e3"),),
    )  # fmt: skip
    put(world, item)
    shown = client.get(f"/visits/{item.visit_id}").json()
    assert shown["entry"] == {
        "at": to_iso(start), "event_id": "e1", "camera_id": "gate-1", "plate_text": "AB123C",
    }  # fmt: skip
    assert (shown["exit"]["event_id"], shown["exit"]["plate_text"]) == ("e4", "A8123C")
    assert (shown["is_open"], shown["dwell_s"], shown["match"], shown["match_score"]) == (
        False, 3600.0, "confusable", 0.08,
    )  # fmt: skip
    assert [away["entry_event_id"] for away in shown["absences"]] == ["e3"]


def test_exit_that_nobody_saw_enter_has_no_entry(client: TestClient, world: MemoryPorts) -> None:
    """Nothing is made up."""
    item = samples.visit(outcome="exit_only", entered_at=None, exited_at=samples.ago(60))
    put(world, item)
    assert client.get(f"/visits/{item.visit_id}").json()["entry"] is None


def test_open_and_outcome(client: TestClient, world: MemoryPorts) -> None:
    """`open` is a short word for outcomes; both at once are refused, as are unknown ones."""
    inside, gone = samples.visit(), samples.visit(outcome="completed")
    put(world, inside, gone, samples.visit(outcome="withdrawn"))

    def found(**params: Any) -> set[str]:
        return {item["visit_id"] for item in client.get("/visits", params=params).json()["items"]}

    assert found() == {inside.visit_id, gone.visit_id}
    assert found(open=True) == {inside.visit_id}
    assert found(open=False) == {gone.visit_id}
    assert found(outcome=["open", "completed"]) == {inside.visit_id, gone.visit_id}
    assert client.get("/visits", params={"open": True, "outcome": "open"}).status_code == 422
    assert client.get("/visits", params={"outcome": "parked"}).status_code == 422


def test_pages_of_visits(client: TestClient, world: MemoryPorts) -> None:
    """Pages go on where the last one ended; a cursor of another list is refused."""
    items = [samples.visit(started_at=samples.ago(100 + i)) for i in range(3)]
    put(world, *items, samples.sighting(), samples.sighting())
    first = client.get("/visits", params={"limit": 2}).json()
    rest = client.get("/visits", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [item["visit_id"] for item in (*first["items"], *rest["items"])] == [item.visit_id for item in items]
    assert rest["next_cursor"] is None
    other = client.get("/events/recent", params={"limit": 1}).json()["next_cursor"]
    assert client.get("/visits", params={"cursor": other}).status_code == 400


def test_occupancy_of_a_site(client: TestClient, world: MemoryPorts) -> None:
    """Vehicles inside, places left, never fewer than none."""
    put(world, *[samples.visit(site_id="north", capacity=1) for _ in range(2)])
    shown = client.get("/sites/north/occupancy").json()
    assert (shown["occupancy"], shown["capacity"], shown["free"]) == (2, 1, 0)
    put(world, samples.visit(site_id="south"))
    assert client.get("/sites/south/occupancy").json()["free"] is None


def test_what_is_not_there(client: TestClient, world: MemoryPorts) -> None:
    """Problem documents that say what is missing; a store that is away is 503."""
    assert client.get("/visits/none").status_code == 404
    problem = client.get("/sites/nowhere/occupancy")
    assert (problem.status_code, "nowhere" in problem.json()["detail"]) == (404, True)
    world.store.away = True
    assert client.get("/visits").status_code == 503
    assert client.get("/sites/north/occupancy").status_code == 503
