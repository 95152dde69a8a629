"""What the doctor says about Kafka and the registry: wrong settings must be mended, absent servers are hints."""

import socket
import threading
from collections.abc import Iterator

import pytest

from cli.connection_checks import _copies, connection_findings
from compose.local.checks import Finding
from schemas.endpoints import Endpoints
from schemas.kafka_security import kafka_security

NOWHERE = Endpoints(kafka_bootstrap="127.0.0.1:1", registry_url="http://127.0.0.1:1/apis")


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The settings of each test are read anew."""
    kafka_security.cache_clear()
    yield monkeypatch
    kafka_security.cache_clear()


def found(endpoints: Endpoints, subject: str) -> Finding:
    """The finding about a subject."""
    return next(finding for finding in connection_findings(endpoints) if finding.subject == subject)


def test_servers_that_are_not_up_are_hints() -> None:
    """The stack can be started all the same; the command that does it is told."""
    for subject in ("Kafka", "schema registry"):
        finding = found(NOWHERE, subject)
        assert (finding.is_good, finding.is_required) == (False, False)
        assert finding.mend.startswith("alpr stack up")


def test_settings_that_cannot_work_must_be_mended(own_settings: pytest.MonkeyPatch) -> None:
    """The variables that are missing are named."""
    own_settings.setenv("ALPR_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    finding = found(NOWHERE, "Kafka settings")
    assert (finding.is_good, finding.is_required) == (False, True)
    assert "ALPR_KAFKA_SASL_USERNAME" in finding.detail


def test_a_refusal_must_be_mended(own_settings: pytest.MonkeyPatch) -> None:
    """Something is there, but it does not speak TLS: waiting does not help."""
    own_settings.setenv("ALPR_KAFKA_SECURITY_PROTOCOL", "SSL")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(64)
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        where = f"127.0.0.1:{server.getsockname()[1]}"
        finding = found(Endpoints(kafka_bootstrap=where, registry_url=NOWHERE.registry_url), "Kafka")
        server.shutdown(socket.SHUT_RDWR)
    assert (finding.is_good, finding.is_required) == (False, True)
    assert "speaks no TLS" in finding.detail


def test_a_password_in_clear_is_a_hint(own_settings: pytest.MonkeyPatch) -> None:
    """It works, and should not stay so."""
    own_settings.setenv("ALPR_KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    own_settings.setenv("ALPR_KAFKA_SASL_USERNAME", "alpr")
    own_settings.setenv("ALPR_KAFKA_SASL_PASSWORD", "secret")
    finding = found(NOWHERE, "Kafka security")
    assert (finding.is_good, finding.is_required) == (False, False)
    assert "in clear" in finding.detail


@pytest.mark.parametrize(("brokers", "copies", "wanted"), [(1, "1", None), (2, "1", 2), (3, "3", None), (9, "1", 3)])
def test_one_copy_of_a_changelog_on_many_brokers_is_a_hint(
    own_settings: pytest.MonkeyPatch, brokers: int, copies: str, wanted: int | None
) -> None:
    """The tables of a worker should outlive a broker, where there is another one."""
    own_settings.setenv("ALPR_CHANGELOG_REPLICATION", copies)
    mends = [finding.mend for finding in _copies(brokers)]
    assert [f"ALPR_CHANGELOG_REPLICATION={wanted}" in mend for mend in mends] == ([True] if wanted else [])
