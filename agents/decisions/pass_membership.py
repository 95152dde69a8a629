"""Which passes a detection belongs to, and which passes are one.

Two detections are linked when their times are no further apart than the gap and

- they have read the same text up to OCR confusables, or
- they are of one track and may have read one plate (`agents.decisions.track_reads`), or
- they are of one track and one of their passes is unreadable.

A pass is what hangs together by links. The first two depend on nothing but the two detections, so the passes that a set
of detections makes do not depend on their order. The third is for passes that have no text at all: an unreadable
detection joins one pass and never ties two readable ones together, because trackers jump from one vehicle to the next.

A pass keeps when it has read which text, in spans: times that are no further apart than the gap are one span, and hold
the same links as the times themselves.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from agents.decisions.track_reads import agree
from schemas.clock import Micros
from schemas.events import Detection
from tables.passes import CameraPasses, Pass, Span, TrackRead


@dataclass(slots=True)
class Reach:
    """What a detection and the passes that it joins have together: the times, texts and tracks to be found by."""

    first_seen_at: Micros
    last_seen_at: Micros
    folds: dict[str, list[Span]]
    tracked: list[TrackRead]

    @classmethod
    def of(cls, detection: Detection, folded: str, read: TrackRead | None) -> "Reach":
        """The reach of one detection."""
        begin, end = detection.first_seen_at, detection.last_seen_at
        return cls(begin, end, {folded: [(begin, end)]} if folded else {}, [] if read is None else [read])

    def extend(self, item: Pass) -> None:
        """Take in a pass."""
        self.include(item.folds, item.tracked)

    def include(self, folds: Mapping[str, list[Span]], tracked: Iterable[TrackRead]) -> None:
        """Take in the texts and tracks of detections."""
        for folded, spans in folds.items():
            self.folds[folded] = [*self.folds.get(folded, ()), *spans]
        self.tracked = [*self.tracked, *tracked]


class Membership:
    """Finds passes.

    Args:
        gap: longest time between two reads of a pass, microseconds.
        least: likelihood from which on a read of the same track may be a misread of the plate.
    """

    def __init__(self, gap: Micros, least: float) -> None:
        self._gap = gap
        self._least = least

    def is_alone(self, state: CameraPasses, home: Pass | None, folded: str, read: TrackRead | None) -> bool:
        """Whether no pass but `home` can be linked: nothing else has the text or the track. Most detections are so."""
        if home is None:
            return not (folded and state.with_fold(folded)) and (read is None or not state.with_track(read.track_id))
        if folded and len(state.with_fold(folded)) != 1:
            return False
        if not _has_read_only(home, folded) or (read is not None and len(state.with_track(read.track_id)) > 1):
            return False
        for one in home.tracked:  # noqa: SIM110 - no generator: this runs for each detection
            if len(state.with_track(one.track_id)) != 1:
                return False
        return True

    def nearest(self, state: CameraPasses, reach: Reach, but: Pass | None) -> Pass | None:
        """The pass next to a detection in time, of those that it is linked to, `but` one; of equals the oldest."""
        best: Pass | None = None
        best_rank: tuple[Micros, Micros, str] | None = None
        for item in _candidates(state, reach):
            if item is not but and self._alike(reach, item):
                rank = (_distance(reach, item), item.captured_at, item.event_id)
                if best_rank is None or rank < best_rank:
                    best, best_rank = item, rank
                elif rank == best_rank and item is not best and best is not None:
                    best = min(best, item, key=state.passes.index)  # one id, forgotten and come again
        return best

    def bridged(self, state: CameraPasses, known: list[Pass], reach: Reach) -> list[Pass]:
        """The passes that are one with what is known to be together.

        Args:
            state: of the camera.
            known: passes that are not asked for.
            reach: of what is together; afterwards with what was found.
        """
        found: list[Pass] = []
        while (other := self._linked(state, reach, [*known, *found])) is not None:
            found.append(other)
            reach.extend(other)
        return found

    def is_same_vehicle(self, folded: str, read: TrackRead | None, folds: Collection[str], others: Pass) -> bool:
        """Whether a detection that had been taken for one of a pass is still linked to the others of it.

        Args:
            folded: what the detection says now.
            read: the same, of its track.
            folds: what the others have read.
            others: the pass, for the tracks of the others.
        """
        if not folded or not folds or folded in folds:
            return True
        return read is not None and any(
            other.track_id == read.track_id and bool(other.text) and agree(read, other, self._least)
            for other in others.tracked
            if other.event_id != read.event_id
        )

    def _linked(self, state: CameraPasses, reach: Reach, known: list[Pass]) -> Pass | None:
        for item in _candidates(state, reach):
            if not any(item is one for one in known) and self._alike(reach, item):
                return item
        return None

    def _alike(self, reach: Reach, item: Pass) -> bool:
        for folded, spans in reach.folds.items():
            others = item.folds.get(folded)
            if others is not None and any(self._near(span, other) for span in spans for other in others):
                return True
        pairs = self._near_of_one_track(reach.tracked, item.tracked)
        if not reach.folds or not item.folds:
            return any(True for _ in pairs)
        return any(a.text and b.text and agree(a, b, self._least) for a, b in pairs)

    def _near(self, a: Span, b: Span) -> bool:
        return a[0] - b[1] <= self._gap and b[0] - a[1] <= self._gap

    def _near_of_one_track(self, a: list[TrackRead], b: list[TrackRead]) -> Iterator[tuple[TrackRead, TrackRead]]:
        for one in a:
            for other in b:
                if one.track_id == other.track_id and self._near(one.span, other.span):
                    yield one, other


def _candidates(state: CameraPasses, reach: Reach) -> Iterator[Pass]:
    """In an order that the table's value tells too: which comes first decides what an unreadable read joins."""
    for folded in reach.folds:
        yield from state.in_order(state.with_fold(folded))
    for read in reach.tracked:
        yield from state.in_order(state.with_track(read.track_id))


def _distance(reach: Reach, item: Pass) -> Micros:
    return max(0, reach.first_seen_at - item.last_seen_at, item.first_seen_at - reach.last_seen_at)


def with_span(spans: Iterable[Span], added: Span, gap: Micros) -> list[Span]:
    """Spans with one more: those that are no further apart than the gap become one."""
    begin, end = added
    apart = []
    for span in spans:
        if span[0] - end <= gap and begin - span[1] <= gap:
            begin, end = min(begin, span[0]), max(end, span[1])
        else:
            apart.append(span)
    return [*apart, (begin, end)]


def is_listed(item: Pass, folded: str, read: TrackRead | None) -> bool:
    """Whether a pass that knows a detection is found by all that its next message says, and by nothing else then."""
    if not _has_read_only(item, folded):
        return False
    if read is None:
        return True
    for one in item.tracked:  # noqa: SIM110 - no generator: this runs for each detection
        if one.event_id == read.event_id and one.track_id == read.track_id:
            return True
    return False


def _has_read_only(item: Pass, folded: str) -> bool:
    """Whether a pass has read this folded text and no other; of an empty one, nothing at all."""
    return len(item.folds) == 1 and folded in item.folds if folded else not item.folds


def age(item: Pass) -> tuple[Micros, str]:
    """Orders passes: the older one keeps its id."""
    return (item.captured_at, item.event_id)
