"""What Kafka refuses is told once, with the setting to change: no stack trace, and no silent trying for ever."""

import json
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from edge_agent.outgoing import Outgoing
from tests.connected.security.conftest import BIN, ROOT, Secured, until
from tests.connected.security.test_secured_platform import detection, edge_publisher, process, worker_env
from tests.connected.streams.conftest import free_port

WRONG = {
    "password": ({"SASL_PASSWORD": "wrong-password"}, "refuses the login of"),
    "mechanism": ({"SASL_MECHANISM": "SCRAM-SHA-256"}, "SASL_MECHANISM to one of PLAIN,SCRAM-SHA-512"),
    "authority": ({"SSL_CA_FILE": "{stranger}"}, "SSL_CA_FILE to the PEM file of the one that signs your brokers"),
    "expired": ({"BOOTSTRAP": "{expired}"}, "certificate has expired. Renew the broker's certificate"),
    "host": ({"BOOTSTRAP": "{elsewhere}"}, "Connect by a name that the certificate holds"),
    "plaintext": ({"SECURITY_PROTOCOL": "PLAINTEXT"}, "speaks TLS, but ALPR_KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
    "no user": ({"SASL_USERNAME": ""}, "set ALPR_KAFKA_SASL_USERNAME and ALPR_KAFKA_SASL_PASSWORD"),
    "no file": ({"SSL_CA_FILE": "/none/ca.pem"}, "ALPR_KAFKA_SSL_CA_FILE=/none/ca.pem cannot be read"),
}
"""What is wrong: ALPR_KAFKA_* variables, and what must be said about it."""
WORKER = (BIN / "faust", "-A", "streams", "worker", "-l", "info")


def changes(secured: Secured, what: str) -> dict[str, str]:
    """The wrong variables with this run's files and addresses."""
    places = {"stranger": str(secured.stranger), **secured.doors}
    return {name: value.format(**places) for name, value in WRONG[what][0].items()}


@pytest.mark.parametrize("what", WRONG)
def test_commands_say_what_to_change(secured: Secured, what: str) -> None:
    """`alpr` ends with one message."""
    env = secured.env("alpr-operator", **changes(secured, what))
    done = secured.alpr("topics", "list", env=env, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert WRONG[what][1] in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "wrong-password" not in done.stderr


def test_the_doctor_says_what_to_change(secured: Secured) -> None:
    """A refusal is among what must be mended; with the right login it says who is logged in."""
    wrong = secured.alpr("doctor", env=secured.env("alpr-core", **changes(secured, "password")), check=False)
    assert wrong.returncode == 1
    assert WRONG["password"][1] in wrong.stdout
    right = secured.alpr("doctor", env=secured.env("alpr-core"), check=False)
    assert f"1 broker at {secured.doors['kafka']}, SASL_SSL, logged in as alpr-core (SCRAM-SHA-512)" in right.stdout


@pytest.mark.parametrize("what", ["password", "no file"])
def test_a_worker_that_is_refused_ends(secured: Secured, tmp_path: Path, what: str) -> None:
    """One line says why, the exit status is its own, and it is not waited for as a broker that is away is."""
    env = worker_env(secured, tmp_path, **changes(secured, what))
    done = subprocess.run(WORKER, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (1, 2)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if WRONG[what][1] in line]
    assert len(lines) == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "wrong-password" not in done.stdout + done.stderr


@pytest.mark.parametrize("what", ["password", "authority"])
def test_an_edge_agent_that_is_refused_keeps_its_events(secured: Secured, tmp_path: Path, what: str) -> None:
    """Plates wait in the spool, and the log says once what to change; with the right login they go out."""
    with capture_logs() as logs:
        publisher = edge_publisher(secured, tmp_path, **changes(secured, what))
        publisher.publish(Outgoing(detection(f"refused-{what}"), (), time.monotonic()))
        until(lambda: [entry for entry in logs if entry["log_level"] == "error"], "a line about the refusal")
        assert publisher.close(1) == 1
    (entry,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert WRONG[what][1] in entry["reason"]
    assert edge_publisher(secured, tmp_path).close(20) == 0


def test_an_api_that_is_refused_says_so(secured: Secured, tmp_path: Path) -> None:
    """Ingest is 503, health names the reason, and the log holds it once however often librdkafka tries."""
    port, log = free_port(), tmp_path / "api.log"
    env = {**secured.env("alpr-api", **changes(secured, "password")), "ALPR_API_PORT": str(port)}
    url = f"http://127.0.0.1:{port}"

    def kafka() -> str:
        try:
            return str(httpx.get(f"{url}/health", timeout=20).json()["dependencies"]["kafka"])
        except httpx.ConnectError:
            return ""

    with process([str(BIN / "alpr"), "api"], env, log):
        until(lambda: "refuses this API" in kafka(), "health that tells the refusal")
        body = {"camera_id": "c", "captured_at": time.time()}
        assert httpx.post(f"{url}/events", json=body, timeout=20).status_code == 503
    told = [json.loads(line) for line in log.read_text().splitlines() if "kafka_refuses" in line]
    assert len(told) == 1
    assert WRONG["password"][1] in told[0]["reason"]
    assert "Traceback" not in log.read_text()
