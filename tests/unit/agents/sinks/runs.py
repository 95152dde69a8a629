"""Runs of encoded events, and a codec without a registry server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faust.types import TP

from schemas.codec import EventCodec
from schemas.events import DeadLetter
from schemas.registry import MemoryRegistry
from schemas.topics import DLQ, Topic
from streams.run import Output, Run
from tests.unit.streams.doubles import FakeKeeper, FakeRecord, make_run


@dataclass
class Bench:
    """What a test of a delivery needs."""

    codec: EventCodec

    def run(self, topic: Topic, events: Sequence[Any]) -> Run:
        """A run of events; bytes stand as they are."""
        values = [event if isinstance(event, bytes) else self.codec.encode(topic, event) for event in events]
        records = [FakeRecord(offset, value, topic=topic.name) for offset, value in enumerate(values)]
        return make_run(records, tp=TP(topic.name, 0))

    def letters(self, run: Run) -> list[DeadLetter]:
        """The dead letters that the run was finished with."""
        return [self.codec.decode(DLQ, output.value) for output in outputs(run)]


def bench() -> Bench:
    """With a registry in memory."""
    return Bench(EventCodec(MemoryRegistry()))


def finished(run: Run) -> bool:
    """Whether the run was handed over."""
    keeper = run._keeper
    assert isinstance(keeper, FakeKeeper)
    return bool(keeper.finished)


def outputs(run: Run) -> list[Output]:
    """What the run was finished with."""
    keeper = run._keeper
    assert isinstance(keeper, FakeKeeper)
    ((_, _, made),) = keeper.finished
    return made
