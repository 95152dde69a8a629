"""Why Kafka refuses a connection, in words that say what to change.

librdkafka goes on trying whatever the reason: a wrong password looks like a broker that is away. Its error callback
tells more, but an authority that is not trusted, an expired certificate and a wrong host name read alike there. So a
refusal is looked at once more with a handshake of our own, whose reasons are exact (OpenSSL's X509_V_ERR codes).
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any, Protocol
from urllib.parse import urlsplit

from confluent_kafka import KafkaException

from schemas.errors import ConfigError, Unavailable
from schemas.kafka_security import PREFIX, KafkaSecurity

PROBE_TIMEOUT_S = 2.0
ALERT_WAIT_S = 0.3
"""How long a TLS 1.3 server may take to say that it wants a client certificate: it does so after the handshake."""
TRY_S = 1.0
USUAL_PORT = 9092
LOOK_S = 2.0
LOOK_AGAIN_S = 30.0
TELL_AGAIN_S = 600.0
_PLACE = re.compile(r"^\w+://([^/\s]+)/")
_EXPIRED, _NOT_YET_VALID = 10, 9
_WRONG_NAME = frozenset({62, 64})
_UNTRUSTED = frozenset({2, 18, 19, 20, 21})
_LOGIN = frozenset({"_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM"})
RIGHTS = frozenset(
    {"TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED",
     "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"}
)  # fmt: skip
"""Names of the errors that say: logged in, but not allowed to do this."""


class KafkaRefused(ConfigError):
    """Kafka is there, and refuses: the message says which setting to change."""


class KafkaErrorLike(Protocol):
    """What is asked of confluent-kafka's KafkaError."""

    def name(self) -> str:
        """Symbol of the error, such as ``_AUTHENTICATION``."""
        ...

    def str(self) -> str:
        """The error in librdkafka's words."""
        ...


class Complaints:
    """An ``error_cb`` that keeps the last complaint about TLS or the login; filled when the client is polled."""

    def __init__(self) -> None:
        self.last: KafkaErrorLike | None = None

    def __call__(self, error: KafkaErrorLike) -> None:
        """Take a complaint in."""
        if error.name() in _LOGIN or error.name() == "_SSL":
            self.last = error


class RefusalWatch:
    """An ``error_cb`` for a client that lives long: says once what to change, and again while it stays so.

    Args:
        bootstrap: Kafka servers.
        security: Kafka login.
        tell: is given the refusal in words.
    """

    def __init__(self, bootstrap: str, security: KafkaSecurity, tell: Callable[[str], None]) -> None:
        self._bootstrap = bootstrap
        self._security = security
        self._tell = tell
        self._look_at = 0.0
        self._tell_at = 0.0
        self.refusal: str | None = None

    def __call__(self, error: KafkaErrorLike) -> None:
        """Take an error in. Whoever polls the client waits for a look at the broker, so that happens seldom."""
        name, now = error.name(), monotonic()
        if name not in _LOGIN:
            if name not in ("_SSL", "_ALL_BROKERS_DOWN") or now < self._look_at:
                return
            self._look_at = now + LOOK_AGAIN_S
        refusal = explain(error, self._bootstrap, self._security)
        if refusal is None:
            return
        if refusal != self.refusal or now >= self._tell_at:
            self._tell_at = now + TELL_AGAIN_S
            self._tell(refusal)
        self.refusal = refusal

    def let_in(self) -> None:
        """Kafka has answered: what was refused before is over."""
        self.refusal = None


def reach(client: Any, complaints: Complaints, bootstrap: str, security: KafkaSecurity, timeout_s: float) -> Any:
    """The cluster's metadata.

    Args:
        client: any client of confluent-kafka, made with `complaints` as its ``error_cb``.
        complaints: see there.
        bootstrap: Kafka servers.
        security: Kafka login.
        timeout_s: how long a broker that is away is waited for; a refusal is told at once.

    Raises:
        KafkaRefused: Kafka does not let us in.
        Unavailable: it does not answer.
    """
    left_s = timeout_s
    has_looked = False
    while True:
        try:
            return client.list_topics(timeout=min(TRY_S, left_s))
        except KafkaException as error:
            client.poll(0)  # hands over what librdkafka complained about meanwhile
            left_s -= TRY_S
            if complaints.last is None and left_s > 0 and (has_looked or timeout_s - left_s < LOOK_S):
                continue
            has_looked = True  # a plain client at a TLS port hears no complaint
            refusal = explain(complaints.last or error.args[0], bootstrap, security)
            if refusal is not None:
                raise KafkaRefused(refusal) from error
            if left_s > 0:
                complaints.last = None  # it passed: a broker in its start, say
                continue
            raise Unavailable(
                f"Kafka at {bootstrap} does not answer ({error.args[0].str()}). Is it up? `alpr stack up` starts a "
                f"local one; {PREFIX}BOOTSTRAP sets the address."
            ) from error


