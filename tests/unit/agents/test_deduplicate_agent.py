"""The deduplicate agent: state and sightings of a run are handed over together."""

from dataclasses import replace
from typing import Any

import pytest

from agents.decisions.pass_settings import DeduplicationSettings
from agents.deduplicate import Deduplicator
from schemas.events import Clock, Detection, Tick
from schemas.record_kinds import is_event, is_of, kind_header
from schemas.topics import BY_NAME, CLOCKS, DLQ, SIGHTINGS, TICKS
from streams.guard import DeadLetterGuard
from streams.run import Output, Run
from tests.unit.agents.detections import CODEC, SECOND, T0, detection, value_of
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run


def deduplicator(table: FakeTable, clocks: FakeTable | None = None) -> Deduplicator:
    """A deduplicator on these tables."""
    guard = DeadLetterGuard("deduplicate", CODEC, now=lambda: T0)
    times = FakeTable() if clocks is None else clocks
    return Deduplicator(table.as_run_table(), times.as_run_table(), CODEC, DeduplicationSettings(), guard)


def run_of(keeper: Keeper, *items: Detection, first: int = 0, **fields: Any) -> Run:
    """A run of detections at consecutive offsets."""
    records = [
        FakeRecord(value_of(item), first + i, item.camera_id.encode(), topic="alpr.plates.routed", **fields)
        for i, item in enumerate(items)
    ]
    return make_run(records, keeper)


def sent(keeper: Keeper) -> list[tuple[str, int, bytes | None]]:
    """Sightings that were sent: id, revision, Kafka key."""
    events = [(CODEC.decode(SIGHTINGS, out.value), out.key) for out in keeper.outputs if _is_sighting(out)]
    return [(event.event_id, event.revision, key) for event, key in events]


def _is_sighting(out: Output) -> bool:
    return out.topic == SIGHTINGS.name and is_event(out.headers)


async def test_detections_become_sightings() -> None:
    """One sighting per pass, keyed by the folded plate."""
    keeper, table = Keeper(), FakeTable()
    await deduplicator(table).handle(
        run_of(keeper, detection("e1"), detection("e2", at_s=1), detection("e3", "XY987", at_s=2))
    )
    assert sent(keeper) == [("e1", 1, b"A81234"), ("e1", 2, b"A81234"), ("e3", 1, b"XY987")]
    assert list(table.values) == [b"gate"]


async def test_state_lasts_from_run_to_run() -> None:
    """A read in the next run joins the pass of the run before, also in another process."""
    keeper, table = Keeper(), FakeTable()
    await deduplicator(table).handle(run_of(keeper, detection("e1")))
    await deduplicator(table).handle(run_of(keeper, detection("e2", at_s=1), first=1))
    assert sent(keeper) == [("e1", 1, b"A81234"), ("e1", 2, b"A81234")]


async def test_cameras_have_passes_of_their_own() -> None:
    """The same plate at a second camera is a second sighting."""
    keeper, table = Keeper(), FakeTable()
    await deduplicator(table).handle(run_of(keeper, detection("e1"), replace(detection("e2"), camera_id="exit")))
    assert [event_id for event_id, _, _ in sent(keeper)] == ["e1", "e2"]
    assert sorted(table.values) == [b"exit", b"gate"]


async def test_run_that_is_read_again_after_a_crash_sends_nothing_new() -> None:
    """State was durable, offsets were not: the records are known."""
    keeper, table = Keeper(), FakeTable()
    agent = deduplicator(table)
    items = [detection("e1"), detection("e2", at_s=1)]
    await agent.handle(run_of(keeper, *items))
    before, sent_before = dict(table.values), sent(keeper)
    await agent.handle(run_of(keeper, *items))
    assert (table.values, sent(keeper)) == (before, sent_before)


async def test_router_that_sends_twice_is_seen_through() -> None:
    """The same raw record at another place in the log is known; nonsense in the header counts for nothing."""
    keeper, table = Keeper(), FakeTable()
    agent = deduplicator(table)
    source = (("alpr-source", b"3/17/1764000000000"),)
    await agent.handle(run_of(keeper, detection("e1"), headers=source))
    await agent.handle(run_of(keeper, detection("e1", at_s=500), first=9, headers=source))
    assert sent(keeper) == [("e1", 1, b"A81234")]
    for first, nonsense in enumerate((b"", b"1/2", b"a/b/c", b"9" * 5000, b"-1/2/3"), start=10):
        await agent.handle(
            run_of(keeper, detection(f"n{first}", f"XY{first}"), first=first, headers=(("alpr-source", nonsense),))
        )
    assert len(sent(keeper)) == 6


