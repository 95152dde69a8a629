"""From a run to a sink, with the fake sink."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agents.sinks.delivery import Delivery
from agents.sinks.measured import MeasuredSink
from agents.sinks.port import Rejection
from schemas.errors import SinkRejected, SinkUnavailable
from schemas.events import DeadLetter, Sighting, Tick
from schemas.record_kinds import kind_header
from schemas.topics import DLQ, SIGHTINGS
from streams.run import RunRevoked
from telemetry import metrics
from tests.unit.agents.sinks.memory_sink import BAD_CAMERA, MemorySink
from tests.unit.agents.sinks.runs import bench, finished, outputs
from tests.unit.agents.sinks.sightings import NOON, sighting


def count(outcome: str) -> float:
    """The sink's counter now."""
    value: float = metrics.SINK_RECORDS.labels("memory", outcome)._value.get()
    return value


async def writes(sink: MemorySink, count: int) -> None:
    """Wait until the sink was asked so often."""
    async with asyncio.timeout(5):
        while sink.writes < count:  # noqa: ASYNC110 - the fake has no event to wait for
            await asyncio.sleep(0.005)


async def test_run_is_written_and_finished() -> None:
    """All events of a run stand in the store before the run is finished."""
    work, sink = bench(), MemorySink()
    run = work.run(SIGHTINGS, [sighting("a"), sighting("b")])
    await Delivery("indexer", SIGHTINGS, sink, work.codec).handle(run)
    assert sink.rows.keys() == {"a", "b"}
    assert outputs(run) == []


async def test_bad_bytes_and_refused_records_become_dead_letters() -> None:
    """Each goes to the dead letters with its own bytes and reason, and the rest is written."""
    work, sink = bench(), MemorySink()
    refused = work.codec.encode(SIGHTINGS, replace(sighting("c"), camera_id=BAD_CAMERA))
    run = work.run(SIGHTINGS, [b"\xffrandom", sighting("b"), refused])
    await Delivery("indexer", SIGHTINGS, sink, work.codec).handle(run)
    letters = {letter.offset: letter for letter in work.letters(run)}
    assert sink.rows.keys() == {"b"}
    assert letters[0].value == b"\xffrandom"
    assert letters[0].error_type == "SCHEMA_VALIDATION"
    assert letters[2].value == refused
    assert (letters[2].agent, letters[2].topic, letters[2].message) == ("indexer", SIGHTINGS.name, "a bad camera")


async def test_ticks_among_sightings_are_passed_over() -> None:
    """They are neither written nor dead letters, and are not decoded."""
    work, sink = bench(), MemorySink()
    run = work.run(SIGHTINGS, [sighting("a"), b"no sighting"])
    tick = replace(run.records[1], headers=(kind_header(Tick),))  # type: ignore[type-var]  # a fake record
    run.records = [run.records[0], tick]
    await Delivery("indexer", SIGHTINGS, sink, work.codec).handle(run)
    assert sink.rows.keys() == {"a"}
    assert outputs(run) == []


async def test_run_of_bad_bytes_alone_needs_no_store() -> None:
    """Nothing to write: the store is not asked."""
    work, sink = bench(), MemorySink()
    sink.is_up = False
    run = work.run(SIGHTINGS, [b"\0", b""])
    await Delivery("indexer", SIGHTINGS, sink, work.codec).handle(run)
    assert len(outputs(run)) == 2
    assert sink.writes == 0


async def test_run_stays_open_while_the_store_is_away() -> None:
    """The offset is held and the same batch tried again until it is answered."""
    work, sink = bench(), MemorySink()
    sink.is_up, sink.retry_after_s = False, 0.01
    run = work.run(SIGHTINGS, [sighting("a")])
    task = asyncio.ensure_future(Delivery("indexer", SIGHTINGS, sink, work.codec).handle(run))
    await writes(sink, 3)
    assert not finished(run)
    sink.is_up = True
    await task
    assert finished(run)
    assert sink.rows.keys() == {"a"}


async def test_rebalance_ends_the_waiting() -> None:
    """A partition that goes away is not held by a store that does not answer; its next owner reads the run."""
    work, sink = bench(), MemorySink()
    sink.is_up, sink.retry_after_s = False, 30
    run = work.run(SIGHTINGS, [sighting("a")])
    task = asyncio.ensure_future(Delivery("indexer", SIGHTINGS, sink, work.codec).handle(run))
    await writes(sink, 1)
    run.revoking.set()  # type: ignore[attr-defined]  # the ledger's event behind the port
    with pytest.raises(RunRevoked):
        await task
    assert not finished(run)


class RefusesLetters:
    """A store that takes no dead letter."""

    name = "refuses"

    def __init__(self) -> None:
        self.seen: list[DeadLetter] = []

    async def setup(self) -> None:
        """Nothing to set up."""

    async def write(self, batch: Sequence[DeadLetter]) -> list[Rejection]:
        """Refuses all."""
        self.seen.extend(batch)
        return [Rejection(index, SinkRejected("no")) for index in range(len(batch))]

    async def healthy(self) -> bool:
        """It answers."""
        return True

    async def close(self) -> None:
        """Nothing to close."""


async def test_no_letters_about_letters() -> None:
    """What is wrong on the dead letter topic itself is logged, or letters would go round for ever."""
    work, sink = bench(), RefusesLetters()
    letter = DeadLetter(
        dead_letter_id="d", topic="t", partition=0, offset=1, recorded_at=NOON, key=None, value=None, agent="route",
        error_type="UNKNOWN", message="m", failed_at=NOON,
    )  # fmt: skip
    run = work.run(DLQ, [letter, b"random"])
    await Delivery("indexer", DLQ, sink, work.codec).handle(run)
    assert sink.seen == [letter]
    assert outputs(run) == []


async def test_sink_is_measured() -> None:
    """Written and refused records are counted under the sink's name; an outage shows as down."""
    sink = MemorySink()
    measured: MeasuredSink[Sighting] = MeasuredSink(sink)
    written, rejected = count("written"), count("rejected")
    await measured.write([sighting("a"), replace(sighting("b"), camera_id=BAD_CAMERA)])
    assert (count("written") - written, count("rejected") - rejected) == (1, 1)
    assert metrics.SINK_UP.labels("memory")._value.get() == 1
    sink.is_up = False
    with pytest.raises(SinkUnavailable):
        await measured.write([sighting("a")])
    assert metrics.SINK_UP.labels("memory")._value.get() == 0
