"""What must hold of passes for any log of detections."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.decisions.pass_contents import combine, contents_of, loader, total
from agents.decisions.pass_settings import DeduplicationSettings
from agents.decisions.passes import PassKeeper
from schemas.events import CharacterAlternative, Detection, Images, Plate, Sighting, Vehicle
from schemas.identity import confusable, normalise
from tables.passes import CameraPasses, SourcePosition
from tests.unit.agents.detections import SECOND, T0, read, value_of

pytestmark = pytest.mark.thorough

SETTINGS = DeduplicationSettings(gap_s=30, lateness_s=10, early_hold_s=120, max_passes=50)
QUICK = settings(max_examples=40, deadline=None)
LOAD = loader(read)
TEXTS = ("AB1034", "ABI034", "A81O34", "AB1035", "XY98", "ÄÖ7", "--", "京A1234")
FOREVER = DeduplicationSettings(gap_s=30, lateness_s=1e6, early_hold_s=1e6, max_passes=1000)


@st.composite
def plates(draw: st.DrawFn) -> Plate:
    """Plates with and without alternatives."""
    text = draw(st.sampled_from(TEXTS))
    normalized = normalise(text)
    characters: tuple[tuple[CharacterAlternative, ...], ...] = ()
    if draw(st.booleans()):
        others = draw(st.lists(st.sampled_from("0OB8X"), min_size=len(normalized), max_size=len(normalized)))
        characters = tuple(
            (CharacterAlternative(char, 0.7), CharacterAlternative(other, 0.2))
            for char, other in zip(normalized, others, strict=True)
        )
    return Plate(text, normalized, draw(st.floats(0, 1)), characters=characters)


@st.composite
def detections(draw: st.DrawFn, tracks: bool = True) -> Detection:
    """Detections within two minutes, with repeated ids now and then."""
    at = T0 + draw(st.integers(0, 120 * SECOND))
    made = Detection(
        event_id=f"e{draw(st.integers(0, 40))}",
        captured_at=at,
        camera_id="gate",
        track_id=draw(st.sampled_from((None, "1", "2"))) if tracks else None,
        plate=draw(plates()),
        vehicle=draw(st.sampled_from((None, Vehicle(color="red"), Vehicle(type="car", confidence=0.5)))),
        images=draw(st.sampled_from((Images(), Images(plate_url="s3://b/1"), Images("s3://b/2", "s3://b/3")))),
        first_seen_at=at,
        last_seen_at=at + draw(st.integers(0, 5 * SECOND)),
        reads=draw(st.integers(0, 30)),
        is_final=draw(st.booleans()),
    )
    return read(value_of(made))  # as the agent gets it: probabilities in single precision


logs = st.lists(detections(), max_size=30)


def run(
    log: list[Detection], settings: DeduplicationSettings = SETTINGS, *, restart_after: int | None = None
) -> tuple[list[Sighting], CameraPasses]:
    """Apply a log; with `restart_after`, the state goes through its table value after that many records."""
    keeper = PassKeeper(settings)
    state = CameraPasses()
    sightings: list[Sighting] = []
    for offset, item in enumerate(log):
        if offset == restart_after:
            state = CameraPasses.decode(state.encode(), LOAD)
        sightings += keeper.admit(state, item, value=value_of(item), offset=offset, recorded_at_ms=offset).sightings
    return sightings, state


@QUICK
@given(logs, st.integers(0, 40))
def test_restart_changes_nothing(log: list[Detection], restart_after: int) -> None:
    """The log gives the same revisions and the same state, wherever the state was stored and loaded."""
    sightings, state = run(log)
    again, state_again = run(log, restart_after=restart_after)
    assert again == sightings
    assert state_again.encode() == state.encode()


@QUICK
@given(logs, st.integers(0, 40))
def test_replay_is_idempotent(log: list[Detection], back_to: int) -> None:
    """Reading the log again from any place gives no sighting and leaves the state as it is."""
    _, state = run(log)
    before = state.encode()
    keeper = PassKeeper(SETTINGS)
    state = CameraPasses.decode(before, LOAD)
    for offset, item in list(enumerate(log))[back_to:]:
        admission = keeper.admit(state, item, value=value_of(item), offset=offset, recorded_at_ms=offset)
        assert admission.replayed
        assert admission.sightings == ()
    assert state.encode() == before


@QUICK
@given(logs, st.data())
def test_router_that_sends_records_twice_changes_nothing(log: list[Detection], data: st.DataObject) -> None:
    """A killed router sends the records since its commit again, at new places in the log: they are known."""
    places = list(range(len(log)))
    if log:
        killed_at = data.draw(st.integers(1, len(log)))
        committed = data.draw(st.integers(0, killed_at))
        places = [*places[:killed_at], *places[committed:]]
    keeper = PassKeeper(SETTINGS)
    state = CameraPasses()
    sightings: list[Sighting] = []
    for offset, place in enumerate(places):
        source = SourcePosition(3, place, place)
        item = log[place]
        sightings += keeper.admit(
            state, item, value=value_of(item), offset=offset, recorded_at_ms=offset, source=source
        ).sightings
    assert sightings == run(log)[0]


@QUICK
@given(logs)
def test_frozen_fields_are_frozen_and_revisions_rise_by_one(log: list[Detection]) -> None:
    """While a pass is remembered its id, time and key stay, and its revisions are 1, 2, 3, ..."""
    sightings, _ = run(log, FOREVER)
    revisions: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        revisions[sighting.event_id].append(sighting)
    for of_pass in revisions.values():
        assert [sighting.revision for sighting in of_pass] == list(range(1, len(of_pass) + 1))
        assert len({(sighting.captured_at, sighting.match_key) for sighting in of_pass}) == 1
        assert all(sighting.merged_into is None for sighting in of_pass[:-1])


@QUICK
@given(logs)
def test_previous_text_is_what_the_revision_before_said(log: list[Detection]) -> None:
    """A changed identity names the old one; an unchanged one names none."""
    sightings, _ = run(log, FOREVER)
    said: dict[str, str] = {}
    for sighting in sightings:
        text = sighting.resolved.text if sighting.resolved else ""
        before = said.get(sighting.event_id, "")
        previous = sighting.resolved.previous_text if sighting.resolved else None
        assert previous == (before if text and before and before != text else None)
        said[sighting.event_id] = text


@QUICK
@given(st.lists(detections(tracks=False), max_size=40, unique_by=lambda item: item.event_id))
def test_plates_that_are_not_confusable_never_merge(log: list[Detection]) -> None:
    """Without a track or an id in common, only confusable texts become one pass."""
    keeper = PassKeeper(FOREVER)
    state = CameraPasses()
    for offset, item in enumerate(log):
        keeper.admit(state, item, value=value_of(item), offset=offset, recorded_at_ms=offset)
    by_id = {item.event_id: item for item in log}
    for found in state.passes:
        members = [by_id[event_id].plate for event_id in (*found.finals, *found.earlies)]
        texts = [member.normalized_text for member in members if member is not None]
        assert all(confusable(texts[0], text) for text in texts)
        assert len(texts) == 1 or texts[0]


@QUICK
@given(logs)
def test_every_detection_is_counted_once(log: list[Detection]) -> None:
    """Ids, not messages, are counted, and none is lost."""
    _, state = run(log, FOREVER)
    counted = 0
    for item in state.passes:
        parts = [*item.early.values(), *([item.settled] if item.settled else [])]
        counted += total(parts).detections
    assert counted == len({item.event_id for item in log})


@QUICK
@given(logs)
def test_sent_counts_are_exact_once_passes_have_closed(log: list[Detection]) -> None:
    """The last revision of each pass tells all its detections."""
    sightings, state = run(log, FOREVER)
    unsent = sum(
        total([*item.early.values(), *([item.settled] if item.settled else [])]).detections
        for item in state.passes
        if item.unsent
    )
    latest = {sighting.event_id: sighting for sighting in sightings}
    sent = sum(
        sighting.detections
        for sighting in latest.values()
        if sighting.merged_into is None
        and not any(item.unsent and item.event_id == sighting.event_id for item in state.passes)
    )
    assert sent + unsent == len({item.event_id for item in log})


@QUICK
@given(detections(), detections(), st.booleans())
def test_order_of_early_and_final_does_not_matter(one: Detection, other: Detection, early_first: bool) -> None:
    """Early then final, or final alone with its early too late, end in the same contents."""
    fields = {name: getattr(other, name) for name in Detection.__dataclass_fields__}
    early = Detection(**{**fields, "is_final": False})
    final = Detection(**{**fields, "is_final": True, "plate": one.plate, "reads": one.reads})
    log = [early, final] if early_first else [final, early]
    _, state = run(log, FOREVER)
    (found,) = state.passes
    assert found.settled == contents_of(final, value_of(final))
    assert found.early == {}


@QUICK
@given(st.lists(detections(tracks=False), min_size=1, max_size=12, unique_by=lambda item: item.event_id), st.randoms())
def test_contents_do_not_depend_on_order(log: list[Detection], random: object) -> None:
    """Combining is commutative and associative."""
    parts = [contents_of(item, value_of(item)) for item in log]
    expected = total(parts)
    shuffled = parts[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    half = len(shuffled) // 2
    both = [total(half_of) for half_of in (shuffled[:half], shuffled[half:]) if half_of]
    assert (combine(*both) if len(both) == 2 else both[0]) == expected


@QUICK
@given(logs)
def test_value_of_the_table_round_trips(log: list[Detection]) -> None:
    """Decoding and encoding a state gives the same bytes, with contents loaded or not."""
    _, state = run(log)
    value = state.encode()
    lazy = CameraPasses.decode(value, LOAD)
    assert lazy.encode() == value
    for item in lazy.passes:
        item.set_contents(item.settled, item.early)
    assert lazy.encode() == value
