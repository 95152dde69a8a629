"""Multi-object tracking, value in and value out: ByteTrack's two rounds of matching on boxes.

Method: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022: confident boxes
are matched with predicted tracks first, then doubtful boxes with what is left, so that a plate that blurs for a moment
keeps its track. Plates are small and move by more than their height between frames, so overlap is measured on
grown boxes (buffered IoU: Yang et al., "Hard to Track Objects with Irregular Motions ...", WACV 2023).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import lap  # type: ignore[import-untyped]  # ships no types
import numpy as np

from edge_agent import kalman
from edge_agent.geometry import Box


@dataclass(frozen=True, slots=True)
class TrackerRules:
    """How boxes and tracks are matched.

    Attributes:
        confident: Boxes at or above are matched first and may start a track.
        least_overlap: Buffered IoU below which box and track never match, in the first round.
        least_overlap_doubtful: The same for doubtful boxes.
        grow: Growth of boxes on each side before overlap is measured, as a share of the box's height.
        lost_s: A track that is not seen for longer has ended.
    """

    confident: float = 0.4
    least_overlap: float = 0.1
    least_overlap_doubtful: float = 0.3
    grow: float = 0.5
    lost_s: float = 1.0


PLATES = TrackerRules(grow=1.0)
PHOTOGRAPH = TrackerRules(confident=0.0)
"""Every plate of a photograph counts: there is no other frame to confirm it."""
VEHICLES = TrackerRules(grow=0.1, least_overlap=0.2)


@dataclass(frozen=True, slots=True)
class Track:
    """One object.

    Attributes:
        id: Number within the stream, from 1.
        motion: Belief about its box.
        seen_s: Stream time of the last match.
        hits: How many boxes it has had.
    """

    id: int
    motion: kalman.Motion
    seen_s: float
    hits: int = 1


@dataclass(frozen=True, slots=True)
class TrackerState:
    """Everything that the tracker knows.

    Attributes:
        tracks: Those that have not ended.
        time_s: Stream time of the last step.
        next_id: Number of the next track.
    """

    tracks: tuple[Track, ...] = ()
    time_s: float = 0.0
    next_id: int = 1


@dataclass(frozen=True, slots=True)
class Sighted:
    """A box of the present frame.

    Attributes:
        box: In pixels.
        confidence: The detector's, 0..1.
    """

    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class Step:
    """What a frame brought.

    Attributes:
        state: For the next step.
        assigned: For each box the id of its track; None for a doubtful box that belongs to none.
        ended: Ids of tracks that have ended.
    """

    state: TrackerState
    assigned: tuple[int | None, ...]
    ended: tuple[int, ...]


def advance(state: TrackerState, sighted: Sequence[Sighted], time_s: float, rules: TrackerRules) -> Step:
    """Takes one frame in.

    Args:
        state: After the last frame.
        sighted: Boxes of this frame.
        time_s: Stream time of this frame, not before the last one's.
        rules: Thresholds.
    """
    elapsed_s = max(0.0, time_s - state.time_s)
    tracks = [replace(t, motion=kalman.predict(t.motion, elapsed_s)) for t in state.tracks]
    assigned: list[int | None] = [None] * len(sighted)
    sure = [i for i, s in enumerate(sighted) if s.confidence >= rules.confident]
    doubtful = [i for i, s in enumerate(sighted) if s.confidence < rules.confident]
    free = list(range(len(tracks)))
    for boxes, least in ((sure, rules.least_overlap), (doubtful, rules.least_overlap_doubtful)):
        for slot, box in _match([tracks[i] for i in free], boxes, sighted, least, rules.grow):
            place = free[slot]
            track = tracks[place]
            assigned[box] = track.id
            motion = kalman.update(track.motion, sighted[box].box)
            tracks[place] = Track(track.id, motion, time_s, track.hits + 1)
        free = [i for i in free if tracks[i].id not in assigned]
    next_id = state.next_id
    for box in sure:
        if assigned[box] is None:
            assigned[box] = next_id
            tracks.append(Track(next_id, kalman.start(sighted[box].box), time_s))
            next_id += 1
    alive = tuple(t for t in tracks if time_s - t.seen_s <= rules.lost_s)
    kept = {t.id for t in alive}
    ended = tuple(t.id for t in tracks if t.id not in kept)
    return Step(TrackerState(alive, time_s, next_id), tuple(assigned), ended)


def end_all(state: TrackerState) -> tuple[TrackerState, tuple[int, ...]]:
    """Ends every track, as a hard cut or the end of the stream does; numbers go on."""
    return replace(state, tracks=()), tuple(t.id for t in state.tracks)


def renumber(state: TrackerState, track_id: int) -> tuple[TrackerState, int]:
    """Gives a track's place to a new track, where what was read there shows that another object has taken it.

    Args:
        state: After `advance`.
        track_id: The track that the box was taken for; it has ended.

    Returns:
        The state and the number of the new track.
    """
    tracks = tuple(replace(t, id=state.next_id, hits=1) if t.id == track_id else t for t in state.tracks)
    return replace(state, tracks=tracks, next_id=state.next_id + 1), state.next_id


def _match(
    tracks: Sequence[Track],
    boxes: Sequence[int],
    sighted: Sequence[Sighted],
    least: float,
    grow: float,
) -> list[tuple[int, int]]:
    """Pairs of track place and box index with the largest sum of overlaps (Jonker and Volgenant 1987)."""
    if not tracks or not boxes:
        return []
    overlap = np.zeros((len(tracks), len(boxes)))
    for row, track in enumerate(tracks):
        expected = _grown(track.motion.box, grow)
        for column, box in enumerate(boxes):
            overlap[row, column] = expected.iou(_grown(sighted[box].box, grow))
    _, columns, _ = lap.lapjv(1.0 - overlap, extend_cost=True, cost_limit=1.0 - least)
    return [(row, boxes[column]) for row, column in enumerate(columns) if column >= 0 and overlap[row, column] >= least]


def _grown(box: Box, share: float) -> Box:
    margin = share * box.height
    return Box(box.x1 - margin, box.y1 - margin, box.x2 + margin, box.y2 + margin)
