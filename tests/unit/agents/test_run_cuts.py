"""Where a log is cut into runs, and who reads which of them, changes nothing: not a byte of the tables."""

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.decisions.pass_settings import DeduplicationSettings
from agents.deduplicate import Deduplicator
from schemas.codec import EventCodec
from schemas.events import CharacterAlternative, Clock, Detection, Images, Plate, Vehicle
from schemas.identity import normalise
from schemas.record_kinds import kind_header
from schemas.registry import MemoryRegistry
from schemas.topics import CLOCKS, ROUTED
from streams.guard import DeadLetterGuard
from tests.unit.agents.detections import SECOND, T0
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run

pytestmark = pytest.mark.thorough

SETTINGS = DeduplicationSettings(gap_s=20, lateness_s=10, early_hold_s=60, max_passes=6, max_ids=4, max_tracks=3)
REGISTRY = MemoryRegistry()
CODEC = EventCodec(REGISTRY)
TEXTS = ("AB1034", "A81O34", "AB103A", "AB1035", "XY98", "---", "京A1234")
CAMERAS = ("gate", "exit")


def log_of(seed: int) -> list[FakeRecord]:
    """Records of one partition: reads that bridge, part, come late and come again, and the clock between them."""
    dice = random.Random(seed)
    log: list[FakeRecord] = []
    now = 0
    for offset in range(dice.randint(2, 60)):
        now += dice.choice((0, 1, 1, 3, 15))
        if dice.random() < 0.1:
            clock = CODEC.encode(CLOCKS, Clock(at=T0 + (now + dice.choice((0, 60))) * SECOND))
            log.append(FakeRecord(clock, offset, None, (kind_header(Clock),), ROUTED.name, timestamp=offset))
            continue
        seen = _detection(dice, T0 + (now - dice.choice((0, 0, 5, 25))) * SECOND)
        lateness = dice.choice(((), (), (("alpr-lateness-ms", b"30000"),), (("alpr-lateness-ms", b"1000"),)))
        value = CODEC.encode(ROUTED, seen)
        log.append(FakeRecord(value, offset, seen.camera_id.encode(), lateness, ROUTED.name, timestamp=offset))
    return log


def _detection(dice: random.Random, at: int) -> Detection:
    text = dice.choice(TEXTS)
    normalized = normalise(text)
    characters = tuple((CharacterAlternative(char, 0.6), CharacterAlternative("4", 0.3)) for char in normalized)
    return Detection(
        event_id=f"e{dice.randrange(30)}",
        captured_at=at,
        camera_id=dice.choice(CAMERAS),
        track_id=dice.choice((None, "1", "2", "3")),
        plate=Plate(text, normalized, dice.random(), characters=dice.choice((characters, ()))),
        vehicle=dice.choice((None, Vehicle(color="red", confidence=dice.random()))),
        images=dice.choice((Images(), Images(plate_url="s3://b/1"))),
        first_seen_at=at,
        last_seen_at=at + dice.randrange(3) * SECOND,
        reads=dice.randrange(9),
        is_final=dice.random() < 0.6,
    )


def apply(log: list[FakeRecord], cuts: list[int], restarts: set[int]) -> tuple[list[object], dict[bytes, bytes]]:
    """Outputs and table of a log in runs; at some of the cuts another worker goes on, which knows the tables only."""
    keeper, passes, clocks = Keeper(), FakeTable(), FakeTable()
    worker: Deduplicator | None = None
    for start, end in zip([0, *cuts], [*cuts, len(log)], strict=True):
        if worker is None or start in restarts:
            codec = EventCodec(REGISTRY)
            guard = DeadLetterGuard("deduplicate", codec, now=lambda: T0)
            worker = Deduplicator(passes.as_run_table(), clocks.as_run_table(), codec, SETTINGS, guard)
        asyncio.run(worker.handle(make_run(log[start:end], keeper)))
    return [(out.topic, out.key, out.value, out.partition, out.headers) for out in keeper.outputs], passes.values


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_tables_do_not_depend_on_runs_and_restarts(seed: int, cut_seed: int) -> None:
    """One run in one worker, or runs of any size in workers that follow each other: the same outputs and bytes."""
    log, dice = log_of(seed), random.Random(cut_seed)
    cuts = sorted(dice.sample(range(1, len(log)), dice.randrange(len(log))))
    restarts = {cut for cut in cuts if dice.random() < 0.5}
    assert apply(log, cuts, restarts) == apply(log, [], set())


async def test_first_detection_of_a_process_is_stored_as_all_others_are() -> None:
    """A process that meets a schema for the first time decodes it by another way: nobody may see that."""
    tables = []
    seen = replace(_detection(random.Random(3), T0), track_id="1", camera_id="gate", plate=Plate(
        "AB1034", "AB1034", 0.9, characters=tuple((CharacterAlternative(char, 0.6),) for char in "AB1034")
    ))  # fmt: skip
    value = CODEC.encode(ROUTED, seen)
    for is_prepared in (False, True):
        codec = EventCodec(REGISTRY)
        if is_prepared:
            codec.prepare(ROUTED)
        table = FakeTable()
        guard = DeadLetterGuard("deduplicate", codec, now=lambda: T0)
        worker = Deduplicator(table.as_run_table(), FakeTable().as_run_table(), codec, SETTINGS, guard)
        await worker.handle(make_run([FakeRecord(value, topic=ROUTED.name)], Keeper()))
        tables.append(table.values)
    assert tables[0] == tables[1]
