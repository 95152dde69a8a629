"""The agents of visits: from sightings by plate, by way of sightings by site, to visits."""

from dataclasses import replace
from typing import Any

from agents.decisions.gates import GATE_HEADER
from agents.decisions.visits import VisitSettings
from agents.rekey import Rekeyer
from agents.visit import Attendant
from schemas.events import Camera, Sighting, Tick, Visit
from schemas.record_kinds import kind_header
from schemas.topics import DLQ, METRICS, REKEYED_SITE, SIGHTINGS, TICKS, VISITS
from streams.guard import DeadLetterGuard
from streams.run import Output
from tests.unit.agents.detections import CODEC, SECOND, T0, plate
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run

CAMERAS = {
    "in": Camera(camera_id="in", site_id="north", role="entry"),
    "out": Camera(camera_id="out", site_id="north", role="exit"),
    "yard": Camera(camera_id="yard", site_id="north"),
}


def sighting(event_id: str, text: str, camera_id: str, at_s: float, revision: int = 1) -> Sighting:
    """A pass at a camera."""
    at = T0 + round(at_s * SECOND)
    return Sighting(
        event_id=event_id, captured_at=at, camera_id=camera_id, plate=plate(text), first_seen_at=at, last_seen_at=at,
        revision=revision, match_key=text,
    )  # fmt: skip


def record_of(item: Sighting, offset: int, **fields: Any) -> FakeRecord:
    """The sighting as deduplicate writes it."""
    return FakeRecord(
        CODEC.encode(SIGHTINGS, item), offset, item.match_key.encode(), topic=SIGHTINGS.name, **fields
    )  # fmt: skip


def rekeyer(cameras: dict[str, Camera] | None = None) -> Rekeyer:
    """A rekeyer with these cameras."""
    return Rekeyer(CODEC, CAMERAS if cameras is None else cameras, DeadLetterGuard("rekey", CODEC, now=lambda: T0))


def attendant(table: FakeTable, settings: VisitSettings | None = None) -> Attendant:
    """An attendant on this table."""
    guard = DeadLetterGuard("visit", CODEC, now=lambda: T0)
    return Attendant(table.as_run_table(), CODEC, settings or VisitSettings(), guard)


def arrived(outputs: list[Output], first: int = 0) -> list[FakeRecord]:
    """Outputs of the rekeyer, as they lie on their topic."""
    return [
        FakeRecord(output.value, first + offset, output.key, output.headers, REKEYED_SITE.name)
        for offset, output in enumerate(outputs)
        if output.topic == REKEYED_SITE.name
    ]


def visits_in(keeper: Keeper) -> list[Visit]:
    """Visits that were sent."""
    return [CODEC.decode(VISITS, output.value) for output in keeper.outputs if output.topic == VISITS.name]


async def rekeyed(*items: Sighting) -> list[FakeRecord]:
    """What the rekeyer makes of sightings, on one partition."""
    keeper = Keeper()
    await rekeyer().handle(make_run([record_of(item, offset) for offset, item in enumerate(items)], keeper))
    return arrived(keeper.outputs)


async def test_gate_sightings_go_on_by_site_with_their_bytes() -> None:
    """Those of other cameras do not; the header says which gate, and where the sighting stood."""
    keeper = Keeper()
    items = [sighting("e1", "AB1234", "in", 0), sighting("e2", "AB1234", "yard", 1), sighting("e3", "X9", "out", 2)]
    records = [record_of(item, 10 + number) for number, item in enumerate(items)]
    records[0] = replace(records[0], headers=(("traceparent", b"00-1"),))
    await rekeyer().handle(make_run(records, keeper))
    assert [(out.topic, out.key) for out in keeper.outputs] == [(REKEYED_SITE.name, b"north")] * 2
    assert dict(keeper.outputs[0].headers) == {
        "traceparent": b"00-1", "alpr-source": b"0/10/1764000000000", GATE_HEADER: b"entry",
    }  # fmt: skip
    assert dict(keeper.outputs[1].headers)[GATE_HEADER] == b"exit"
    assert CODEC.decode(REKEYED_SITE, keeper.outputs[0].value) == CODEC.decode(SIGHTINGS, records[0].value)


async def test_platform_without_gates_decodes_nothing_until_one_is_registered() -> None:
    """Not even garbage is looked at; a change of the registry is taken up."""
    cameras = {"yard": CAMERAS["yard"]}
    agent, keeper = rekeyer(cameras), Keeper()
    await agent.handle(make_run([FakeRecord(b"garbage", topic=SIGHTINGS.name)], keeper))
    assert keeper.outputs == []
    cameras["in"] = CAMERAS["in"]
    agent.forget_cameras()
    await agent.handle(make_run([FakeRecord(b"garbage", 1), record_of(sighting("e1", "AB1", "in", 0), 2)], keeper))
    assert [output.topic for output in keeper.outputs] == [DLQ.name, REKEYED_SITE.name]


