"""Where partitions begin and end, asked from the broker by a client that the roles of a process share.

Not through a role's consumer: its thread has other work, and it is slow to come back exactly when one wants to look.
"""

import asyncio
from collections.abc import Iterable
from functools import cache
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # it declares no exports

from schemas.errors import Unavailable
from schemas.kafka_security import KafkaSecurity

GRACE_S = 1.0
Partition = tuple[str, int]
"""Topic and partition number."""


class PartitionEnds:
    """Asks for offsets.

    Args:
        bootstrap: Kafka servers.
        security: Kafka login.
        timeout_s: for one question.
    """

    def __init__(self, bootstrap: str, security: KafkaSecurity, timeout_s: float = 5.0) -> None:
        self._config = {"bootstrap.servers": bootstrap, **security.librdkafka(), "log_level": 2}
        self._timeout_s = timeout_s
        self._client: AdminClient | None = None

    async def latest(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Offset of the next record of each partition.

        Raises:
            Unavailable: no answer for one of them.
        """
        return await self._ask(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # untyped there

    async def earliest(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Offset of the oldest record of each partition that is still there.

        Raises:
            Unavailable: no answer for one of them.
        """
        return await self._ask(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # untyped there

    async def _ask(self, partitions: Iterable[Partition], spec: Any) -> dict[Partition, int]:
        question = {TopicPartition(topic, partition): spec for topic, partition in partitions}
        if not question:
            return {}
        client = self._client = self._client or AdminClient(self._config)
        answers = client.list_offsets(question, request_timeout=self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s + GRACE_S):
                return {
                    (tp.topic, tp.partition): (await asyncio.wrap_future(future)).offset
                    for tp, future in answers.items()
                }
        except (KafkaException, TimeoutError) as error:
            if self._client is client:
                # After a broker's restart the old client is refused for ever: its leader epochs are stale. Other
                # questions that wait for it keep it alive until they are answered.
                self._client = None
            raise Unavailable(f"Kafka does not tell the ends of partitions: {error!r}") from error


@cache
def partition_ends(bootstrap: str, security: KafkaSecurity) -> PartitionEnds:
    """The one that the roles of a process share."""
    return PartitionEnds(bootstrap, security)
