"""The set of passes and their contents do not depend on the order of reads, within the lateness bound."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.decisions.pass_contents import contents_of, loader, total
from agents.decisions.pass_settings import DeduplicationSettings
from agents.decisions.passes import PassKeeper
from agents.decisions.track_reads import agree, track_read
from schemas.events import CharacterAlternative, Detection, Plate, Sighting, Vehicle
from schemas.identity import confusable, fold, normalise
from tables.passes import CameraPasses
from tests.unit.agents.detections import SECOND, T0, read, value_of

pytestmark = pytest.mark.thorough

GAP_S, LATENESS_S = 20, 30
SETTINGS = DeduplicationSettings(gap_s=GAP_S, lateness_s=LATENESS_S, early_hold_s=60, max_passes=100)
FAMILIES = (("AB1034", "A81O34", "AB103A"), ("AB1035", "A8I035"), ("XY98",))
Content = tuple[Any, ...]


@dataclass(frozen=True)
class Seen:
    """A vehicle's message and when it arrives."""

    detection: Detection
    delays: tuple[int, int]


def scene_of(seed: int) -> list[Seen]:
    """Messages of a camera, each with its delays in two orders; early ones stand before their final ones in both.

    Evenly drawn: passes that have to be bridged are rare among the small values that hypothesis likes.
    """
    dice = random.Random(seed)
    families = dice.sample(FAMILIES, dice.randint(1, len(FAMILIES)))
    found: list[Seen] = []
    for number in range(dice.randint(2, 12)):
        family = dice.choice(families)
        text = dice.choice(family)
        normalized = normalise(text)
        characters = tuple(
            (CharacterAlternative(char, 0.6), CharacterAlternative("4" if char == "A" else "8", 0.35))
            for char in normalized
        )
        at = T0 + dice.randint(0, 100) * SECOND
        final = Detection(
            event_id=f"e{number}",
            captured_at=at,
            camera_id="gate",
            track_id=dice.choice((None, f"{family[0]}-1", f"{family[0]}-2")),  # a track follows one vehicle
            plate=Plate(text, normalized, dice.randint(1, 9) / 10, characters=dice.choice((characters, ()))),
            vehicle=dice.choice((None, Vehicle(color="red"), Vehicle(type="car", confidence=0.5))),
            first_seen_at=at,
            last_seen_at=at + dice.choice((0, 0, 2, 8)) * SECOND,
            reads=dice.randint(1, 30),
        )
        final = read(value_of(final))
        bound = LATENESS_S * SECOND
        delays = (dice.randint(0, bound), dice.randint(0, bound))
        if dice.random() < 0.4:
            early = replace(final, is_final=False, last_seen_at=at, reads=1)
            found.append(Seen(early, (dice.randint(0, delays[0]), dice.randint(0, delays[1]))))
            if dice.random() < 0.4:
                continue
        found.append(Seen(final, delays))
    return found


scenes = st.integers(0, 2**32).map(scene_of)


def in_order(scene: Sequence[Seen], which: int) -> list[Detection]:
    """The messages as they arrive."""
    arrivals = sorted(
        enumerate(scene), key=lambda item: (item[1].detection.captured_at + item[1].delays[which], item[0])
    )
    return [seen.detection for _, seen in arrivals]


def passes_of(log: Sequence[Detection], clock_every: int = 0) -> tuple[list[Content], list[Sighting]]:
    """The contents of the passes as the last revisions tell them, and all revisions.

    Args:
        log: of the camera.
        clock_every: let the clock run far ahead after so many records; 0: only at the end.
    """
    keeper, state = PassKeeper(SETTINGS), CameraPasses.decode(None, loader(read))
    sightings: list[Sighting] = []
    clock = 0
    for offset, item in enumerate(log):
        if clock_every and offset % clock_every == 0:
            clock = T0 + 1000 * SECOND
            sightings += keeper.settle(state, clock)[0]
        sightings += keeper.admit(
            state, item, value=value_of(item), offset=offset, recorded_at_ms=offset, clock=clock
        ).sightings
    sightings += keeper.settle(state, T0 + 2000 * SECOND)[0]
    last = {sighting.event_id: sighting for sighting in sightings}
    return sorted(content_of(one) for one in last.values() if one.merged_into is None), sightings


def content_of(sighting: Sighting) -> Content:
    """What a sighting says, apart from its id, frozen fields and history."""
    assert sighting.resolved is not None
    assert sighting.plate is not None
    return (
        *(sighting.first_seen_at, sighting.last_seen_at, sighting.detections, sighting.reads, sighting.is_final),
        *(sighting.resolved.text, sighting.resolved.confidence, sighting.plate.text, sighting.plate.confidence),
        *(str(sighting.vehicle), str(sighting.images), str(sighting.track_id)),
    )


def closure(log: Sequence[Detection]) -> list[set[str]]:
    """The passes by their definition: detections at their last message, joined as long as two groups are linked."""
    newest = {item.event_id: item for item in log if not item.is_final}
    newest |= {item.event_id: item for item in log if item.is_final}
    groups: list[list[Detection]] = [[item] for item in newest.values()]
    while (pair := next((pair for pair in combinations(groups, 2) if linked(*pair)), None)) is not None:
        groups = [group for group in groups if group not in pair] + [pair[0] + pair[1]]
    return [{item.event_id for item in group} for group in groups]


