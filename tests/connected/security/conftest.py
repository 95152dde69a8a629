"""A secured Kafka and a registry of this folder's own, with a user for each process and the rights that it needs."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from compose.local.services.schema_registry import SchemaRegistry
from compose.local.stack import Stack
from compose.local.watch import Guardian
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.kafka_security import KafkaSecurity
from schemas.registry import HttpRegistry
from schemas.topics import Topic
from tests.connected.security.broker import ADMIN, DOORS, SecuredKafka
from tests.connected.security.certificates import Authority

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
USERS = ("alpr-operator", "alpr-core", "alpr-edge", "alpr-api")
LOOPBACK = "DNS:localhost,IP:127.0.0.1"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Secured:
    """The secured servers.

    Attributes:
        authority: PEM file of the authority that signed the brokers.
        stranger: of one that did not.
        passwords: user to password.
        doors: port name (see `broker.DOORS`) to bootstrap address.
        registry_url: of the schema registry.
    """

    authority: Path
    stranger: Path
    passwords: dict[str, str]
    doors: dict[str, str]
    registry_url: str

    def env(self, user: str, mechanism: str = "SCRAM-SHA-512", **changes: str) -> dict[str, str]:
        """The environment of a process that logs in as a user; changes are of ALPR_KAFKA_* variables."""
        kafka = {
            "BOOTSTRAP": self.doors["kafka"],
            "SECURITY_PROTOCOL": "SASL_SSL",
            "SASL_MECHANISM": mechanism,
            "SASL_USERNAME": user,
            "SASL_PASSWORD": self.passwords[user],
            "SSL_CA_FILE": str(self.authority),
            **changes,
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("ALPR_")}
        return {
            **others,
            "ALPR_REGISTRY_URL": self.registry_url,
            "ALPR_LOG_FORMAT": "json",
            **{f"ALPR_KAFKA_{name}": value for name, value in kafka.items()},
        }

    def security(self, user: str, mechanism: str = "SCRAM-SHA-512", **changes: str) -> KafkaSecurity:
        """The same for a client of this process."""
        prefix = "ALPR_KAFKA_"
        env = self.env(user, mechanism, **changes)
        return KafkaSecurity(
            **{name.removeprefix(prefix).lower(): value for name, value in env.items() if name.startswith(prefix)}  # type: ignore[arg-type]  # pydantic reads the texts
        )

    def alpr(self, *arguments: str, env: dict[str, str], check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of the project."""
        done = subprocess.run(
            [BIN / "alpr", *arguments], env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    @contextmanager
    def reader(self, topic: Topic) -> Iterator[Callable[[], list[Any]]]:
        """Reads a topic as the administrator: each call gives all events so far."""
        codec = EventCodec(HttpRegistry(self.registry_url))
        config = {"bootstrap.servers": self.doors["kafka"], **self.security(ADMIN).librdkafka(), "group.id": "reader"}
        consumer = Consumer(config)
        consumer.assign([TopicPartition(topic.name, number, 0) for number in range(topic.partitions)])
        found: list[Any] = []

        def read() -> list[Any]:
            for message in consumer.consume(100, timeout=0.5):
                assert message.error() is None, message.error()
                with suppress(SchemaError):  # clocks and ticks stand between the events
                    found.append(codec.decode(topic, message.value() or b""))
            return found

        try:
            yield read
        finally:
            consumer.close()

    def put(self, topic: Topic, key: bytes, value: bytes) -> None:
        """Write a record as the administrator."""
        producer = Producer({"bootstrap.servers": self.doors["kafka"], **self.security(ADMIN, "PLAIN").librdkafka()})
        producer.produce(topic.name, value, key)
        assert producer.flush(20) == 0


def until(condition: Callable[[], Result], what: str, timeout_s: float = 40.0) -> Result:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    pytest.fail(f"{what} did not happen within {timeout_s:g} s")


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The servers with topics and rights, as an operator sets them up."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command makes the certificates of this test")
    folder = tmp_path_factory.mktemp("pki")
    authority, stranger = Authority(folder, "authority"), Authority(folder, "stranger")
    certificates = {
        "kafka": authority.sign("kafka", LOOPBACK),
        "expired": authority.sign("expired", LOOPBACK, days=-1),
        "elsewhere": authority.sign("elsewhere", "DNS:kafka.elsewhere.example"),
    }
    passwords = {user: f"{user}-password" for user in (ADMIN, *USERS)}
    servers = Stack(
        f"test-security-{os.getpid()}",
        services=(SecuredKafka(authority.certificate, certificates, passwords), SchemaRegistry()),
    )
    guardian = Guardian(servers)
    try:
        servers.start(free_ports=True, fresh=True)
        ports = next(service.ports for service in servers.services() if service.name == "kafka")
        running = Secured(
            authority=authority.certificate,
            stranger=stranger.certificate,
            passwords=passwords,
            doors={name: f"localhost:{ports[name]}" for name in DOORS},
            registry_url=servers.endpoints()["ALPR_REGISTRY_URL"],
        )
        chosen = [word for user in USERS for word in ("--for", user.removeprefix("alpr-"))]
        running.alpr("topics", "acls", "--apply", *chosen, env=running.env(ADMIN))
        running.alpr("topics", "apply", env=running.env("alpr-operator"))
        yield running
    finally:
        servers.destroy()
        guardian.release()
