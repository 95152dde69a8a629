"""Live figures while the demo runs: how many records the topics hold, straight from Kafka."""

import sys
import time
from types import TracebackType

from confluent_kafka import Consumer, KafkaException, TopicPartition
from rich.console import Console
from rich.live import Live
from rich.table import Table

from cli.kafka_clients import client_config, connected
from schemas import topics
from schemas.endpoints import Endpoints
from schemas.topics import Topic

WATCHED: tuple[tuple[str, Topic], ...] = (
    ("detections published", topics.DETECTED),
    ("sighting revisions", topics.SIGHTINGS),
    ("alerts", topics.ALERTS),
    ("notification receipts", topics.NOTIFICATIONS),
    ("dead letters", topics.DLQ),
)
PLAIN_INTERVAL_S = 5.0
GROUP = "alpr-demo-progress"


class Progress:
    """A table that is redrawn on a terminal, and a line every few seconds elsewhere."""

    def __init__(self, console: Console, endpoints: Endpoints) -> None:
        self._console = console
        self._consumer = connected(
            Consumer, client_config(**{"bootstrap.servers": endpoints.kafka_bootstrap, "group.id": GROUP})
        )
        self._live = Live(console=console, refresh_per_second=4, transient=True) if sys.stdout.isatty() else None
        self._printed_at = 0.0

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        self._consumer.close()

    def show(self, stage: str) -> dict[str, int]:
        """Draw the figures of now, and return them by topic name."""
        counts = {topic.name: self._end(topic) for _, topic in WATCHED}
        if self._live is not None:
            table = Table(title=stage, title_justify="left", show_header=False, box=None)
            for label, topic in WATCHED:
                table.add_row(f"  {label}", f"[bold]{counts[topic.name]}[/bold]")
            self._live.update(table)
        elif time.monotonic() - self._printed_at >= PLAIN_INTERVAL_S:
            self._printed_at = time.monotonic()
            figures = ", ".join(f"{label} {counts[topic.name]}" for label, topic in WATCHED)
            self._console.print(f"  {stage}: {figures}", highlight=False)
        return counts

    def _end(self, topic: Topic) -> int:
        try:
            return sum(
                max(0, self._consumer.get_watermark_offsets(TopicPartition(topic.name, number), timeout=5)[1])
                for number in range(topic.partitions)
            )
        except KafkaException:
            return -1
