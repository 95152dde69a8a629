"""The deduplicate agent: state and sightings of a run are handed over together."""

from dataclasses import replace
from typing import Any

from agents.decisions.pass_settings import DeduplicationSettings
from agents.deduplicate import Deduplicator
from schemas.events import Detection
from schemas.topics import BY_NAME, DLQ, SIGHTINGS
from streams.guard import DeadLetterGuard
from streams.run import Run
from tests.unit.agents.detections import CODEC, T0, detection, value_of
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run


def deduplicator(table: FakeTable) -> Deduplicator:
    """A deduplicator on this table."""
    guard = DeadLetterGuard("deduplicate", CODEC, now=lambda: T0)
    return Deduplicator(table.as_run_table(), CODEC, DeduplicationSettings(), guard)


def run_of(keeper: Keeper, *items: Detection, first: int = 0, **fields: Any) -> Run:
    """A run of detections at consecutive offsets."""
    records = [
        FakeRecord(value_of(item), first + i, item.camera_id.encode(), topic="alpr.plates.routed", **fields)
        for i, item in enumerate(items)
    ]
    return make_run(records, keeper)


def sent(keeper: Keeper) -> list[tuple[str, int, bytes | None]]:
    """Sightings that were sent: id, revision, Kafka key."""
    events = [(CODEC.decode(SIGHTINGS, out.value), out.key) for out in keeper.outputs if out.topic == SIGHTINGS.name]
    return [(event.event_id, event.revision, key) for event, key in events]


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
