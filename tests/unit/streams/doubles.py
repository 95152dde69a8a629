"""Doubles behind the ports of the stream core, and things that tests need often."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from faust.types import TP, Message

from streams.ledger import RunLedger
from streams.outbox import Outbox, Parcel
from streams.role import Role
from streams.role_app import RoleApp
from streams.run import Changes, Headers, Output, Run
from streams.settings import StreamSettings

TOPIC = "reads"
TP0 = TP(TOPIC, 0)


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """A Kafka record as the consumer gives it."""

    offset: int
    value: bytes | None = b"value"
    key: bytes | None = b"key"
    headers: Headers = ()
    topic: str = TOPIC
    partition: int = 0
    timestamp: int = 1_700_000_000_000
    timestamp_type: int = 0


def records(first: int, count: int, **fields: Any) -> list[FakeRecord]:
    """Consecutive records."""
    return [FakeRecord(offset, **fields) for offset in range(first, first + count)]


class FakeKeeper:
    """Keeps what runs hand over."""

    def __init__(self) -> None:
        self.finished: list[tuple[Run, Changes, list[Output]]] = []

    async def finish_run(self, run: Run, changes: Changes, outputs: Iterable[Output]) -> bool:
        """As the consumer does, without a table."""
        if run.stale:
            return False
        self.finished.append((run, changes, list(outputs)))
        return True


def make_run(items: Sequence[FakeRecord], ledger: RunLedger | None = None, tp: TP = TP0, size_bytes: int = 10) -> Run:
    """A run of these records."""
    ledger = ledger or RunLedger(100, 1_000_000)
    return Run(tp, items, size_bytes, FakeKeeper(), ledger.revoking)


def message_of(run: Run) -> Message:
    """The Faust message that carries a run."""
    last = run.records[-1]
    return Message(
        run.tp.topic, run.tp.partition, last.offset, last.timestamp / 1000, 0, [], None,
        cast("bytes", run), None, 0, 0, run.tp, generation_id=1,
    )  # fmt: skip


class FakeOutbox(Outbox):
    """A client that acknowledges when it is told to, in the order of sending.

    Attributes:
        sent: what the client took.
        auto: acknowledge at every look.
        refuse: a topic whose records are refused at delivery.
        capacity: how many it takes at once.
    """

    def __init__(self, *, auto: bool = True, max_unacknowledged: int = 50_000) -> None:
        super().__init__(max_unacknowledged)
        self.sent: list[Output] = []
        self.auto = auto
        self.refuse: str | None = None
        self.capacity = 1_000_000
        self._waiting: list[tuple[Parcel, Output]] = []
        self._ends: dict[tuple[str, int], int] = {}

    async def _send(self, parcel: Parcel, limit: int) -> None:
        for _ in range(min(limit, len(parcel.records), self.capacity)):
            output = parcel.records[0]
            self.sent.append(output)
            self._waiting.append((parcel, output))
            self._sent(parcel)

    def _serve(self) -> None:
        if self.auto:
            self.acknowledge()

    def acknowledge(self, count: int | None = None) -> None:
        """Answer for the oldest records that wait."""
        for parcel, output in self._waiting[:count]:
            error = ValueError("refused") if output.topic == self.refuse else None
            partition = output.partition or 0
            offset = self._ends.get((output.topic, partition), 0)
            self._ends[output.topic, partition] = offset + 1
            self._acknowledged(parcel, error, partition, offset)
        del self._waiting[:count]


@dataclass
class Journal:
    """What happened, in order."""

    entries: list[str] = field(default_factory=list)

    def note(self, entry: str) -> None:
        """Add an entry."""
        self.entries.append(entry)


def make_app(folder: Path, name: str = "test", **settings: Any) -> RoleApp:
    """A role that nobody starts."""
    made = StreamSettings(datadir=folder, **settings)
    return RoleApp(Role(name, (), "a role under test"), made, "localhost:1", primary=True)
