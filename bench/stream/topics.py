"""What the bench asks Kafka: how far a group has committed, how long topics are, and everything in a topic."""

from collections.abc import Iterator

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # documented, not declared

from bench.stream.job import PARTITIONS

TIMEOUT_S = 15.0


class Topics:
    """Questions to one broker.

    Args:
        bootstrap: its address.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def committed(self, group: str, topic: str) -> int:
        """Records of a topic that a group has committed; 0 while the group is unknown."""
        question = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, p) for p in range(PARTITIONS)])
        (future,) = self._admin.list_consumer_group_offsets([question], request_timeout=TIMEOUT_S).values()
        try:
            return sum(max(0, tp.offset) for tp in future.result().topic_partitions)
        except KafkaException:  # its coordinator is loading
            return 0

    def length(self, topic: str) -> int:
        """Records of a topic without deletions."""
        question = {TopicPartition(topic, p): OffsetSpec.latest() for p in range(PARTITIONS)}  # type: ignore[no-untyped-call]  # untyped there
        answers = self._admin.list_offsets(question, request_timeout=TIMEOUT_S).values()
        return sum(answer.result().offset for answer in answers)

    def records(self, topic: str) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of a topic, in order within its partitions."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "bench", "enable.partition.eof": True})
        try:
            consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
            ended = 0
            while ended < PARTITIONS:
                for message in consumer.consume(5000, 1.0):
                    if message.error():
                        ended += 1
                    else:
                        yield message.key() or b"", message.value() or b""
        finally:
            consumer.close()

    def delete(self, *topics: str) -> None:
        """Remove topics; one that is not there is no error."""
        for future in self._admin.delete_topics(list(topics)).values():
            try:
                future.result(TIMEOUT_S)
            except KafkaException:
                continue
