"""The agents of the alerts role over the partitions of their topics, without a broker."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from agents.correlate import Correlator
from agents.correlation_stage import CorrelationStage, StageReader
from agents.decisions.correlation import WatchlistFeed
from agents.decisions.stage_records import INPUTS, partition_of, sources_of
from alert_rules.book import RuleBook
from schemas.events import Alert, Sighting, Tick
from schemas.record_kinds import kind_header
from schemas.topics import ALERTS, SIGHTINGS, TICKS
from streams.guard import DeadLetterGuard
from streams.run import Output, Run
from tests.unit.agents.detections import CODEC, T0
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run

PARTITIONS = SIGHTINGS.partitions


class CountingTable(FakeTable):
    """A table that counts how often it is asked."""

    asked = 0

    def get_many(self, run: Run, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """See `FakeTable`."""
        self.asked += 1
        return super().get_many(run, keys)

    def scan(self, run: Run, start: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """See `FakeTable`."""
        self.asked += 1
        return super().scan(run, start, stop)

    __hash__ = FakeTable.__hash__


class Lane:
    """One partition of every topic that the role reads, with its state.

    Args:
        book: rules in force.

    Attributes:
        tables: of the stages.
    """

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self.tables = [CountingTable() for _ in INPUTS]
        self._rest = [FakeTable(), FakeTable()]
        self.restart()

    def restart(self) -> None:
        """A new process on the same tables."""
        guards = [DeadLetterGuard(name, CODEC, now=lambda: T0) for name in ("correlate", "groups", "pairs")]
        stages = [
            CorrelationStage(number, table.as_run_table(), self._book, CODEC, guard)
            for number, (table, guard) in enumerate(zip(self.tables, guards, strict=True))
        ]
        feed, (memory, watermarks) = WatchlistFeed(self._book.watchlists, CODEC), self._rest
        first = Correlator(
            self._book, feed, CODEC, guards[0], memory.as_run_table(), watermarks.as_run_table(), stages[0]
        )
        self._agents: list[Any] = [first, *(StageReader(stages[each], CODEC, guards[each]) for each in (1, 2))]

    async def handle(self, stage: int, *records: FakeRecord, revoked: bool = False) -> list[Output]:
        """Let a stage's agent work off a run."""
        keeper = Keeper(revoked=revoked)
        await self._agents[stage].handle(make_run(records, keeper))
        assert keeper.finished == 1
        return keeper.outputs


class Lanes:
    """All partitions.

    Args:
        folder: for the rule file.
        rules: its text.
    """

    def __init__(self, folder: Path, rules: str) -> None:
        for name in ("rules", "watchlists"):
            (folder / name).mkdir()
        self._file = folder / "rules" / "r.yml"
        self._file.write_text(rules)
        self.book = RuleBook(folder / "rules", folder / "watchlists")
        self.book.load()
        self.lanes = [Lane(self.book) for _ in range(PARTITIONS)]

    def take_rules(self, text: str) -> None:
        """Other rules take effect."""
        self._file.write_text(text)
        assert self.book.refresh()

    async def work(self, inputs: Iterable[Sighting | Tick], dice: Random) -> list[Output]:
        """Let all stages work: cut into runs at random, processes restarted now and then.

        Returns:
            All outputs.
        """
        logs: dict[int, list[FakeRecord]] = defaultdict(list)
        for each in inputs:
            for partition in (
                [partition_of(each.match_key, PARTITIONS)] if isinstance(each, Sighting) else range(PARTITIONS)
            ):
                logs[partition].append(record(each, len(logs[partition]), partition))
        found: list[Output] = []
        for stage in range(len(INPUTS)):
            sent = [output for number, log in logs.items() for output in await self._work(stage, number, log, dice)]
            found += sent
            logs = defaultdict(list)
            for output in sent if stage + 1 < len(INPUTS) else ():
                if output.topic == INPUTS[stage + 1].name:
                    assert output.partition is not None
                    logs[output.partition].append(from_output(output, len(logs[output.partition])))
        return found

    async def _work(self, stage: int, number: int, log: list[FakeRecord], dice: Random) -> list[Output]:
        found: list[Output] = []
        start = 0
        while start < len(log):
            stop = start + dice.randint(1, 40)
            if dice.random() < 0.1:
                self.lanes[number].restart()
            if dice.random() < 0.1:  # the partition goes and comes back: nothing was kept
                await self.lanes[number].handle(stage, *log[start:stop], revoked=True)
            found += await self.lanes[number].handle(stage, *log[start:stop])
            start = stop
        return found


def record(event: Sighting | Tick, offset: int, partition: int = 0) -> FakeRecord:
    """A record of the sightings' topic."""
    if isinstance(event, Tick):
        return FakeRecord(CODEC.encode(TICKS, event), offset, None, (kind_header(Tick),), SIGHTINGS.name, partition)
    value = CODEC.encode(SIGHTINGS, event)
    return FakeRecord(value, offset, event.match_key.encode(), (), SIGHTINGS.name, partition)


def from_output(output: Output, offset: int = 0) -> FakeRecord:
    """An output as its reader gets it."""
    return FakeRecord(output.value, offset, output.key, output.headers, output.topic, output.partition or 0)


def ticks(until_us: int) -> list[Tick]:
    """Every source of time says that nothing before this comes any more."""
    return [Tick(partition=one, at=until_us, watermark=until_us, rest=until_us) for one in range(sources_of(0))]


def alerts_of(outputs: Iterable[Output]) -> list[Alert]:
    """The alerts among outputs."""
    return [CODEC.decode(ALERTS, one.value) for one in outputs if one.topic == ALERTS.name]
