"""The correlate agent: what it passes over, and what it keeps of time."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.correlate import WATERMARKS_KEY, Correlator
from agents.decisions.correlation import WatchlistFeed
from agents.decisions.watermarks import Watermarks
from alert_rules.book import RuleBook
from schemas.events import Sighting, Tick
from schemas.record_kinds import kind_header
from schemas.topics import ALERTS, SIGHTINGS, TICKS
from streams.guard import DeadLetterGuard
from tests.unit.agents.detections import CODEC, T0
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run
from tests.unit.agents.sinks.sightings import sighting


@pytest.fixture
def watermarks() -> FakeTable:
    """The table of watermarks."""
    return FakeTable()


@pytest.fixture
def correlator(tmp_path: Path, watermarks: FakeTable) -> Correlator:
    """A correlator with a rule for everything at ``gate-1``."""
    for folder in ("rules", "watchlists"):
        (tmp_path / folder).mkdir()
    (tmp_path / "rules" / "all.yml").write_text("rules:\n  - {id: all, name: all, match: {cameras: gate-1}}\n")
    book = RuleBook(tmp_path / "rules", tmp_path / "watchlists")
    book.load()
    guard = DeadLetterGuard("correlate", CODEC, now=lambda: T0)
    feed = WatchlistFeed(book.watchlists, CODEC)
    return Correlator(book, feed, CODEC, guard, FakeTable().as_run_table(), watermarks.as_run_table())


def record(event: Sighting | Tick, offset: int) -> FakeRecord:
    """A record of the sightings' topic."""
    if isinstance(event, Tick):
        return FakeRecord(CODEC.encode(TICKS, event), offset, None, (kind_header(Tick),), SIGHTINGS.name)
    return FakeRecord(CODEC.encode(SIGHTINGS, event), offset, event.match_key.encode(), topic=SIGHTINGS.name)


async def test_ticks_are_kept_and_raise_nothing(correlator: Correlator, watermarks: FakeTable) -> None:
    """How far the cameras are is there for the next run; ticks are neither sightings nor dead letters."""
    keeper = Keeper()
    first = Tick(partition=3, at=T0, watermark=T0 - 60, rest=T0 - 10, cameras={"slow": T0 - 60}, is_full=True)
    second = replace(first, at=T0 + 5, watermark=T0 - 55, cameras={"slow": T0 - 55}, is_full=False)
    await correlator.handle(make_run([record(first, 0), record(sighting(), 1)], keeper))
    await correlator.handle(make_run([record(second, 2), record(first, 3)], keeper))
    known = Watermarks.decode(watermarks.values[WATERMARKS_KEY])
    assert (known.of_camera("slow"), known.of_partition(3), known.clock) == (T0 - 55, T0 - 55, T0 + 5)
    assert [out.topic for out in keeper.outputs] == [ALERTS.name]


async def test_tick_that_cannot_be_read_stops_nothing(correlator: Correlator, watermarks: FakeTable) -> None:
    """It is logged; time goes on with the next one."""
    keeper = Keeper()
    bad = replace(record(Tick(partition=0, at=1, watermark=1, rest=1), 0), value=b"garbage")
    await correlator.handle(make_run([bad], keeper))
    assert keeper.finished == 1
    assert WATERMARKS_KEY not in watermarks.values


async def test_sighting_that_went_into_an_older_one_raises_nothing(correlator: Correlator) -> None:
    """It is no pass of its own any more; the older one is told in a revision."""
    keeper = Keeper()
    await correlator.handle(make_run([record(sighting(revision=3, merged_into="older"), 0)], keeper))
    assert keeper.outputs == []
    await correlator.handle(make_run([record(sighting("older", revision=3), 1)], keeper))
    assert [out.topic for out in keeper.outputs] == [ALERTS.name]
