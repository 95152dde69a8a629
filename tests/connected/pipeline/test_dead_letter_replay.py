"""Mended dead letters go through the whole path: each once in every store, and nobody is woken for old news."""

import json
import subprocess
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from schemas import topics
from schemas.clock import now_us, to_iso
from schemas.events import DeadLetter
from tests.connected.pipeline.conftest import BIN, ROOT, WATCHLISTED, Pipeline

HOUR_US = 3_600_000_000
LETTERS = 1000
CAMERAS = 20


def letter(mark: str, number: int, plate: str) -> DeadLetter:
    """A letter whose record is a good detection of an hour ago, from a producer that gives no ids."""
    body = {
        "camera_id": f"{mark}-{number % CAMERAS}",
        "captured_at": to_iso(now_us() - HOUR_US + number),
        "plate_text": plate,
        "plate_confidence": 0.97,
    }
    return DeadLetter(
        dead_letter_id=f"{mark}-{number}", topic=topics.DETECTED.name, partition=number % topics.DETECTED.partitions,
        offset=1_000_000 + number, recorded_at=now_us(), key=None, value=json.dumps(body).encode(), agent=mark,
        error_type="SCHEMA_VALIDATION", message="the router of last week could not read this", failed_at=now_us(),
    )  # fmt: skip


def replay(mark: str) -> dict[str, Any]:
    """`alpr dlq replay` of the mark's letters."""
    command = [BIN / "alpr", "dlq", "replay", "--agent", mark, "--yes", "--rate", "5000", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def rows(pipeline: Pipeline, mark: str) -> tuple[int, int]:
    """Rows of the mark's cameras, and how many plates they have."""
    with psycopg.connect(pipeline.stack.timescale_dsn, autocommit=True) as connection:
        connection.prepare_threshold = None
        found = connection.execute(
            "select count(*), count(distinct plate_normalized_text) from plate_events where camera_id like %s",
            [f"{mark}-%"],
        ).fetchone()
    assert found is not None
    return found[0], found[1]


def documents(pipeline: Pipeline, mark: str) -> int:
    """Documents of the mark's cameras."""
    answer = httpx.post(
        f"{pipeline.stack.opensearch_url}/alpr-events*/_count",
        json={"query": {"prefix": {"camera_id": mark}}},
        timeout=10,
    )
    return int(answer.json()["count"]) if answer.status_code == 200 else 0


def test_mended_letters_reach_every_store_once_and_old_alerts_wake_nobody(pipeline: Pipeline) -> None:
    """A thousand records of an hour ago, replayed, and replayed again by somebody who did not know."""
    mark = f"mend{uuid4().hex[:8]}"
    plates = [f"K{number:04d}X" for number in range(LETTERS - 1)] + [WATCHLISTED]
    mails_before = _mails(pipeline)
    for number, plate in enumerate(plates):
        value = pipeline.codec.encode(topics.DLQ, letter(mark, number, plate))
        pipeline.producer.produce(topics.DLQ.name, value, b"x")
    assert pipeline.producer.flush(30) == 0
    first = replay(mark)
    assert (first["sent"], first["failed"]) == (LETTERS, [])
    again = replay(mark)
    assert (again["sent"], len(again["skipped"])) == (0, LETTERS)
    pipeline.wait_for("a row for each", lambda: rows(pipeline, mark)[0] >= LETTERS, 60)
    pipeline.wait_for("a document for each", lambda: documents(pipeline, mark) >= LETTERS, 60)
    assert rows(pipeline, mark) == (LETTERS, LETTERS)
    assert documents(pipeline, mark) == LETTERS

    def alerts() -> list[Any]:
        return [alert for alert in pipeline.events(topics.ALERTS) if (alert.camera_id or "").startswith(mark)]

    (alert,) = pipeline.wait_for("the alert", alerts)
    assert alert.plate_text == WATCHLISTED

    def receipts() -> list[Any]:
        return [receipt for receipt in pipeline.events(topics.NOTIFICATIONS) if receipt.alert_id == alert.alert_id]

    (receipt,) = pipeline.wait_for("the receipt", receipts)
    assert receipt.outcome == "stale"
    assert _mails(pipeline) == mails_before


def _mails(pipeline: Pipeline) -> int:
    answer = httpx.get(f"{pipeline.stack.mail_api_url}/api/v1/search", params={"query": f'"{WATCHLISTED}"'}, timeout=10)
    return int(answer.raise_for_status().json()["messages_count"])
