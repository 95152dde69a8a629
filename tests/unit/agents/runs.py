"""Runs and tables for tests of agents, behind the ports of the real ones."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from faust.types import TP

from streams.run import Changes, Headers, Output, Run
from streams.table import RunTable


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """A Kafka record as the consumer gives it."""

    value: bytes | None
    offset: int = 0
    key: bytes | None = b"gate"
    headers: Headers = ()
    topic: str = "alpr.plates.detected"
    partition: int = 0
    timestamp: int = 1_764_000_000_000


@dataclass
class FakeTable:
    """A table of one partition that holds what finished runs wrote."""

    values: dict[bytes, bytes] = field(default_factory=dict)

    def get_many(self, _run: Run, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """As `RunTable.get_many`."""
        return {key: self.values.get(key) for key in keys}

    def scan(self, _run: Run, start: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """As `RunTable.scan`."""
        return iter(
            [(key, self.values[key]) for key in sorted(self.values) if start <= key and (stop is None or key < stop)]
        )

    def apply(self, changes: Mapping[bytes, bytes | None]) -> None:
        """What a finished run changed."""
        for key, value in changes.items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value

    def __hash__(self) -> int:
        return id(self)

    def as_run_table(self) -> RunTable:
        """For constructors that want the real one."""
        return cast(RunTable, self)


@dataclass
class Keeper:
    """Takes what runs hand over."""

    outputs: list[Output] = field(default_factory=list)
    finished: int = 0
    revoked: bool = False

    async def finish_run(self, _run: Run, changes: Changes, outputs: Iterable[Output]) -> bool:
        """As the consumer does: nothing is kept of a revoked run."""
        self.finished += 1
        if self.revoked:
            return False
        self.outputs += outputs
        for table, changed in changes.items():
            cast(Any, table).apply(changed)
        return True


def make_run(records: Sequence[FakeRecord], keeper: Keeper) -> Run:
    """A run of these records."""
    size = sum(len(record.value or b"") for record in records)
    return Run(TP(records[0].topic, records[0].partition), records, size, keeper, asyncio.Event())
