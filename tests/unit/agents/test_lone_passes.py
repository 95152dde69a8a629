"""What is decided at a glance is decided as it is of the decoded detection."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.decisions.lone_passes import LoneAdmission, LoneKeeper
from agents.decisions.pass_settings import DeduplicationSettings
from agents.deduplicate import Deduplicator
from schemas.events import CharacterAlternative, Clock, Detection, Plate, Vehicle
from schemas.record_kinds import kind_header
from schemas.topics import CLOCKS, ROUTED
from streams.guard import DeadLetterGuard
from streams.run import Output
from tests.unit.agents.detections import CODEC, SECOND, T0, detection, value_of
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run
from tests.unit.agents.test_run_cuts import log_of

SETTINGS = DeduplicationSettings(gap_s=20, lateness_s=10, early_hold_s=60, max_passes=8)
RUN_RECORDS = 7


def tracks_of(seed: int) -> list[FakeRecord]:
    """Vehicles that are read early and once more, with what may be different the second time."""
    dice = random.Random(seed)
    seen: list[tuple[int, Detection]] = []
    for number in range(dice.randint(1, 12)):
        at = number * dice.randrange(20)
        track = dice.choice((None, f"t{number}", "t"))
        early = replace(_read(dice, f"e{number}", at), track_id=track, is_final=False, reads=3)
        final = replace(
            _read(dice, f"e{number}", at + dice.choice((0, 0, 0, 1))),
            track_id=dice.choice((track, track, track, None)),
            plate=dice.choice((early.plate, _plate(dice), _plate(dice))),
            last_seen_at=early.last_seen_at + dice.randrange(30) * SECOND,
            reads=dice.choice((3, 9)),
        )
        moment = at + 1
        for item in dice.choice(((early, final), (early, final), (final,), (early, early, final), (final, early))):
            seen.append((moment, item))
            moment += dice.randrange(1, 30)
    seen.sort(key=lambda one: one[0])
    log = []
    for offset, (moment, item) in enumerate(seen):
        if dice.random() < 0.1:
            clock = CODEC.encode(CLOCKS, Clock(at=T0 + (moment + 40) * SECOND))
            log.append(FakeRecord(clock, 2 * offset, None, (kind_header(Clock),), ROUTED.name, timestamp=offset))
        lateness = (("alpr-lateness-ms", b"30000"),) if dice.random() < 0.2 else ()
        log.append(FakeRecord(value_of(item), 2 * offset + 1, headers=lateness, topic=ROUTED.name, timestamp=offset))
    return log


def _read(dice: random.Random, event_id: str, at: int) -> Detection:
    made = detection(event_id, at_s=at, until_s=at + 1, vehicle=dice.choice((None, Vehicle(color="red"))))
    return replace(made, plate=_plate(dice), direction=dice.choice((None, "ein", "ä")))


def _plate(dice: random.Random) -> Plate:
    text = dice.choice(("AB1034", "ABI034", "XY98", "QQ11", "", "京A1234"))
    characters = tuple((CharacterAlternative(char, 0.6), CharacterAlternative("4", 0.3)) for char in text)
    return Plate(text, text, dice.random(), "de", dice.choice((characters, characters[:-1], ())))


def apply(log: list[FakeRecord]) -> tuple[list[Output], dict[bytes, bytes], dict[bytes, bytes]]:
    """Outputs and tables of a log."""
    keeper, passes, clocks = Keeper(), FakeTable(), FakeTable()
    guard = DeadLetterGuard("deduplicate", CODEC, now=lambda: T0)
    agent = Deduplicator(passes.as_run_table(), clocks.as_run_table(), CODEC, SETTINGS, guard)
    for start in range(0, len(log), RUN_RECORDS):
        asyncio.run(agent.handle(make_run(log[start : start + RUN_RECORDS], keeper)))
    return keeper.outputs, passes.values, clocks.values


def in_full(log: list[FakeRecord]) -> tuple[list[Output], dict[bytes, bytes], dict[bytes, bytes]]:
    """The same with each detection decoded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.deduplicate.glance", lambda _codec, _value: None)
        return apply(log)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_tracks_are_decided_alike(seed: int) -> None:
    """Outputs and tables are the same to the byte, for tracks as they usually come."""
    assert apply(tracks_of(seed)) == in_full(tracks_of(seed))


@pytest.mark.thorough
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_any_log_is_decided_alike(seed: int) -> None:
    """The same for reads that bridge, part, come late and come again."""
    assert apply(log_of(seed)) == in_full(log_of(seed))


def test_usual_track_is_decided_at_a_glance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its early and its final message, both: else the comparison above compares nothing."""
    answers: list[LoneAdmission | None] = []
    decide = LoneKeeper.admit

    def admit(*args: Any, **named: Any) -> LoneAdmission | None:
        answers.append(decide(*args, **named))
        return answers[-1]

    monkeypatch.setattr(LoneKeeper, "admit", admit)
    early = detection("e1", track_id="1", is_final=False)
    items = (early, replace(early, is_final=True, reads=9, last_seen_at=early.last_seen_at + SECOND))
    apply([FakeRecord(value_of(item), offset, topic=ROUTED.name) for offset, item in enumerate(items)])
    assert [answer.is_new for answer in answers if answer is not None] == [True, False]
