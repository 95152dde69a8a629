"""How the passes of a camera lie in the table, and when their decoded form may be used again."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agents.decisions.pass_contents import loader
from agents.decisions.pass_settings import DeduplicationSettings
from agents.decisions.passes import PassKeeper
from agents.deduplicate import Deduplicator
from schemas.errors import SchemaError
from schemas.events import Detection
from streams.guard import DeadLetterGuard
from tables.passes import CameraPasses
from tables.recent_passes import RecentPasses
from tests.unit.agents.detections import CODEC, T0, detection, read, value_of
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run

KEEPER = PassKeeper(DeduplicationSettings(gap_s=30, lateness_s=10, early_hold_s=600))
LOG = [
    detection("e1", is_final=False, track_id="1"),
    detection("x", "XY987", at_s=1),
    detection("e1", at_s=2, track_id="1", reads=9),
    detection("e2", "A81234", at_s=3, alternatives=["A4", "B8", "1", "2", "3", "4"]),
]


def admit(state: CameraPasses, item: Detection, offset: int) -> None:
    """Apply a detection."""
    KEEPER.admit(state, item, value=value_of(item), offset=offset, recorded_at_ms=offset)


def state_of(log: list[Detection]) -> CameraPasses:
    """The state after a log."""
    state = CameraPasses.decode(None, loader(read))
    for offset, item in enumerate(log):
        admit(state, item, offset)
    return state


def layout_2(value: bytes) -> bytes:
    """The same value as the version before wrote it: bare track ids, no watermark."""
    head, _, rest = value.partition(b"\n")
    *fields, _, _, sizes = json.loads(head)
    parts = []
    for size in sizes:
        line, _, stored = rest[:size].partition(b"\n")
        rest = rest[size:]
        header = json.loads(line)
        header[8] = list(header[8])
        header[9] = [read[1] for read in header[9]]
        parts.append(json.dumps(header).encode() + b"\n" + stored)
    return json.dumps([2, *fields[1:], list(map(len, parts))]).encode() + b"\n" + b"".join(parts)


def layout_1(value: bytes) -> bytes:
    """The same value as the version before that wrote it: the lines of all passes in the first one."""
    head, _, rest = layout_2(value).partition(b"\n")
    *fields, sizes = json.loads(head)
    lines: list[Any] = []
    contents = b""
    for size in sizes:
        part, rest = rest[:size], rest[size:]
        line, _, stored = part.partition(b"\n")
        lines.append(json.loads(line))
        contents += stored
    return json.dumps([1, *fields[1:], lines]).encode() + b"\n" + contents


@pytest.mark.parametrize("older", [layout_1, layout_2])
def test_value_of_versions_before_is_read(older: Callable[[bytes], bytes]) -> None:
    """An update must not lose the passes; what their tracks read was not kept."""
    state = state_of(LOG)
    found = CameraPasses.decode(older(state.encode()), loader(read))
    assert (found.offset, found.newest_at, found.watermark) == (state.offset, state.newest_at, 0)
    for mine, theirs in zip(found.passes, state.passes, strict=True):
        assert (mine.event_id, set(mine.folds), mine.finals, mine.total or mine.settled) == (
            theirs.event_id,
            set(theirs.folds),
            theirs.finals,
            theirs.settled,
        )
        assert {one.track_id for one in mine.tracked} == {one.track_id for one in theirs.tracked}


def test_value_of_an_unknown_layout_is_refused() -> None:
    """The message names the layouts."""
    with pytest.raises(ValueError, match="layout 9; this version reads layouts 1 to 3"):
        CameraPasses.decode(b"[9,0,0,0,{},[]]\n", loader(read))


def test_encoding_between_detections_changes_nothing() -> None:
    """Contents that were forgotten come back from their bytes, and what has changed is written."""
    state = CameraPasses.decode(None, loader(read))
    for offset, item in enumerate(LOG):
        admit(state, item, offset)
        state.encode()
        assert state.encode() == state_of(LOG[: offset + 1]).encode()


def test_contents_that_rest_are_not_kept_decoded() -> None:
    """Memory goes with what is touched, not with what is open."""
    loads = 0

    def load(stored: bytes) -> Any:
        nonlocal loads
        loads += 1
        return loader(read)(stored)

    state = CameraPasses.decode(state_of(LOG[:2]).encode(), load)
    admit(state, LOG[2], 2)
    assert loads == 1  # only the pass that the detection joins
    state.encode()
    state.encode()
    admit(state, LOG[3], 3)
    assert loads == 2


def test_kept_state_is_given_for_its_own_value_only() -> None:
    """A value that another worker or an earlier run wrote is decoded."""
    recent = RecentPasses(loader(read), 1_000_000)
    state = state_of(LOG)
    value = state.encode()
    recent.put(b"gate", value, state)
    other = recent.take(b"gate", state_of(LOG[:2]).encode())
    assert other is not state
    assert other.offset == 1
    recent.put(b"gate", value, state)
    assert recent.take(b"exit", value) is not state
    assert recent.take(b"gate", bytes(bytearray(value))) is state
    assert recent.take(b"gate", value) is not state  # given once, it is its taker's
    recent.put(b"gate", value, state)
    assert recent.take(b"gate", None).passes == []


def test_kept_bytes_are_bounded() -> None:
    """The camera that was not seen for longest goes first."""
    state = state_of(LOG)
    value = state.encode()
    recent = RecentPasses(loader(read), 2 * len(value))
    states = {camera: state_of(LOG) for camera in (b"a", b"b", b"c")}
    for camera in (b"a", b"b", b"a", b"c"):
        recent.put(camera, value, states[camera])
    assert [recent.take(camera, value) is states[camera] for camera in (b"a", b"b", b"c")] == [True, False, True]
    nothing = RecentPasses(loader(read), 0)
    nothing.put(b"a", value, state)
    assert nothing.take(b"a", value) is not state


async def test_run_that_was_not_kept_is_decided_again_from_the_table() -> None:
    """The deduplicator's memory of a revoked run does not count."""
    table = FakeTable()
    guard = DeadLetterGuard("deduplicate", CODEC, now=lambda: T0)
    agent = Deduplicator(table.as_run_table(), FakeTable().as_run_table(), CODEC, DeduplicationSettings(), guard)
    records = [
        FakeRecord(value_of(item), offset, topic="alpr.plates.routed", timestamp=offset)
        for offset, item in enumerate(LOG)
    ]
    await agent.handle(make_run(records[:2], Keeper()))
    revoked, kept = Keeper(revoked=True), Keeper()
    await agent.handle(make_run(records[2:], revoked))
    await agent.handle(make_run(records[2:], kept))
    assert len(kept.outputs) == 2
    expected = CameraPasses.decode(table.values[b"gate"], loader(read))
    assert expected.offset == 3
    assert expected.encode() == state_of(LOG).encode()


def test_stored_bytes_that_do_not_decode_leave_the_state_as_it_was() -> None:
    """The detection that meets them is refused; the pass is still found by the next one."""

    def broken(_: bytes) -> Any:
        raise SchemaError("gone")

    value = state_of(LOG[:2]).encode()
    state = CameraPasses.decode(value, broken)
    for _ in range(2):
        with pytest.raises(SchemaError):
            admit(state, LOG[2], 2)
        assert state.encode() == value