async def test_revoked_run_leaves_no_trace() -> None:
    """The next owner starts where this one did, and sends the same."""
    table = FakeTable()
    await deduplicator(table).handle(run_of(Keeper(revoked=True), detection("e1")))
    assert table.values == {}
    keeper = Keeper()
    await deduplicator(table).handle(run_of(keeper, detection("e1")))
    assert sent(keeper) == [("e1", 1, b"A81234")]


async def test_cutting_the_log_into_runs_changes_nothing() -> None:
    """One run of all, or one run each: the same sightings and the same state."""
    items = [detection(f"e{i}", "AB1234" if i % 3 else "XY987", at_s=i * 7, is_final=i % 2 == 0) for i in range(20)]
    keepers, tables = (Keeper(), Keeper()), (FakeTable(), FakeTable())
    await deduplicator(tables[0]).handle(run_of(keepers[0], *items))
    for offset, item in enumerate(items):
        await deduplicator(tables[1]).handle(run_of(keepers[1], item, first=offset))
    assert [output.value for output in keepers[0].outputs] == [output.value for output in keepers[1].outputs]
    assert tables[0] == tables[1]


async def test_garbage_on_the_routed_topic_is_dead_lettered() -> None:
    """Somebody wrote there by hand: a letter with the bytes, and the next record goes on."""
    keeper, table = Keeper(), FakeTable()
    good = value_of(detection("e1"))
    records = [
        FakeRecord(b"garbage", 0, topic="alpr.plates.routed"),
        FakeRecord(good, 1, b"another camera", topic="alpr.plates.routed"),
        FakeRecord(good, 2, topic="alpr.plates.routed"),
    ]
    await deduplicator(table).handle(make_run(records, keeper))
    letters = [CODEC.decode(BY_NAME[DLQ.name], out.value) for out in keeper.outputs if out.topic == DLQ.name]
    assert [(letter.offset, letter.value, letter.agent) for letter in letters] == [
        (0, b"garbage", "deduplicate"),
        (1, good, "deduplicate"),
    ]
    assert sent(keeper) == [("e1", 1, b"A81234")]


async def test_trace_headers_follow_the_detection() -> None:
    """The sighting carries the trace of the detection that made it."""
    keeper = Keeper()
    await deduplicator(FakeTable()).handle(run_of(keeper, detection("e1"), headers=(("traceparent", b"00-1"),)))
    assert keeper.outputs[0].headers == (("traceparent", b"00-1"),)


def clock_at(at_s: float, offset: int, **fields: Any) -> FakeRecord:
    """A clock record, so many seconds after `T0`."""
    value = CODEC.encode(CLOCKS, Clock(at=T0 + round(at_s * SECOND)))
    return FakeRecord(value, offset, None, headers=(kind_header(Clock),), topic="alpr.plates.routed", **fields)


def seen_at(item: Detection, offset: int) -> FakeRecord:
    """A record of a detection."""
    return FakeRecord(value_of(item), offset, item.camera_id.encode(), topic="alpr.plates.routed")


def ticks(keeper: Keeper) -> list[Tick]:
    """Ticks of the first partition of the sightings; the others have the same."""
    found = [out for out in keeper.outputs if is_of(Tick, out.headers)]
    values = {number: [out.value for out in found if out.partition == number] for number in range(TICKS.partitions)}
    assert all(of_partition == values[0] for of_partition in values.values())
    return [CODEC.decode_as(Tick, value) for value in values[0]]


async def test_clock_becomes_a_tick_for_every_partition() -> None:
    """It says how far the cameras are: all at first, then those that are not where the clock puts them."""
    keeper, table = Keeper(), FakeTable()
    slow = seen_at(replace(detection("e2", at_s=1), camera_id="slow"), 1)
    slow = replace(slow, headers=(("alpr-lateness-ms", b"60000"),))
    await deduplicator(table).handle(
        make_run([seen_at(detection("e1"), 0), slow, clock_at(5, 2), clock_at(6, 3), clock_at(66, 4)], keeper)
    )
    first, second, third = ticks(keeper)
    ten, minute = 10 * SECOND, 60 * SECOND
    at = T0 + 5 * SECOND
    assert first == Tick(
        partition=0, at=at, watermark=at - minute, rest=at - ten, is_full=True,
        cameras={"gate": at - ten, "slow": at - minute},
    )  # fmt: skip
    assert (second.cameras, second.is_full) == ({"slow": at + SECOND - minute}, False)
    assert third.is_full
    assert set(third.cameras) == {"gate", "slow"}


