"""The whole path on real servers: what goes in comes out everywhere, and what cannot is kept."""

import json
import os
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from schemas import topics
from schemas.clock import now_us
from schemas.events import Detection, Plate
from schemas.identity import normalise
from tests.connected.pipeline.conftest import WATCHLISTED, Pipeline

DAY_US = 86_400_000_000


def detection(text: str, camera: str = "gate-1", **changes: Any) -> Detection:
    """A detection of now."""
    now = now_us()
    made = Detection(
        event_id=str(uuid4()),
        captured_at=now,
        camera_id=camera,
        plate=Plate(text, normalise(text), 0.97),
        first_seen_at=now,
        last_seen_at=now,
    )
    return replace(made, **changes)


def send(pipeline: Pipeline, event: Detection) -> None:
    """Publish a detection as the edge does."""
    pipeline.put(topics.DETECTED, pipeline.codec.encode(topics.DETECTED, event), event.camera_id.encode())


def mails_about(pipeline: Pipeline, text: str) -> int:
    """Mails in the sink that name the text."""
    answer = httpx.get(f"{pipeline.stack.mail_api_url}/api/v1/search", params={"query": f'"{text}"'}, timeout=10)
    return int(answer.raise_for_status().json()["messages_count"])


def test_detection_reaches_every_store(pipeline: Pipeline) -> None:
    """A detection becomes one row in TimescaleDB and one document in OpenSearch, with the same ids and plate."""
    event = detection("AB 12 CDE")
    send(pipeline, event)

    def row() -> Any:
        with psycopg.connect(pipeline.stack.timescale_dsn, autocommit=True) as connection:
            connection.prepare_threshold = None
            return connection.execute(
                "select plate_text, plate_normalized_text, camera_id, revision from plate_events where event_id = %s",
                [event.event_id],
            ).fetchall()

    rows = pipeline.wait_for("a row in plate_events", lambda: _quiet(row))
    assert rows == [("AB 12 CDE", "AB12CDE", "gate-1", 1)]

    def document() -> Any:
        answer = httpx.post(
            f"{pipeline.stack.opensearch_url}/alpr-events*/_search",
            json={"query": {"ids": {"values": [event.event_id]}}},
            timeout=10,
        )
        return answer.status_code == 200 and answer.json()["hits"]["hits"]

    hits = pipeline.wait_for("a document in OpenSearch", document)
    assert len(hits) == 1
    assert hits[0]["_source"]["plate_normalized_text"] == "AB12CDE"


def _quiet(query: Any) -> Any:
    """The query's answer, or None while the table is not there yet."""
    try:
        return query()
    except psycopg.errors.UndefinedTable:
        return None


def test_early_and_final_are_one_sighting(pipeline: Pipeline) -> None:
    """The early and the final message of a track give revisions of one event under one key."""
    early = detection("EF 77 GH", camera="gate-2", is_final=False)
    final = replace(early, is_final=True, reads=9, last_seen_at=early.last_seen_at + 900_000)
    send(pipeline, early)
    send(pipeline, final)

    def revisions() -> list[Any]:
        return [found for found in pipeline.decoded(topics.SIGHTINGS) if found[1].event_id == early.event_id]

    found = pipeline.wait_for("two revisions", lambda: (r := revisions()) and len(r) == 2 and r)
    sightings = [sighting for _, sighting in found]
    assert [s.revision for s in sightings] == [1, 2]
    assert {message.key() for message, _ in found} == {sightings[0].match_key.encode()}
    assert {s.captured_at for s in sightings} == {early.captured_at}
    assert sightings[-1].reads == 9