def explain(error: KafkaErrorLike, bootstrap: str, security: KafkaSecurity) -> str | None:
    """What to do about an error of a Kafka client; None if Kafka is merely away. May connect to a broker to find out.

    Args:
        error: of librdkafka.
        bootstrap: Kafka servers.
        security: Kafka login.
    """
    name = error.name()
    if name in _LOGIN:
        return _login(error.str(), bootstrap, security)
    if name in RIGHTS:
        who = f"the user {security.sasl_username!r}" if security.uses_sasl else "this client"
        return (
            f"Kafka at {bootstrap} does not allow it to {who} ({error.str()}). `alpr topics acls` prints the rights "
            "that each role needs"
        )
    told = _PLACE.search(error.str())
    first = f"{told.group(1)}," if told is not None and name == "_SSL" else ""  # which broker of the cluster it was
    return _probe(f"{first}{bootstrap}", security)


def _login(text: str, bootstrap: str, security: KafkaSecurity) -> str:
    where = f"Kafka at {bootstrap}"
    if "mechanism" in text and "supported mechanisms" in text:
        offered = text.rpartition("supported mechanisms:")[2].partition("(")[0].strip()
        return (
            f"{where} does not offer the SASL mechanism {security.sasl_mechanism}: set {PREFIX}SASL_MECHANISM to one "
            f"of {offered}"
        )
    return (
        f"{where} refuses the login of {security.sasl_username!r} ({security.sasl_mechanism}): check "
        f"{PREFIX}SASL_USERNAME and {PREFIX}SASL_PASSWORD, and that the user exists for this mechanism"
    )


def is_listening(bootstrap: str) -> bool:
    """Whether anything accepts connections at one of the addresses; quick to say no where the port is closed."""
    for host, port in _addresses(bootstrap):
        with suppress(OSError):
            socket.create_connection((host, port), PROBE_TIMEOUT_S).close()
            return True
    return False


def _addresses(bootstrap: str) -> Iterator[tuple[str, int]]:
    for server in bootstrap.split(","):
        with suppress(ValueError):  # no address; librdkafka tells
            address = urlsplit(f"//{server.strip()}")
            if address.hostname is not None:
                yield address.hostname, address.port or USUAL_PORT


def _probe(bootstrap: str, security: KafkaSecurity) -> str | None:
    """Connect to the first server that listens, and see whether the TLS of both sides fits."""
    for host, port in _addresses(bootstrap):
        with suppress(OSError), socket.create_connection((host, port), PROBE_TIMEOUT_S) as connection:
            return _probe_tls(connection, host, f"{host}:{port}", security)
    return None


def _probe_tls(connection: socket.socket, host: str, where: str, security: KafkaSecurity) -> str | None:
    context = security.ssl_context()
    if context is None:
        return _tls_behind_plain(connection, host, where, security)
    reason = ""
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            secured.settimeout(ALERT_WAIT_S)
            secured.recv(1)
            return None
    except TimeoutError:
        return None  # the handshake is through, and the broker waits for us to speak
    except ssl.SSLCertVerificationError as error:
        return _certificate(error, host, where, security)
    except ssl.SSLError as error:
        reason = (error.reason or "").lower().replace("_", " ")
    except ConnectionError:
        pass  # what speaks no TLS hangs up on it
    if "alert" in reason:
        return (
            f"Kafka at {where} refuses our TLS ({reason}): does it want a client certificate? "
            f"{PREFIX}SSL_CERTIFICATE_FILE and {PREFIX}SSL_KEY_FILE name it, signed by an authority that the broker "
            "trusts"
        )
    plain = "SASL_PLAINTEXT" if security.uses_sasl else "PLAINTEXT"
    return (
        f"what listens at {where} speaks no TLS, but {PREFIX}SECURITY_PROTOCOL is {security.security_protocol}: is "
        f"this the broker's TLS port? Without TLS the protocol is {plain}"
    )


def _certificate(error: ssl.SSLCertVerificationError, host: str, where: str, security: KafkaSecurity) -> str:
    code, reason = error.verify_code, error.verify_message.rstrip(".")
    start = f"the certificate of Kafka at {where} is not accepted: {reason}."
    if code in (_EXPIRED, _NOT_YET_VALID):
        return f"{start} Renew the broker's certificate (or set the clock of this machine right)"
    if code in _WRONG_NAME:
        return (
            f"{start} Connect by a name that the certificate holds ({PREFIX}BOOTSTRAP), or give the broker a "
            f"certificate for {host}"
        )
    if code in _UNTRUSTED:
        trusted = security.ssl_ca_file or "the system's authorities"
        return (
            f"{start} It is signed by an authority that is not in {trusted}: set {PREFIX}SSL_CA_FILE to the PEM file "
            "of the one that signs your brokers"
        )
    return f"{start} See the broker's certificate with: openssl s_client -connect {where} -showcerts"


def _tls_behind_plain(connection: socket.socket, host: str, where: str, security: KafkaSecurity) -> str | None:
    """Nobody is trusted here and nothing is sent: the question is only whether the port speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.wrap_socket(connection, server_hostname=host).close()
    except OSError:  # plain Kafka, a broker in its start, or anything else
        return None
    return (
        f"Kafka at {where} speaks TLS, but {PREFIX}SECURITY_PROTOCOL is {security.security_protocol}: set it to "
        f"{'SASL_SSL' if security.uses_sasl else 'SSL, or to SASL_SSL with a user and password'}"
    )