async def test_partition_without_cameras_does_not_tick() -> None:
    """There is nobody of whom anything could be said."""
    keeper = Keeper()
    await deduplicator(FakeTable()).handle(make_run([clock_at(5, 0)], keeper))
    assert keeper.outputs == []


async def test_idle_camera_sends_what_it_holds_back() -> None:
    """The third detection is told when the log's clock has come past gap and lateness."""
    keeper, table = Keeper(), FakeTable()
    agent = deduplicator(table)
    await agent.handle(run_of(keeper, *[detection(f"e{i}", at_s=i) for i in range(3)]))
    await agent.handle(make_run([clock_at(42, 3), clock_at(42.1, 4), clock_at(99, 5)], keeper))
    assert sent(keeper)[2:] == [("e0", 3, b"A81234")]


@pytest.mark.parametrize("size", [1, 2, 3, 30])
async def test_cutting_a_log_with_clocks_changes_nothing(size: int) -> None:
    """Runs, restarts and two owners of the partition give the same sightings, ticks and tables."""
    log = [
        record
        for i in range(10)
        for record in (
            seen_at(replace(detection(f"e{i}", at_s=i * 9), camera_id=f"gate-{i % 3}"), 3 * i),
            clock_at(i * 9 + 1, 3 * i + 1),
            clock_at(i * 9 + 60, 3 * i + 2),
        )
    ]
    whole, parts = Keeper(), Keeper()
    tables, clocks = (FakeTable(), FakeTable()), (FakeTable(), FakeTable())
    await deduplicator(tables[0], clocks[0]).handle(make_run(log, whole))
    owners = [deduplicator(tables[1], clocks[1]) for _ in range(2)]
    for number, start in enumerate(range(0, len(log), size)):
        await owners[number % 2].handle(make_run(log[start : start + size], parts))
    assert [out.value for out in parts.outputs] == [out.value for out in whole.outputs]
    assert (tables[0].values, clocks[0].values) == (tables[1].values, clocks[1].values)


async def test_replayed_clock_is_passed_over() -> None:
    """After a crash the ticks that were acknowledged are not sent again, and time does not go back."""
    keeper, table, clocks = Keeper(), FakeTable(), FakeTable()
    agent = deduplicator(table, clocks)
    run = [seen_at(detection("e1"), 0), clock_at(50, 1)]
    await agent.handle(make_run(run, keeper))
    before = dict(table.values), dict(clocks.values), len(keeper.outputs)
    await agent.handle(make_run(run, keeper))
    assert (table.values, clocks.values, len(keeper.outputs)) == before
    await agent.handle(make_run([clock_at(40, 2)], keeper))
    assert ticks(keeper)[-1].at == T0 + 50 * SECOND


async def test_clock_that_is_none_is_dead_lettered() -> None:
    """Whatever bears the header and is no clock."""
    keeper = Keeper()
    bad = replace(clock_at(1, 0), value=b"garbage")
    await deduplicator(FakeTable()).handle(make_run([bad], keeper))
    assert [out.topic for out in keeper.outputs] == [DLQ.name]


async def test_records_that_cannot_be_applied_leave_their_neighbours_alone() -> None:
    """State that cannot be read makes letters of its camera's records, wherever they stand in the run."""
    keeper, table = Keeper(), FakeTable({b"broken": b"[99]\n"})
    events = [
        detection("e0", camera_id="broken"),
        detection("e1"),
        detection("e2", camera_id="broken"),
        detection("e3", camera_id="broken"),
        detection("e4", "XY987", at_s=1),
        detection("e5", camera_id="broken"),
    ]
    await deduplicator(table).handle(run_of(keeper, *events))
    letters = [CODEC.decode(BY_NAME[DLQ.name], out.value) for out in keeper.outputs if out.topic == DLQ.name]
    assert [(letter.offset, letter.key) for letter in letters] == [(place, b"broken") for place in (0, 2, 3, 5)]
    assert [event_id for event_id, _, _ in sent(keeper)] == ["e1", "e4"]
    assert table.values[b"broken"] == b"[99]\n"