def linked(a: list[Detection], b: list[Detection]) -> bool:
    """Whether two groups are one pass: two of their reads are near in time and may be of one plate."""
    return any(may_be_one(x, y) for x in a for y in b if are_near(x, y))


def are_near(a: Detection, b: Detection) -> bool:
    """Whether two detections are no further apart than the gap."""
    return max(a.first_seen_at - b.last_seen_at, b.first_seen_at - a.last_seen_at) <= GAP_S * SECOND


def may_be_one(a: Detection, b: Detection) -> bool:
    """The texts are confusable, or one is a likely misread of the other on the same track."""
    assert a.plate is not None
    assert b.plate is not None
    if confusable(a.plate.normalized_text, b.plate.normalized_text):
        return True
    x, y = track_read(a), track_read(b)
    return x is not None and y is not None and x.track_id == y.track_id and agree(x, y, SETTINGS.track_likelihood)


@settings(max_examples=150, deadline=None)
@given(scenes)
def test_any_order_within_lateness_gives_the_same_passes(scene: list[Seen]) -> None:
    """Two orders of the same messages end in the same passes with the same contents: those of the definition."""
    logs = in_order(scene, 0), in_order(scene, 1)
    one, other = (passes_of(log)[0] for log in logs)
    assert one == other
    assert [sum(content[2] for content in one), len(one)] == [
        len({seen.detection.event_id for seen in scene}),
        len(closure(logs[0])),
    ]


@settings(max_examples=60, deadline=None)
@given(scenes)
def test_passes_have_the_contents_of_their_detections(scene: list[Seen]) -> None:
    """Each pass of the definition is a sighting with the sum of its detections."""
    log = in_order(scene, 0)
    newest = {item.event_id: item for item in log if not item.is_final}
    newest |= {item.event_id: item for item in log if item.is_final}
    expected = []
    for group in closure(log):
        contents = total([contents_of(newest[name], value_of(newest[name])) for name in sorted(group)])
        expected.append((contents.first_seen_at, contents.last_seen_at, contents.detections, contents.reads))
    assert sorted(content[:4] for content in passes_of(log)[0]) == sorted(expected)


@settings(max_examples=60, deadline=None)
@given(scenes, st.integers(1, 4))
def test_idle_times_change_nothing(scene: list[Seen], clock_every: int) -> None:
    """A clock that runs ahead settles passes, and late reads open them again: the passes are the same."""
    log = in_order(scene, 0)
    assert passes_of(log, clock_every)[0] == passes_of(log)[0]


@settings(max_examples=60, deadline=None)
@given(scenes, st.integers(0, 4))
def test_same_log_gives_the_same_revisions(scene: list[Seen], clock_every: int) -> None:
    """Ids and revisions are those of the log."""
    log = in_order(scene, 1)
    assert passes_of(log, clock_every)[1] == passes_of(log, clock_every)[1]


@settings(max_examples=60, deadline=None)
@given(scenes)
def test_withdrawn_sightings_lead_to_one_that_stays(scene: list[Seen]) -> None:
    """The links of merged sightings end at one that is a pass, and nothing is said of them afterwards."""
    _, sightings = passes_of(in_order(scene, 1))
    last = {one.event_id: one for one in sightings}
    for one in sightings:
        if one.merged_into is not None:
            assert last[one.event_id] is one
            end = one
            while end.merged_into is not None:
                end = last[end.merged_into]
            assert end.detections > one.detections or end.event_id != one.event_id


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_near_plate_is_never_swallowed(seed: int) -> None:
    """Whatever early messages had said, the detections of a pass are confusable once their final ones are there."""
    dice = random.Random(seed)
    messages: list[tuple[int, Detection]] = []
    for number in range(dice.randint(2, 12)):
        at = dice.randint(0, 40)
        family = dice.choice(FAMILIES)
        for is_final, after in ((False, 0), (True, dice.randint(1, 20))):
            text = dice.choice(dice.choice(FAMILIES) if dice.random() < 0.3 else family)
            item = Detection(
                event_id=f"e{number}",
                captured_at=T0 + at * SECOND,
                camera_id="gate",
                plate=Plate(text, text, 0.9),
                first_seen_at=T0 + at * SECOND,
                last_seen_at=T0 + at * SECOND,
                is_final=is_final,
            )
            messages.append((at + after, read(value_of(item))))
    log = [item for _, item in sorted(messages, key=lambda message: message[0])]
    keeper, state = PassKeeper(SETTINGS), CameraPasses.decode(None, loader(read))
    for offset, item in enumerate(log):
        keeper.admit(state, item, value=value_of(item), offset=offset, recorded_at_ms=offset)
    says = {item.event_id: item.plate.normalized_text for item in log if item.is_final and item.plate is not None}
    for found in state.passes:
        assert len({fold(says[event_id]) for event_id in found.finals}) == 1
    assert sum(len(found.finals) for found in state.passes) == len(says)
