"""Kafka's topics through the admin client: how they are, and carrying out a step of the plan."""

from collections.abc import Iterable
from concurrent.futures import Future
from time import monotonic, sleep

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented, not declared
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from cli.errors import CommandError
from cli.kafka_clients import TIMEOUT_S
from cli.topic_plan import Step, TopicState

MAX_REPLICAS = 3
POLL_S = 0.1


def broker_count(client: AdminClient) -> int:
    """Brokers that are up."""
    return len(client.list_topics(timeout=TIMEOUT_S).brokers)


def topic_states(client: AdminClient, names: Iterable[str] | None = None) -> dict[str, TopicState]:
    """Topics as they are; those that do not exist are left out.

    Args:
        client: admin client.
        names: only these; None: all of them.
    """
    metadata = client.list_topics(timeout=TIMEOUT_S)
    found = {
        name: topic
        for name, topic in metadata.topics.items()
        if topic.error is None and (names is None or name in set(names))
    }
    if not found:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in found]
    configs = {resource.name: future for resource, future in client.describe_configs(resources).items()}
    states = {}
    for name, topic in found.items():
        entries = configs[name].result(TIMEOUT_S)
        partitions = topic.partitions
        states[name] = TopicState(
            partitions=len(partitions),
            replicas=min((len(partition.replicas) for partition in partitions.values()), default=0),
            config={entry.name: entry.value for entry in entries.values()},
            leaderless=tuple(sorted(number for number, partition in partitions.items() if partition.leader < 0)),
        )
    return states


def carry_out(client: AdminClient, step: Step, replicas: int) -> None:
    """Do one step. A topic that somebody else has created meanwhile is fine.

    Raises:
        KafkaException: the broker refused.
    """
    name = step.topic.name
    future: Future[object]
    if step.action == "create":
        new = NewTopic(name, step.partitions, replicas, config=step.topic.config)
        future = client.create_topics([new], operation_timeout=TIMEOUT_S)[name]
        try:
            future.result(TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    elif step.action == "grow":
        client.create_partitions([NewPartitions(name, step.partitions)])[name].result(TIMEOUT_S)
    elif step.action == "alter":
        entries = [
            ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
            for setting, (_, value) in step.config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        client.incremental_alter_configs([resource])[resource].result(TIMEOUT_S)


def wait_for_leaders(client: AdminClient, partitions: dict[str, int], timeout_s: float) -> None:
    """Return when each partition of the topics has a leader: before that, producers and workers stumble.

    Args:
        client: admin client.
        partitions: topic name to number of partitions.
        timeout_s: how long to wait.

    Raises:
        CommandError: some have none after that time.
    """
    deadline = monotonic() + timeout_s
    while True:
        topics = client.list_topics(timeout=TIMEOUT_S).topics
        missing = [
            name
            for name, count in partitions.items()
            if name not in topics
            or len(topics[name].partitions) < count
            or any(partition.leader < 0 for partition in topics[name].partitions.values())
        ]
        if not missing:
            return
        if monotonic() > deadline:
            raise CommandError(
                f"no leader after {timeout_s:g} s for: {', '.join(sorted(missing))}. Are all brokers up?"
            )
        sleep(POLL_S)
