"""What agents stand on, in one process and without Kafka: records, runs of them, a table and a keeper of outputs."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from zlib import crc32

from faust.types import TP

from streams.run import Changes, Headers, Output, Run
from streams.table import RunTable


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A Kafka record as a consumer gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(eq=False)
class MemoryTable:
    """A table as agents see it."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    written_bytes: int = 0

    def get_many(self, _run: Run, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """As `RunTable.get_many`."""
        return {key: self.values.get(key) for key in keys}

    def scan(self, _run: Run, start: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """As `RunTable.scan`."""
        return ((key, self.values[key]) for key in sorted(self.values) if start <= key and (stop is None or key < stop))

    def as_run_table(self) -> RunTable:
        """For constructors that want the real one."""
        return cast(RunTable, self)


@dataclass
class OutputKeeper:
    """Takes what runs hand over, as the consumer of the transport does."""

    outputs: list[tuple[int, Output]] = field(default_factory=list)

    async def finish_run(self, run: Run, changes: Changes, outputs: Iterable[Output]) -> bool:
        """Keep everything."""
        newest = max(record.timestamp for record in run.records)
        self.outputs += [(newest, output) for output in outputs]
        for table, changed in changes.items():
            memory = cast(Any, table)
            for key, value in changed.items():
                memory.written_bytes += len(value or b"")
                if value is None:
                    memory.values.pop(key, None)
                else:
                    memory.values[key] = value
        return True


def log_of(topic: str, partitions: int, items: Iterable[tuple[int, Output]]) -> list[LogRecord]:
    """Outputs (with their time in ms) as the log of their topic; those for other topics are left out."""
    offsets: dict[int, int] = defaultdict(int)
    log = []
    for timestamp_ms, output in items:
        if output.topic != topic:
            continue
        partition = crc32(output.key or b"") % partitions
        log.append(
            LogRecord(topic, partition, offsets[partition], timestamp_ms, output.key, output.value, output.headers)
        )
        offsets[partition] += 1
    return log


def runs_of(log: Sequence[LogRecord], keeper: OutputKeeper, records: int) -> list[Run]:
    """The log in runs of so many records: as a consumer gets it that is that far behind in each partition."""
    waiting: dict[int, list[LogRecord]] = defaultdict(list)
    runs = []
    for record in log:
        held = waiting[record.partition]
        held.append(record)
        if len(held) == records:
            runs.append(_run(waiting.pop(record.partition), keeper))
    return [*runs, *(_run(held, keeper) for held in waiting.values() if held)]


def _run(records: Sequence[LogRecord], keeper: OutputKeeper) -> Run:
    size = sum(len(record.value or b"") for record in records)
    return Run(TP(records[0].topic, records[0].partition), records, size, keeper, asyncio.Event())
