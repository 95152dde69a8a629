"""Kafka clients of the commands, and what is said when Kafka does not answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from cli.errors import CommandError
from schemas.endpoints import endpoints
from schemas.errors import AlprError, RegistryUnavailable
from schemas.kafka_refusal import RIGHTS, Complaints, explain, reach
from schemas.kafka_security import kafka_security
from schemas.topics import DLQ

Client = TypeVar("Client", AdminClient, Consumer, Producer)
TIMEOUT_S = 10.0
"""How long a command waits for an answer of the broker."""


def client_config(**more: Any) -> dict[str, Any]:
    """Settings of a librdkafka client: addresses and login; librdkafka's own log lines are kept from the user.

    Raises:
        CommandError: the security settings cannot work.
    """
    try:
        security = kafka_security()
    except AlprError as error:
        raise CommandError(str(error)) from error
    return {
        "bootstrap.servers": endpoints().kafka_bootstrap,
        "socket.connection.setup.timeout.ms": int(TIMEOUT_S * 1000),
        "logger": _Silent(),
        **security.librdkafka(),
        **more,
    }


def connected(kind: type[Client], config: dict[str, Any]) -> Client:
    """A client that Kafka has let in.

    Raises:
        CommandError: Kafka refuses us, or does not answer; with what to do next.
    """
    complaints = Complaints()
    config["error_cb"] = complaints
    client = kind(config)
    try:
        reach(client, complaints, endpoints().kafka_bootstrap, kafka_security(), TIMEOUT_S)
    except AlprError as error:
        raise CommandError(str(error)) from error
    return client


def admin() -> AdminClient:
    """A client for topics and their settings."""
    return connected(AdminClient, client_config())


def consumer(*, tells_end: bool = False) -> Consumer:
    """A reader of its own: it commits nothing, so looking changes nothing.

    Args:
        tells_end: whether it says so when it has reached the end of a partition (an error KafkaError._PARTITION_EOF).
    """
    config = client_config(
        **{
            "group.id": "alpr-cli",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": tells_end,
            "fetch.message.max.bytes": DLQ.max_message_bytes,
            "receive.message.max.bytes": 8 * DLQ.max_message_bytes,
        }
    )
    return connected(Consumer, config)


def producer() -> Producer:
    """A writer that waits for all replicas and puts keys where Java, Faust and aiokafka put them."""
    config = client_config(
        **{
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "message.max.bytes": DLQ.max_message_bytes,
        }
    )
    return connected(Producer, config)


@contextmanager
def kafka_errors() -> Iterator[None]:
    """Turns an error of a Kafka client into a message for a person.

    Raises:
        CommandError: with what to do next.
    """
    try:
        yield
    except KafkaException as error:
        where = endpoints().kafka_bootstrap
        code = error.args[0] if error.args else None
        if code is not None and hasattr(code, "name") and code.name() in RIGHTS:
            raise CommandError(explain(code, where, kafka_security()) or str(error)) from error
        reason = error.args[0].str() if error.args and hasattr(error.args[0], "str") else str(error)
        raise CommandError(
            f"Kafka at {where} did not do it: {reason}\n"
            "Is it up? `alpr stack status` tells, `alpr stack up` starts it; ALPR_KAFKA_BOOTSTRAP sets the address."
        ) from error


@contextmanager
def service_errors() -> Iterator[None]:
    """`kafka_errors`, and the same for a schema registry that does not answer.

    Raises:
        CommandError: with what to do next.
    """
    try:
        with kafka_errors():
            yield
    except RegistryUnavailable as error:
        raise CommandError(str(error)) from error


class _Silent:
    """A logger that says nothing: what matters arrives as an exception."""

    def log(self, *_: Any, **__: Any) -> None:
        """Say nothing."""
