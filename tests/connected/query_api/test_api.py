"""The API as its users meet it: over a socket, on the real servers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from minio import Minio

from schemas.endpoints import Endpoints
from schemas.events import Images
from schemas.topics import ALERT_ACTIONS, DETECTED
from tests.connected.query_api.conftest import Put, ReadTopic
from tests.unit.query_api import samples


def test_health(client: httpx.Client, put: Put) -> None:
    """With every server up the API is ok and says how long each took."""
    health = client.get("/health").json()
    assert health["status"] == "ok", health
    assert all(item["latency_ms"] > 0 for item in health["dependencies"].values())


def test_from_camera_to_topic(client: httpx.Client, read_topic: ReadTopic) -> None:
    """A detection that was posted stands in the raw topic, keyed by its camera, when the answer comes."""
    camera = samples.fresh("cam")
    bodies = [
        {"camera_id": camera, "captured_at": "2026-11-24T10:30:00Z", "plate": {"text": f"AB-{i}", "confidence": 0.9}}
        for i in range(50)
    ]
    answer = client.post("/events", json=bodies)
    assert answer.status_code == 202, answer.text
    arrived = {event.event_id: (key, event) for key, event in read_topic(DETECTED)}
    for i, event_id in enumerate(answer.json()["event_ids"]):
        key, event = arrived[event_id]
        assert (key, event.camera_id, event.plate.normalized_text) == (camera, camera, f"AB{i}")


def test_search_pages_while_events_arrive(client: httpx.Client, put: Put) -> None:
    """Walking the pages shows each sighting once, though newer ones arrive meanwhile."""
    camera = samples.fresh("cam")
    events = [samples.sighting(camera_id=camera, captured_at=samples.ago(60 * (i // 3) + 60)) for i in range(20)]
    put(*events)
    parameters: dict[str, Any] = {"camera_id": camera, "limit": 6}
    seen: list[str] = []
    while True:
        page = client.get("/events/search", params=parameters).json()
        seen += [item["event_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
        put(samples.sighting(camera_id=camera, captured_at=samples.ago(1)))
    assert sorted(seen) == sorted(event.event_id for event in events)


def test_recent_shows_what_was_just_written(client: httpx.Client, put: Put) -> None:
    """A sighting that was written is among the newest at once."""
    event = samples.sighting(captured_at=samples.ago(0))
    put(event)
    assert event.event_id in {item["event_id"] for item in client.get("/events/recent").json()["items"]}


def test_images_open_without_credentials(client: httpx.Client, put: Put, servers: Endpoints) -> None:
    """The link in an event gives the picture that the camera put into the bucket."""
    event_id = samples.fresh("e")
    key = f"{samples.fresh('cam')}/2026/11/24/{event_id}/plate.jpg"
    Minio(
        servers.s3_endpoint.partition("://")[2],
        servers.s3_access_key,
        servers.s3_secret_key.get_secret_value(),
        secure=False,
    ).fput_object(servers.s3_bucket, key, __file__)
    url = f"s3://{servers.s3_bucket}/{key}"
    put(samples.sighting(event_id=event_id, images=Images(url, None, "s3://other/secret.jpg")))
    images = client.get(f"/events/{event_id}").json()["images"]
    assert httpx.get(images["plate"]["url"]).text.startswith('"""The API as its users meet it')
    assert datetime.fromisoformat(images["plate"]["expires_at"]) > datetime.now(UTC) + timedelta(minutes=59)
    assert images["vehicle"] is None
    assert images["frame"] is None, "another bucket is never signed"


def test_fulltext(client: httpx.Client, put_index: Put) -> None:
    """A sighting in the index is found by words and by its plate, with what matched marked."""
    camera = samples.fresh("cam")
    put_index(samples.sighting("KX-57-TRF", camera_id=camera))
    for query in ("white volvo", "kx57trf", "KX57TRE", "57TR"):
        items = client.get("/search/fulltext", params={"q": query, "camera_id": camera}).json()["items"]
        assert [item["event"]["plate"]["text"] for item in items] == ["KX-57-TRF"], query
    [item] = client.get("/search/fulltext", params={"q": "volvo", "camera_id": camera}).json()["items"]
    assert item["highlights"] == {"vehicle_make": ["<em>Volvo</em>"]}


def test_alert_and_action(client: httpx.Client, put: Put, read_topic: ReadTopic) -> None:
    """An alert can be acknowledged: the action goes to its topic, and once stored the alert shows it."""
    alert = samples.alert(site_id=samples.fresh("site"))
    put(alert)
    answer = client.post(
        f"/alerts/{alert.alert_id}/actions", json={"action": "acknowledge", "actor": "m.visser", "note": "op weg"}
    )
    assert answer.status_code == 202, answer.text
    [action] = [event for _, event in read_topic(ALERT_ACTIONS) if event.action_id == answer.json()["action_id"]]
    assert (action.alert_id, action.actor, action.note) == (alert.alert_id, "m.visser", "op weg")
    put(action)
    parameters = {"site_id": alert.site_id, "acknowledged": True}
    [item] = client.get("/alerts", params=parameters).json()["items"]
    assert (item["state"], item["actions"][0]["note"]) == ("acknowledged", "op weg")
    assert client.get(f"/alerts/{alert.alert_id}").json()["state"] == "acknowledged"


def test_counts_agree_with_the_database(client: httpx.Client, put: Put) -> None:
    """Statistics grow by exactly what is written."""
    before = client.get("/stats").json()
    camera = samples.fresh("cam")
    put(*(samples.sighting(camera_id=camera) for _ in range(7)), samples.dead_letter())
    after = client.get("/stats").json()
    assert after["totals"]["events"] - before["totals"]["events"] == 7
    assert after["last_24h"]["dead_letters"] - before["last_24h"]["dead_letters"] == 1
    assert [item["events"] for item in after["cameras"] if item["camera_id"] == camera] == [7]
    assert camera in {item["camera_id"] for item in client.get("/cameras").json()["items"]}


@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE plate_events; --", "%' OR '1'='1", "\\", "{}", "%(plate)s", "$1", "京A·8888", "A" * 64, "🚗A1"],
)
def test_hostile_parameters(client: httpx.Client, put: Put, text: str) -> None:
    """What looks like SQL or a format is searched for as text, and changes nothing."""
    put(samples.sighting())
    for path, name in (
        ("/events/search", "plate"),
        ("/events/search", "camera_id"),
        ("/events/search", "vehicle_make"),
        ("/alerts", "plate"),
        ("/alerts", "rule"),
        ("/search/fulltext", "q"),
    ):
        answer = client.get(path, params={name: text})
        assert answer.status_code in (200, 422), (path, name, answer.text)
    assert client.get(f"/events/{text.replace('%', '%25')}").status_code == 404
    assert client.get("/events/recent").json()["items"]


def test_extremes_of_time(client: httpx.Client, put: Put) -> None:
    """The whole calendar can be asked for."""
    put(samples.sighting())
    answer = client.get("/events/search", params={"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"})
    assert answer.status_code == 200
    assert answer.json()["items"]
