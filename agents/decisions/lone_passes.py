"""The decision about the detection that most detections are, made on its bytes.

Nearly every pass is one track: an early message opens it, the final one takes the place of the early one. Then the
pass is what that one detection says, and its sighting is the detection with a revision: the bytes that came, and a few
fields behind them. So no detection is decoded, nothing is added up and no sighting is encoded, which is most of what
`agents.decisions.passes` costs. Whatever is not plainly so gets no answer here and goes that way; what is decided here
is decided there alike (tests/unit/agents/test_lone_passes.py compares them).
"""

from typing import Any, NamedTuple

from agents.decisions.pass_membership import is_listed, with_span
from agents.decisions.passes import PassKeeper
from agents.decisions.plate_vote import resolve_one
from agents.decisions.track_reads import track_read_of
from schemas.builders import builder
from schemas.characters import Characters
from schemas.clock import Micros
from schemas.codec import HEADER_BYTES, EventCodec
from schemas.direct_avro import ERRORS
from schemas.direct_survey import surveyor
from schemas.events import Detection, Plate, Resolved, Sighting
from schemas.identity import fold
from schemas.topics import SIGHTINGS
from tables.passes import CameraPasses, Pass, SourcePosition

_survey = surveyor(
    Detection,
    (
        *("event_id", "captured_at", "camera_id", "track_id"),
        *("plate.normalized_text", "plate.confidence", "plate.characters"),
        *("first_seen_at", "last_seen_at", "reads", "is_final"),
    ),
    (),
    {},
)
_plate = builder(Plate)
_resolved = builder(Resolved)


class Glance(NamedTuple):
    """What is seen of a detection at a glance. Text is bytes."""

    event_id: bytes
    captured_at: Micros
    camera_id: bytes
    track_id: bytes | None
    text: bytes | None
    confidence: float
    characters: Characters | None
    first_seen_at: Micros
    last_seen_at: Micros
    reads: int
    is_final: bool


class LoneAdmission(NamedTuple):
    """What a detection led to.

    Attributes:
        key: of the sighting of its pass.
        value: bytes of that.
        is_new: the detection has opened the pass.
        closing: revisions of passes that settled with something unsent.
    """

    key: bytes
    value: bytes
    is_new: bool
    closing: list[Sighting]


def glance(codec: EventCodec, value: bytes | None) -> Glance | None:
    """Look at a detection; None where it has to be decoded."""
    if value is None or _survey is None or not codec.is_direct(Detection, value):
        return None
    try:
        return Glance._make(_survey(value, HEADER_BYTES))
    except ERRORS:
        return None


class LoneKeeper:
    """Applies detections to the state of their camera where they are all that their pass knows. It has no state.

    Args:
        keeper: decides about all others.
        codec: writes sightings.
    """

    def __init__(self, keeper: PassKeeper, codec: EventCodec) -> None:
        self._gap = keeper.gap
        self._ends = keeper.ends
        self._membership = keeper.membership
        self._codec = codec

    def admit(
        self,
        state: CameraPasses,
        seen: Glance,
        *,
        value: bytes,
        offset: int,
        recorded_at_ms: int,
        source: SourcePosition | None = None,
        clock: Micros = 0,
        lateness: Micros | None = None,
    ) -> LoneAdmission | None:
        """Apply one detection that the state does not know (`CameraPasses.is_known`); arguments as in `PassKeeper`.

        Returns:
            None where nothing was done, and `PassKeeper.admit` has to decide.
        """
        load = state.load
        if load is None or seen.text is None:
            return None
        event_id, text = seen.event_id.decode(), seen.text.decode()
        folded = fold(text)
        home = state.of_event(event_id)
        characters: Any = () if seen.characters is None else seen.characters
        plate = _plate("", text, seen.confidence, None, characters)
        times = seen.first_seen_at, seen.last_seen_at
        track_id = None if seen.track_id is None else seen.track_id.decode()
        read = track_read_of(event_id, track_id, plate, times)
        if home is not None and (
            home.event_id != event_id
            or home.captured_at != seen.captured_at
            or not seen.is_final
            or home.finals
            or home.earlies != [event_id]
            or home.lone_reads is None
            or home.lone_reads == seen.reads  # whether there is news is not seen at a glance
            or (read is None and home.tracked)
            or not is_listed(home, folded, read)
        ):
            return None
        if not self._membership.is_alone(state, home, folded, read):
            return None
        found = resolve_one(plate, seen.reads)
        said = "" if found is None else found[0]
        revision, before = (1, "") if home is None else (home.revision + 1, home.text)
        camera_id = seen.camera_id.decode()
        key = (folded or camera_id) if home is None else home.match_key
        resolved = None
        if found is not None:
            resolved = _resolved(said, found[1], before if before and before != said else None)
        watermark = self._ends.watermark_after(state, seen.captured_at, clock, lateness)
        sighting = self._codec.extend(
            SIGHTINGS, Detection, value, revision, key, resolved, 1, watermark, None, None
        )  # fmt: skip
        if sighting is None:
            return None
        state.advance(offset, recorded_at_ms, source)
        self._ends.pass_time(state, seen.captured_at, clock, lateness)
        if home is None:
            item = Pass(event_id, seen.captured_at, key)
            state.open(item)
        else:
            item = home
        item.revision, item.text, item.unsent = revision, said, False
        item.first_seen_at, item.last_seen_at = seen.first_seen_at, seen.last_seen_at
        if folded:
            spans = item.folds.get(folded)
            item.folds[folded] = [times] if spans is None else with_span(spans, times, self._gap)
        if read is not None:
            item.tracked = [read]
        item.finals, item.earlies = ([event_id], []) if seen.is_final else ([], [event_id])
        item.set_lone(value, load, is_final=seen.is_final)
        item.lone_reads = seen.reads
        item.touched_at = state.newest_at
        if home is None:
            state.enter(item)
        self._ends.set(state, item)
        return LoneAdmission(key.encode(), sighting, home is None, self._ends.close(state, watermark))
