"""The core role once more, without Kafka, workers, checkpoints or RocksDB: what must come of a log.

The same agents read the records of their topics in the order of each partition, in one process that never fails; what
they change stays in memory. Runs are cut elsewhere than in the workers under test, which must make no difference.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Message
from faust.types import TP

from schemas.topics import DETECTED, ROUTED
from streams.run import Changes, Headers, Output, Run
from streams.table import RunTable

RUN_RECORDS = 777
Contents = dict[tuple[int, bytes], bytes]
"""(partition, key) -> value."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A Kafka record as runs hold it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @classmethod
    def of(cls, message: Message) -> "LogRecord":
        """From what librdkafka's consumer gives."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        headers: Any = message.headers() or ()
        return cls(topic, partition, offset, message.timestamp()[1], message.key(), message.value(), tuple(headers))


class OfflineCore:
    """Applies logs; keeps what came of them.

    Args:
        folder: for empty RocksDB files (reads of unknown keys go there).

    Attributes:
        outputs: topic -> what was sent to it, in order.
    """

    def __init__(self, folder: Path) -> None:
        os.environ.update(ALPR_DATADIR=str(folder), ALPR_ROLES="core")
        from agents import deduplicate, route  # the settings above come first

        assert deduplicate.app.settings.datadir == folder
        deduplicate.app.conf.tabledir.mkdir(parents=True)
        self._app = deduplicate.app
        self._handlers: dict[str, Callable[[Run], Awaitable[None]]] = {
            DETECTED.name: route.router().handle,
            ROUTED.name: deduplicate.deduplicator().handle,
        }
        self.outputs: dict[str, list[Output]] = defaultdict(list)

    @property
    def tables(self) -> list[RunTable]:
        """The role's tables."""
        return [table for table in self._app.tables.values() if isinstance(table, RunTable)]

    def apply(self, topic: str, messages: Iterable[Message]) -> None:
        """Handle the next records of a topic."""
        lanes: dict[int, list[LogRecord]] = defaultdict(list)
        for message in messages:
            record = LogRecord.of(message)
            lanes[record.partition].append(record)
        asyncio.run(self._apply(topic, lanes))

    async def _apply(self, topic: str, lanes: dict[int, list[LogRecord]]) -> None:
        for partition, records in sorted(lanes.items()):
            for start in range(0, len(records), RUN_RECORDS):
                part = records[start : start + RUN_RECORDS]
                await self._handlers[topic](Run(TP(topic, partition), part, 0, self, asyncio.Event()))

    async def finish_run(self, run: Run, changes: Changes, outputs: Iterable[Output]) -> bool:
        """Keep what a run did: this is the `streams.run.RunKeeper` of these runs."""
        for table, values in changes.items():
            table.store.stage(run.tp.partition, values)
        for output in outputs:
            self.outputs[output.topic].append(output)
        return True

    def contents(self, table: RunTable) -> Contents:
        """A table as it must be by now."""
        table.store.freeze()
        staged = table.store.frozen
        table.store.thaw()
        return {
            (partition, key): value
            for partition, changes in staged.items()
            for key, value in changes.items()
            if value is not None
        }
