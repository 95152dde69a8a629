"""Apache Kafka: one node that is broker and KRaft controller at once, from the Maven jars."""

import subprocess
from pathlib import Path
from typing import Any, ClassVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from compose.local.artifacts import Artifact
from compose.local.errors import NotReady, StartFailed
from compose.local.processes import Launch
from compose.local.registries import maven_jars
from compose.local.service import Place, Service
from compose.local.tools import JAVA, MAVEN, Tool

_VERSION = "4.1.0"
_CLUSTER_ID = "QUxQUi1sb2NhbC1zdGFjaw"  # 16 bytes in base64url: "ALPR-local-stack"
_LOGGING = tuple(
    f"-Dorg.slf4j.simpleLogger.{key}={value}"
    for key, value in {"defaultLogLevel": "warn", "showDateTime": "true", "dateTimeFormat": "HH:mm:ss.SSS"}.items()
)
_LARGEST_MESSAGE_BYTES = 13 * 1024 * 1024  # a dead letter of 12 MB plus its batch and headers


class Kafka(Service):
    """Kafka 4.1 in KRaft mode; topics are made by `alpr topics apply`, never by a client's accident."""

    name: ClassVar[str] = "kafka"
    version: ClassVar[str] = _VERSION
    usual_ports: ClassVar[dict[str, int]] = {"kafka": 9092, "controller": 9093}
    internal_ports: ClassVar[frozenset[str]] = frozenset({"controller"})
    tools: ClassVar[tuple[Tool, ...]] = (JAVA,)
    stop_timeout_s: ClassVar[float] = 20.0

    def artifacts(self) -> tuple[Artifact, ...]:
        """The broker's jars; slf4j-simple writes warnings to the log file."""
        return (Artifact(self.name, self.version, "fetching jars (43 MB)", (MAVEN, JAVA), _fetch),)

    def prepare(self, place: Place) -> None:
        """Writes server.properties and formats the log folder the first time.

        Raises:
            StartFailed: the format tool refused.
        """
        place.folder.mkdir(parents=True, exist_ok=True)
        properties = place.folder / "server.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in self.properties(place).items()))
        if (place.data / "meta.properties").exists():
            return
        done = subprocess.run(
            [
                *_java("-XX:TieredStopAtLevel=1", classpath=self._jars()),
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                _CLUSTER_ID,
                "--config",
                str(properties),
                *self.format_options(),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StartFailed(f"kafka: formatting its log folder failed:\n{done.stdout}{done.stderr}")

    def launch(self, place: Place) -> Launch:
        """The broker with a heap that a laptop has to spare."""
        return Launch(
            argv=[
                *_java("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", *_LOGGING, classpath=self._jars()),
                "kafka.Kafka",
                str(place.folder / "server.properties"),
            ],
            environment={},
        )

    def check(self, place: Place) -> None:
        """Asks for the cluster's metadata, and for a controller, without which no topic can be made.

        Raises:
            NotReady: no answer, or no controller yet.
        """
        client = AdminClient({**self.client_config(place), "log_level": 0, "socket.timeout.ms": 3000})
        try:
            metadata = client.list_topics(timeout=3)
        except KafkaException as error:
            raise NotReady(error.args[0].str()) from error
        if not metadata.brokers:
            raise NotReady("no broker in the metadata")

    def environment(self, place: Place) -> dict[str, str]:
        """Bootstrap address."""
        return {"ALPR_KAFKA_BOOTSTRAP": place.address("kafka")}

    def properties(self, place: Place) -> dict[str, object]:
        """What stands in server.properties; a broker with other listeners adds to it."""
        return _properties(place)

    def format_options(self) -> tuple[str, ...]:
        """More options of the format tool, such as the users of a broker that wants a login."""
        return ()

    def client_config(self, place: Place) -> dict[str, Any]:
        """How the health check connects."""
        return {"bootstrap.servers": place.address("kafka")}

    def _jars(self) -> Path:
        return self.artifacts()[0].folder


def _fetch(folder: Path) -> None:
    maven_jars(folder, f"org.apache.kafka:kafka_2.13:{_VERSION}", "org.slf4j:slf4j-simple:1.7.36")


def _java(*options: str, classpath: Path) -> list[str]:
    return [str(JAVA.require()), *options, "-Xshare:auto", "-cp", f"{classpath}/*"]


def _properties(place: Place) -> dict[str, object]:
    """Single-node settings: replication of one everywhere, small buffers, and no surprises for tests."""
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{place.address('controller')}",
        "listeners": f"PLAINTEXT://{place.address('kafka')},CONTROLLER://{place.address('controller')}",
        "advertised.listeners": f"PLAINTEXT://{place.address('kafka')}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": place.data,
        "auto.create.topics.enable": "false",
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # a killed broker may register again only once its old session has expired
        "broker.session.timeout.ms": 6000,
        "broker.heartbeat.interval.ms": 500,
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": _LARGEST_MESSAGE_BYTES,
        "replica.fetch.max.bytes": _LARGEST_MESSAGE_BYTES,
        "socket.request.max.bytes": 4 * _LARGEST_MESSAGE_BYTES,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "log.segment.bytes": 64 * 1024 * 1024,
    }
