"""Why Kafka refuses: each kind of refusal is told with the setting to change, and a broker that is away is not one."""

import socket
import threading
from collections.abc import Iterator

import pytest

from schemas.kafka_refusal import TELL_AGAIN_S, Complaints, RefusalWatch, explain
from schemas.kafka_security import KafkaSecurity

NOWHERE = "127.0.0.1:1"
LOGIN = KafkaSecurity(
    security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-256", sasl_username="alpr", sasl_password="top-secret"
)


class Complaint:
    """An error of librdkafka."""

    def __init__(self, name: str, text: str = "") -> None:
        self._name = name
        self._text = text

    def name(self) -> str:
        """Its symbol."""
        return self._name

    def str(self) -> str:
        """Its words."""
        return self._text


@pytest.fixture
def plain_server() -> Iterator[str]:
    """Something that listens and hangs up on whatever it hears, as plain Kafka does on TLS."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(64)
            except OSError:  # closed: the test is over
                return

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def test_a_refused_login_names_user_and_settings() -> None:
    """Who was refused is told, the password is not."""
    text = explain(Complaint("_AUTHENTICATION", "Authentication failed: Invalid username or password"), NOWHERE, LOGIN)
    assert text is not None
    assert "'alpr' (SCRAM-SHA-256)" in text
    assert "ALPR_KAFKA_SASL_PASSWORD" in text
    assert "top-secret" not in text


def test_a_mechanism_that_is_not_offered_names_those_that_are() -> None:
    """The broker says what it has; that is what to choose from."""
    told = (
        "sasl_ssl://k:9092/bootstrap: SASL SCRAM-SHA-256 mechanism handshake failed: Broker: Unsupported SASL "
        "mechanism: broker's supported mechanisms: PLAIN,SCRAM-SHA-512 (after 301ms in state AUTH_HANDSHAKE)"
    )
    text = explain(Complaint("_AUTHENTICATION", told), NOWHERE, LOGIN)
    assert text is not None
    assert text.endswith("set ALPR_KAFKA_SASL_MECHANISM to one of PLAIN,SCRAM-SHA-512")


def test_a_missing_right_names_the_command_that_prints_rights() -> None:
    """Logged in but not allowed is another matter than not logged in."""
    text = explain(Complaint("TOPIC_AUTHORIZATION_FAILED", "Broker: Topic authorization failed"), NOWHERE, LOGIN)
    assert text is not None
    assert "'alpr'" in text
    assert "alpr topics acls" in text


def test_tls_at_a_plain_port_is_told(plain_server: str) -> None:
    """The usual mix-up of two listeners."""
    text = explain(Complaint("_SSL", "ssl handshake failed"), plain_server, LOGIN)
    assert text is not None
    assert f"{plain_server} speaks no TLS" in text
    assert "SASL_PLAINTEXT" in text


def test_the_broker_that_complained_is_looked_at_first(plain_server: str) -> None:
    """In a cluster the bootstrap server may be fine and another broker not."""
    told = f"sasl_ssl://{plain_server}/2: SSL handshake failed: error:0A00010B:SSL routines::wrong version number"
    text = explain(Complaint("_SSL", told), NOWHERE, LOGIN)
    assert text is not None
    assert plain_server in text


@pytest.mark.parametrize("security", [KafkaSecurity(), LOGIN])
@pytest.mark.parametrize("bootstrap", [NOWHERE, "nowhere.invalid:9092", "[::1]:1,,:", "host:port"])
def test_a_broker_that_is_away_is_no_refusal(security: KafkaSecurity, bootstrap: str) -> None:
    """It is waited for; nothing is wrong with the settings."""
    assert explain(Complaint("_ALL_BROKERS_DOWN", "1/1 brokers are down"), bootstrap, security) is None


def test_plain_kafka_that_does_not_answer_is_no_refusal(plain_server: str) -> None:
    """A broker in its start hangs up as well."""
    assert explain(Complaint("_TRANSPORT", "Broker transport failure"), plain_server, KafkaSecurity()) is None


def test_only_refusals_are_kept() -> None:
    """Connections that come and go are no complaint."""
    complaints = Complaints()
    complaints(Complaint("_TRANSPORT"))
    assert complaints.last is None
    complaints(Complaint("_SSL", "certificate verify failed"))
    complaints(Complaint("_ALL_BROKERS_DOWN"))
    assert complaints.last is not None
    assert complaints.last.name() == "_SSL"


def test_a_refusal_is_told_once_and_again_while_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Librdkafka complains several times a second; a log wants one line, and another one later."""
    now_s = 1000.0
    monkeypatch.setattr("schemas.kafka_refusal.monotonic", lambda: now_s)
    told: list[str] = []
    watch = RefusalWatch(NOWHERE, LOGIN, told.append)
    for _ in range(5):
        watch(Complaint("_AUTHENTICATION", "Invalid username or password"))
    assert len(told) == 1
    assert watch.refusal == told[0]
    now_s += TELL_AGAIN_S
    watch(Complaint("_AUTHENTICATION", "Invalid username or password"))
    assert len(told) == 2


def test_a_refusal_that_comes_back_is_told_again() -> None:
    """After Kafka has let us in, a refusal is news."""
    told: list[str] = []
    watch = RefusalWatch(NOWHERE, LOGIN, told.append)
    watch(Complaint("_AUTHENTICATION", "Invalid username or password"))
    watch.let_in()
    assert watch.refusal is None
    watch(Complaint("_AUTHENTICATION", "Invalid username or password"))
    assert len(told) == 2


def test_brokers_are_looked_at_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look waits for a broker that may not answer; the thread that polls has other work."""
    looks: list[str] = []
    monkeypatch.setattr("schemas.kafka_refusal._probe", lambda bootstrap, _security: looks.append(bootstrap))
    watch = RefusalWatch(NOWHERE, KafkaSecurity(), looks.append)
    for _ in range(5):
        watch(Complaint("_TRANSPORT", "Connection refused"))
        watch(Complaint("_ALL_BROKERS_DOWN", "1/1 brokers are down"))
    assert looks == [NOWHERE]