async def test_ticks_of_one_partition_reach_every_site_once_a_minute() -> None:
    """Ticks stand in all partitions of the sightings; passing all on would be a flood."""
    agent, keeper = rekeyer(), Keeper()
    for at_s in (0, 1, 59, 61):
        tick = Tick(partition=3, at=T0 + at_s * SECOND, watermark=T0, rest=T0)
        value = CODEC.encode(TICKS, tick)
        for partition in (0, 1):
            record = FakeRecord(value, at_s, None, (kind_header(Tick),), topic=SIGHTINGS.name, partition=partition)
            await agent.handle(make_run([record], keeper))
    assert sorted(output.partition or 0 for output in keeper.outputs) == sorted([*range(8)] * 2)
    assert {output.headers for output in keeper.outputs} == {(kind_header(Tick),)}


async def test_sightings_become_a_visit_and_measurements_of_occupancy() -> None:
    """Entry and exit in one run: two revisions, keyed by the site, and two counts."""
    keeper, table = Keeper(), FakeTable()
    records = await rekeyed(sighting("e1", "AB1034", "in", 0), sighting("e2", "AB1O34", "out", 60))
    await attendant(table).handle(make_run(records, keeper))
    visits = visits_in(keeper)
    assert [(visit.outcome, visit.revision, visit.dwell_s) for visit in visits] == [
        ("open", 1, None),
        ("completed", 2, 60),
    ]
    assert {output.key for output in keeper.outputs if output.topic == VISITS.name} == {b"north"}
    counts = [CODEC.decode(METRICS, output.value) for output in keeper.outputs if output.topic == METRICS.name]
    assert [(metric.name, metric.value, metric.tags) for metric in counts] == [
        ("site_occupancy", 1.0, {"site_id": "north"}), ("site_occupancy", 0.0, {"site_id": "north"}),
    ]  # fmt: skip


async def test_state_lasts_and_a_replay_sends_nothing() -> None:
    """The exit in a later run, by another process; then both again, as after a crash."""
    keeper, table = Keeper(), FakeTable()
    records = await rekeyed(sighting("e1", "AB1034", "in", 0), sighting("e2", "AB1034", "out", 60))
    await attendant(table).handle(make_run(records[:1], keeper))
    await attendant(table).handle(make_run(records[1:], keeper))
    assert [visit.outcome for visit in visits_in(keeper)] == ["open", "completed"]
    before, again = dict(table.values), Keeper()
    moved = [replace(record, offset=record.offset + 9, timestamp=record.timestamp + 5) for record in records]
    await attendant(table).handle(make_run([*records, *moved], again))
    assert (again.outputs, table.values) == ([], before)


async def test_what_is_no_sighting_at_a_gate_is_a_dead_letter() -> None:
    """Garbage, no site, no gate; the good record beside them goes on."""
    keeper = Keeper()
    (good,) = await rekeyed(sighting("e1", "AB1034", "in", 0))
    bad = [
        replace(good, value=b"garbage"), replace(good, key=None), replace(good, key=b"\xff"), replace(good, headers=()),
    ]  # fmt: skip
    records = [replace(record, offset=number) for number, record in enumerate([*bad, good])]
    await attendant(FakeTable()).handle(make_run(records, keeper))
    letters = [CODEC.decode(DLQ, output.value) for output in keeper.outputs if output.topic == DLQ.name]
    assert [(letter.offset, letter.agent, letter.error_type) for letter in letters] == [
        (number, "visit", "SCHEMA_VALIDATION") for number in range(4)
    ]
    assert [visit.outcome for visit in visits_in(keeper)] == ["open"]


async def test_record_that_fails_half_way_leaves_no_half() -> None:
    """Rows that cannot be read are a dead letter, and what was changed before the failure is taken back."""
    keeper, table = Keeper(), FakeTable()
    records = await rekeyed(sighting("e1", "AB1034", "in", 0), sighting("e2", "AB1034", "out", 60))
    await attendant(table).handle(make_run(records[:1], keeper))
    (row,) = [key for key in table.values if key.startswith(b"5:north\x1fv\x1f")]
    table.values[row] = b"{broken"
    before = dict(table.values)
    await attendant(table).handle(make_run(records[1:], keeper))
    assert table.values == before
    assert keeper.outputs[-1].topic == DLQ.name


async def test_ticks_end_visits_of_sites_where_nothing_happens() -> None:
    """The slowest partition of detections decides how far time has gone."""
    keeper, table = Keeper(), FakeTable()
    agent = attendant(table, VisitSettings(max_stay_s=100, settle_s=10))
    await agent.handle(make_run(await rekeyed(sighting("e1", "AB1034", "in", 0)), keeper))
    for offset, (partition, at_s) in enumerate([(0, 50), (1, 5000), (0, 111)], start=1):
        tick = Tick(partition=partition, at=T0, watermark=T0 + at_s * SECOND, rest=T0)
        record = FakeRecord(CODEC.encode(TICKS, tick), offset, None, (kind_header(Tick),), REKEYED_SITE.name)
        assert [visit.outcome for visit in visits_in(keeper)] == ["open"]
        await agent.handle(make_run([record], keeper))
    assert [visit.outcome for visit in visits_in(keeper)] == ["open", "expired"]
