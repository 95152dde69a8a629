"""What a worker checks before it starts: that Kafka answers, that its topics are there, that its port is free."""

import asyncio
import socket
from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any

from confluent_kafka.admin import AdminClient

from schemas.errors import ConfigError, Unavailable
from schemas.kafka_refusal import Complaints, reach
from telemetry.log import get_logger

if TYPE_CHECKING:
    from streams.role_app import RoleApp

ASK_TIMEOUT_S = 3.0
PAUSE_S = 1.0
log = get_logger(__name__)


async def preflight(apps: Iterable["RoleApp"]) -> None:
    """Wait for Kafka and the topics that the roles read, for as long as the settings say.

    Raises:
        KafkaRefused: Kafka does not let the worker in; that is not waited for.
        Unavailable: Kafka does not answer; the message says where and what to do.
        ConfigError: topics are missing, or the web port is taken.
    """
    apps = list(apps)
    primary = apps[0]
    if primary.conf.web_enabled:
        check_port(primary.conf.web_bind, primary.conf.web_port)
    for concern in primary.kafka_security.concerns:
        log.warning("kafka security", concern=concern)
    needed = set().union(*(app.source_topics() for app in apps))
    deadline = monotonic() + primary.settings.broker_wait_s
    last_words = ""
    while True:
        try:
            missing = needed - await asyncio.to_thread(_topics, primary)
        except Unavailable as error:
            problem: Unavailable | ConfigError = error
        else:
            if not missing:
                return
            problem = ConfigError(
                f"Kafka at {primary.bootstrap} has no topic {', '.join(sorted(missing))}{_seen_by(primary)}"
            )
        left_s = deadline - monotonic()
        if left_s <= 0:
            raise problem
        if str(problem) != last_words:
            last_words = str(problem)
            log.warning("waiting", problem=last_words, gives_up_in_s=round(left_s))
        await asyncio.sleep(min(PAUSE_S, left_s))


def _seen_by(app: "RoleApp") -> str:
    """What to do about missing topics: Kafka hides those that a user has no right to."""
    create = "Create the topics with `alpr topics apply`"
    user = app.kafka_security.sasl_username if app.kafka_security.uses_sasl else None
    if user is None:
        return f". {create}."
    return f" that the user {user!r} may see. {create}; `alpr topics acls` prints the rights that each role needs."


def _topics(app: "RoleApp") -> set[str]:
    complaints = Complaints()
    config: dict[str, Any] = {
        "bootstrap.servers": app.bootstrap,
        **app.kafka_security.librdkafka(),
        "error_cb": complaints,
        "log_level": 2,  # critical only: each refused connection would be a line
    }
    return set(reach(AdminClient(config), complaints, app.bootstrap, app.kafka_security, ASK_TIMEOUT_S).topics)


def check_port(host: str, port: int) -> None:
    """See that the pages can be served.

    Raises:
        ConfigError: another process has the port, or the address is not this machine's.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"cannot serve /metrics, /health and /ready on {host}:{port} ({error.strerror}); another worker? "
                "Set ALPR_WEB_PORT (and ALPR_WEB_BIND), or give --without-web."
            ) from error