def test_bad_records_are_dead_letters_and_the_worker_goes_on(pipeline: Pipeline) -> None:
    """Random bytes, an unknown schema id, 5 MB, 1970 and 2100 are kept whole; the JSON detection flows through."""
    now = now_us()
    encode = pipeline.codec.encode
    bad = {
        "random": os.urandom(200).replace(b"{", b"!"),
        "unknown id": b"\x00\x7f\xff\xff\xfe" + b"body",
        "5 MB": b"\x00" + os.urandom(5 * 1024 * 1024),
        "1970": encode(topics.DETECTED, detection("OLD 70", captured_at=1_000_000)),
        "2100": encode(topics.DETECTED, detection("NEW 00", captured_at=now + 75 * 365 * DAY_US)),
    }
    for value in bad.values():
        pipeline.put(topics.DETECTED, value, b"gate-3")
    plate = f"JS{uuid4().hex[:5].upper()}"
    body = {"camera_id": "gate-3", "captured_at": time.time(), "plate_text": plate, "plate_confidence": 0.9}
    pipeline.put(topics.DETECTED, json.dumps(body).encode())

    def letters() -> dict[bytes, Any]:
        found = {letter.value: letter for letter in pipeline.events(topics.DLQ)}
        return found if all(value in found for value in bad.values()) else {}

    kept = pipeline.wait_for("five dead letters", letters)
    for name, value in bad.items():
        letter = kept[value]
        assert letter.topic == topics.DETECTED.name, name
        assert letter.key == b"gate-3", name
        assert letter.offset >= 0 and letter.partition >= 0, name
        assert letter.message, name
        expected = "SCHEMA_VALIDATION" if name in ("random", "unknown id") else "BUSINESS_LOGIC"
        assert letter.error_type == expected, (name, letter)
    pipeline.wait_for(
        "the JSON detection as a sighting",
        lambda: [s for s in pipeline.events(topics.SIGHTINGS) if s.plate and s.plate.text == plate],
    )


def test_watchlisted_plate_is_mailed_while_opensearch_is_down(pipeline: Pipeline) -> None:
    """A dead search index does not hold up an alert, and nothing is missing once it is back."""
    camera = f"gate-{uuid4().hex[:6]}"
    pipeline.stack.stop("opensearch")
    try:
        before = mails_about(pipeline, WATCHLISTED)
        event = detection(WATCHLISTED, camera=camera)
        send(pipeline, event)
        pipeline.wait_for("the mail", lambda: mails_about(pipeline, WATCHLISTED) > before, 10)
    finally:
        pipeline.stack.start("opensearch")

    def document() -> Any:
        answer = httpx.post(
            f"{pipeline.stack.opensearch_url}/alpr-events*/_search",
            json={"query": {"ids": {"values": [event.event_id]}}},
            timeout=10,
        )
        return answer.status_code == 200 and answer.json()["hits"]["hits"]

    pipeline.wait_for("the document once OpenSearch is back", document, 90)


def test_misread_watchlisted_plate_alerts_with_its_likelihood(pipeline: Pipeline) -> None:
    """A confusable misread (O for 0) of a watchlisted plate fires, and the alert says how likely it is."""
    misread = WATCHLISTED.replace("0", "O", 1)
    event = detection(misread, camera=f"gate-{uuid4().hex[:6]}")
    send(pipeline, event)
    alerts = pipeline.wait_for(
        "the alert", lambda: [a for a in pipeline.events(topics.ALERTS) if event.event_id in a.proof.event_ids]
    )
    assert len(alerts) == 1
    assert alerts[0].proof.matched_plate == WATCHLISTED
    assert alerts[0].proof.likelihood is not None and 0 < alerts[0].proof.likelihood < 1


def test_worker_reports_itself(pipeline: Pipeline) -> None:
    """Metrics, health and readiness answer with every role."""
    health = httpx.get(f"{pipeline.web}/health", timeout=5)
    assert health.status_code == 200
    metrics = httpx.get(f"{pipeline.web}/metrics", timeout=5).text
    for role in ("core", "alerts", "notify", "timescale", "opensearch", "images"):
        assert f'alpr_stream_ready{{role="{role}"}}' in metrics
