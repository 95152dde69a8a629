"""The platform with TLS, logins and the least rights: each process as a user of its own does its work."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from edge_agent.outgoing import Outgoing
from edge_agent.publisher import Publisher, kafka_producer
from edge_agent.spool import Spool
from schemas.clock import now_us
from schemas.codec import EventCodec
from schemas.events import Detection
from schemas.registry import HttpRegistry
from schemas.topics import DETECTED, DLQ, SIGHTINGS
from tests.connected.security.conftest import BIN, ROOT, Secured, until
from tests.connected.streams.conftest import free_port
from tests.unit.query_api import samples


@contextmanager
def process(arguments: list[str], env: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the platform, ended by SIGTERM."""
    with log.open("ab") as output:
        child = subprocess.Popen(arguments, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(40)


def worker_env(secured: Secured, folder: Path, **changes: str) -> dict[str, str]:
    """A worker with the core role, as its user."""
    return {
        **secured.env("alpr-core", **changes),
        "ALPR_ROLES": "core",
        "ALPR_DATADIR": str(folder / "state"),
        "ALPR_WEB_PORT": str(free_port()),
        "ALPR_SESSION_TIMEOUT_S": "6",
        "ALPR_RECOVERY_DELAY_S": "0.1",
    }


def detection(camera_id: str) -> Detection:
    """A detection of now."""
    at_us = now_us()
    return Detection(
        event_id=f"{camera_id}-1",
        captured_at=at_us,
        camera_id=camera_id,
        first_seen_at=at_us,
        last_seen_at=at_us,
        plate=samples.plate("AB-123-C"),
    )


def edge_publisher(secured: Secured, folder: Path, mechanism: str = "SCRAM-SHA-512", **changes: str) -> Publisher:
    """The edge agent's publisher, as its user."""
    security = secured.security("alpr-edge", mechanism, **changes)
    codec = EventCodec(HttpRegistry(secured.registry_url))
    publisher = Publisher(
        Spool(folder / "spool", max_bytes=2**20), codec, kafka_producer(secured.doors["kafka"], security)
    )
    publisher.start()
    return publisher


def logged(log: Path, part: str) -> list[dict[str, Any]]:
    """JSON lines of a log that hold a text."""
    return [json.loads(line) for line in log.read_text().splitlines() if part in line and line.startswith("{")]


def test_every_process_works_with_its_own_login_and_rights(secured: Secured, tmp_path: Path) -> None:
    """Edge agent (PLAIN) and API (SCRAM) bring plates in; the worker makes sightings, and a dead letter of junk."""
    log = tmp_path / "worker.log"
    api_port = free_port()
    api_env = {**secured.env("alpr-api"), "ALPR_API_PORT": str(api_port)}
    worker = [str(BIN / "faust"), "-A", "streams", "worker", "-l", "info"]
    with (
        secured.reader(SIGHTINGS) as sightings,
        secured.reader(DLQ) as letters,
        process(worker, worker_env(secured, tmp_path), log) as it,
        process([str(BIN / "alpr"), "api"], api_env, tmp_path / "api.log"),
    ):
        publisher = edge_publisher(secured, tmp_path, "PLAIN")
        publisher.publish(Outgoing(detection("edge-1"), (), time.monotonic()))
        assert publisher.close(20) == 0
        secured.put(DETECTED, b"junk", b"\x00junk")

        def posted() -> bool:
            body = {"camera_id": "api-1", "captured_at": time.time(), "plate": {"text": "XY-987-Z", "confidence": 0.9}}
            try:
                return httpx.post(f"http://127.0.0.1:{api_port}/events", json=body, timeout=10).status_code == 202
            except httpx.ConnectError:
                return False

        until(posted, "ingest by the API")
        until(
            lambda: it.poll() is not None or {"edge-1", "api-1"} <= {event.camera_id for event in sightings()},
            "sightings of both",
        )
        assert it.poll() is None, log.read_text()[-3000:]
        until(letters, "the dead letter")
    assert it.returncode == 0, log.read_text()[-3000:]
    assert "alpr-core-password" not in log.read_text()
    listed = json.loads(secured.alpr("dlq", "list", "--json", env=secured.env("alpr-operator")).stdout)
    assert len(listed) == 1


def test_a_login_has_no_more_rights_than_it_needs(secured: Secured) -> None:
    """What a camera's login may not do is said with the way to the rights."""
    for command in (("dlq", "list"), ("topics", "list")):
        done = secured.alpr(*command, env=secured.env("alpr-edge"), check=False)
        assert done.returncode == 1
        assert "does not allow it to the user 'alpr-edge'" in done.stderr
        assert "alpr topics acls" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_worker_without_rights_says_so(secured: Secured, tmp_path: Path) -> None:
    """Kafka hides the topics of others: the message says that rights may be missing."""
    env = {**worker_env(secured, tmp_path), "ALPR_ROLES": "alerts", "ALPR_BROKER_WAIT_S": "0"}
    done = subprocess.run(
        [BIN / "faust", "-A", "streams", "worker", "-l", "info"], env=env, cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "that the user 'alpr-core' may see" in done.stderr + done.stdout
    assert "alpr topics acls" in done.stderr + done.stdout
