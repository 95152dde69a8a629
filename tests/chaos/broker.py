"""The Kafka of the stack, seen by a test: topics, records, committed offsets."""

from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # documented, not declared

from tests.chaos.waiting import until
from tests.connected.streams.reads import Read, partition_of

PARTITIONS = 4


class Broker:
    """The Kafka of the stack.

    Args:
        bootstrap: ``host:port``.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})

    def create(self, *names: str, partitions: int = PARTITIONS, config: dict[str, str] | None = None) -> None:
        """Create topics and wait until they are there. One that exists is left as it is."""
        new = [NewTopic(name, partitions, 1, config=config or {}) for name in names if name not in self.topics()]
        for future in self._admin.create_topics(new).values() if new else ():
            future.result()
        until(lambda: self.topics() >= set(names), f"creation of {names}", 10)

    def topics(self) -> set[str]:
        """Names of all topics."""
        return set(self._admin.list_topics(timeout=10).topics)

    def produce(self, topic: str, items: Sequence[tuple[bytes | None, bytes | None, int]]) -> None:
        """Write (key, value, partition) in order."""
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "log_level": 2, "enable.idempotence": True, "linger.ms": 20}
        )
        for number, (key, value, partition) in enumerate(items):
            producer.produce(topic, value, key, partition)
            if number % 1000 == 0:
                producer.poll(0)
            while len(producer) > 50_000:  # librdkafka refuses more than 100,000
                producer.poll(0.05)
        assert producer.flush(120) == 0

    def produce_reads(self, topic: str, reads: Sequence[Read]) -> None:
        """Write reads, each key in its partition."""
        self.produce(topic, [(read.key, read.encode(), partition_of(read, PARTITIONS)) for read in reads])

    def drain(self, topic: str, after: dict[int, int] | None = None) -> list[Message]:
        """All records of a topic, now; of partitions in `after` only those from that offset on."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "log_level": 2,
                "group.id": "drain",
                "enable.partition.eof": True,
                "fetch.message.max.bytes": 13_000_000,
                "fetch.queue.backoff.ms": 5,
            }
        )
        try:
            partitions = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, number, (after or {}).get(number, 0)) for number in partitions])
            records: list[Message] = []
            ended: set[int | None] = set()
            while len(ended) < len(partitions):
                for message in consumer.consume(5000, 1.0):
                    if message.error():
                        ended.add(message.partition())
                    else:
                        records.append(message)
            return records
        finally:
            consumer.close()

    def end(self, topic: str) -> int:
        """Sum of the end offsets of a topic's partitions."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "log_level": 2, "group.id": "drain"})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            return sum(consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=10)[1] for n in partitions)
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> int:
        """Committed offsets of a group, summed over the partitions."""
        return sum(self.committed_offsets(group, topic).values())

    def committed_offsets(self, group: str, topic: str) -> dict[int, int]:
        """Committed offsets of a group by partition; 0 where nothing is committed."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "log_level": 2, "group.id": group})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            tps = [TopicPartition(topic, partition) for partition in partitions]
            return until(lambda: self._committed(consumer, tps), "an answer of the coordinator", 60)
        finally:
            consumer.close()

    @staticmethod
    def _committed(consumer: Consumer, tps: list[TopicPartition]) -> dict[int, int]:
        try:
            return {tp.partition: max(0, tp.offset) for tp in consumer.committed(tps, timeout=10)}
        except KafkaException:  # a new group's coordinator is still loading
            return {}
