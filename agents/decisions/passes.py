"""Deduplication: which pass of a vehicle a detection belongs to, and when a new revision of its sighting is due.

Everything is event time and the order of the camera's log; nothing depends on the clock or on how the log is cut into
runs, so reading the same log again gives the same sightings, ids and revisions included.

A detection joins a pass of its camera when

- the pass has its event_id already (early and final message), whatever the text says now; or
- their times are no further apart than the gap, and one of the texts that the pass has read is the same up to OCR
  confusables, or both are of one track and the read may well be the plate of the pass (likelihood), or both are of one
  track and one of the two is unreadable.

A plate that is near, but neither confusable nor of the same track, is another vehicle.
"""

from typing import Any, NamedTuple

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from agents.decisions.pass_contents import certainty, contents_of, has_images, identity, total
from agents.decisions.plate_vote import Identity
from schemas.builders import builder
from schemas.clock import MICROS_PER_S, Micros
from schemas.events import Detection, Resolved, Sighting
from schemas.identity import fold, likelihood, match_key
from schemas.topics import MIB
from tables.pass_contents import Contents
from tables.passes import CameraPasses, Pass, SourcePosition


class DeduplicationSettings(BaseSettings):
    """How reads become passes (environment prefix ``ALPR_DEDUPLICATE_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_DEDUPLICATE_", frozen=True, extra="ignore")

    gap_s: float = Field(30.0, ge=0, description="Reads of a plate further apart than this are two passes")
    lateness_s: float = Field(10.0, ge=0, description="How long after newer reads of the camera a read may still come")
    early_hold_s: float = Field(
        3600.0, ge=0, description="How long, in event time, the final message of an early one is waited for"
    )
    track_likelihood: float = Field(
        0.05, gt=0, le=1, description="A read of the same track joins a pass if its plate is at least this likely"
    )
    max_passes: int = Field(256, ge=1, description="Most open passes of a camera; the one untouched longest is closed")
    max_ids: int = Field(64, ge=2, description="Most event ids that a pass remembers; the oldest is forgotten")
    max_cached_bytes: int = Field(
        32 * MIB, ge=0, description="Table bytes of the cameras whose passes are kept decoded between runs"
    )
    max_tracks: int = Field(16, ge=1, description="Most track ids that a pass remembers; the oldest is forgotten")


_sighting = builder(Sighting)


class Admission(NamedTuple):
    """What a detection led to.

    Attributes:
        sightings: revisions that are due: of the detection's pass, then of passes that closed with something unsent.
        joined: the detection belongs to a pass that was known already.
        replayed: the detection had been applied before; nothing happened.
    """

    sightings: tuple[Sighting, ...] = ()
    joined: bool = False
    replayed: bool = False


class PassKeeper:
    """Applies detections to the state of their camera. It has no state of its own.

    Args:
        settings: gaps, bounds and thresholds.
    """

    def __init__(self, settings: DeduplicationSettings) -> None:
        self.settings = settings
        self._gap = int(settings.gap_s * MICROS_PER_S)
        self._lateness = int(settings.lateness_s * MICROS_PER_S)
        self._early_hold = int(settings.early_hold_s * MICROS_PER_S)

    def admit(
        self,
        state: CameraPasses,
        detection: Detection,
        *,
        value: bytes,
        offset: int,
        recorded_at_ms: int,
        source: SourcePosition | None = None,
    ) -> Admission:
        """Apply one detection.

        Args:
            state: of the detection's camera; changed in place.
            detection: valid, with normalised text.
            value: the bytes that it came in.
            offset: of its record; increasing within the partition.
            recorded_at_ms: Kafka timestamp of its record.
            source: where its raw record stood; a router that was killed sends some records twice.
        """
        if state.is_known(offset, recorded_at_ms, source):
            return Admission(replayed=True)
        # what may raise comes before anything has changed: values that routing refuses, stored ones that do not decode
        contents = contents_of(detection, value)
        found = self._find(state, detection)
        if found is not None:
            found.load()
        state.advance(offset, recorded_at_ms, source)
        state.newest_at = max(state.newest_at, detection.captured_at)
        watermark = state.newest_at - self._lateness
        if found is None:
            joined = Pass(detection.event_id, detection.captured_at, match_key(detection.plate, detection.camera_id))
            state.open(joined)
        else:
            joined = found
            state.withdraw(joined)
        sightings = self._join(joined, detection, contents, watermark)
        joined.touch(state.newest_at)
        state.enter(joined)
        closed = self._close(state, joined, watermark)
        return Admission((*sightings, *closed), joined=found is not None)

    # -- membership

    def _find(self, state: CameraPasses, detection: Detection) -> Pass | None:
        known = state.of_event(detection.event_id)
        if known is not None:
            return known
        text = detection.plate.normalized_text if detection.plate is not None else ""
        folded = fold(text)
        best: Pass | None = None
        best_rank: tuple[int, Micros, str] | None = None
        for item in state.like(folded, detection.track_id):
            distance = max(0, detection.first_seen_at - item.last_seen_at, item.first_seen_at - detection.last_seen_at)
            if distance <= self._gap and self._may_be_same(item, detection, text, folded):
                rank = (distance, item.captured_at, item.event_id)
                if best is None or best_rank is None or rank < best_rank:
                    best, best_rank = item, rank
                elif rank == best_rank and item is not best:  # one id, forgotten and come again
                    best = min(best, item, key=state.passes.index)
        return best

    def _may_be_same(self, item: Pass, detection: Detection, text: str, folded: str) -> bool:
        if text and folded in item.folds:
            return True
        if detection.track_id is None or detection.track_id not in item.tracks:
            return False
        if not text or not item.text:
            return True
        assert detection.plate is not None
        return likelihood(detection.plate, item.text) >= self.settings.track_likelihood

    # -- contents and revisions

    def _join(self, item: Pass, detection: Detection, contents: Contents, watermark: Micros) -> tuple[Sighting, ...]:
        event_id = detection.event_id
        if event_id in item.finals:
            return ()  # sent twice, or an early message that its final one overtook
        settled, early = item.settled, dict(item.early)
        replaced = early.pop(event_id, None)
        before = item.total or _sum(item.settled, item.early)
        if detection.is_final:
            settled = contents if settled is None else total((settled, contents))
            item.finals.append(event_id)
        else:  # a producer that sends several early messages means the last one
            early[event_id] = contents if replaced is None else max(replaced, contents, key=_progress)
        item.earlies = list(early)
        if detection.track_id is not None and detection.track_id not in item.tracks:
            item.tracks = [*item.tracks, detection.track_id][-self.settings.max_tracks :]
        settled = self._forget(item, settled, early)
        after = _sum(settled, early)
        assert after is not None
        item.set_contents(settled, early, after)
        item.folds = list(after.folds)
        item.first_seen_at, item.last_seen_at = after.first_seen_at, after.last_seen_at
        item.unsent = True
        found = identity(after)
        if before is None or self._is_due(item, detection, before, after, found, replaced is not None):
            return (_revise(item, after, found, watermark),)
        return ()

    def _is_due(
        self,
        item: Pass,
        detection: Detection,
        before: Contents,
        after: Contents,
        found: Identity | None,
        is_replacement: bool,
    ) -> bool:
        """Whether what has changed is worth a revision now; else it is sent when the pass closes."""
        if (found[0] if found is not None else "") != item.text:
            return True
        if after.detections > before.detections and after.detections & (after.detections - 1) == 0:
            return True
        if not detection.is_final:
            return False
        if after.vehicle != before.vehicle or (has_images(after.images) and not has_images(before.images)):
            return True
        return is_replacement and (
            after.reads != before.reads or after.best.plate != before.best.plate or after.images != before.images
        )

    def _forget(self, item: Pass, settled: Contents | None, early: dict[str, Contents]) -> Contents | None:
        """Keep the number of remembered ids in bounds; what they stood for stays in the sum."""
        while len(item.finals) + len(item.earlies) > self.settings.max_ids:
            if item.finals:
                item.finals.pop(0)
            else:
                contents = early.pop(item.earlies.pop(0))
                settled = contents if settled is None else total((settled, contents))
        return settled

    # -- the end of passes

    def _close(self, state: CameraPasses, joined: Pass, watermark: Micros) -> list[Sighting]:
        """Drop the passes that no read in time can join any more, and send what they still hold back."""
        joined.ends_at = self._ends_at(joined)
        if state.closes_at is None:
            for item in state.passes:
                item.ends_at = self._ends_at(item)
            state.closes_at = min(item.ends_at for item in state.passes)
        state.closes_at = min(state.closes_at, joined.ends_at)
        if state.closes_at >= watermark and len(state.passes) <= self.settings.max_passes:
            return []
        kept = [item for item in state.passes if item.ends_at >= watermark]
        closed = [item for item in state.passes if item.ends_at < watermark]
        if len(kept) > self.settings.max_passes:
            kept.sort(key=lambda item: (item.touched_at, item.captured_at, item.event_id))
            excess = len(kept) - self.settings.max_passes
            closed += kept[:excess]
            kept = sorted(kept[excess:], key=lambda item: (item.captured_at, item.event_id))
        state.closes_at = min((item.ends_at for item in kept), default=None)
        if not closed:
            return []
        state.close(kept, closed)
        sightings = []
        for item in closed:
            if item.unsent:
                contents = _sum(item.settled, item.early)
                assert contents is not None
                sightings.append(_revise(item, contents, identity(contents), watermark))
        return sightings

    def _ends_at(self, item: Pass) -> Micros:
        """Event time until which a read may join the pass."""
        patience = max(self._gap, self._early_hold) if item.earlies else self._gap
        return max(item.touched_at - self._lateness, item.last_seen_at) + patience


def _progress(contents: Contents) -> tuple[Any, ...]:
    """Orders the early messages of one detection by how far its track had come."""
    return (contents.last_seen_at, contents.reads, certainty(contents.best))


def _sum(settled: Contents | None, early: dict[str, Contents]) -> Contents | None:
    parts = [*early.values()] if settled is None else [settled, *early.values()]
    return total(parts) if parts else None


def _revise(item: Pass, contents: Contents, found: Identity | None, watermark: Micros) -> Sighting:
    """The next revision of a pass's sighting."""
    text = found[0] if found is not None else ""
    resolved = None
    if found is not None:
        resolved = Resolved(
            text=text, confidence=found[1], previous_text=item.text if item.text and item.text != text else None
        )
    item.revision += 1
    item.text = text
    item.unsent = False
    best = contents.best
    return _sighting(
        event_id=item.event_id,
        captured_at=item.captured_at,
        camera_id=best.camera_id,
        site_id=best.site_id,
        track_id=best.track_id,
        plate=best.plate,
        vehicle=contents.vehicle,
        images=contents.images,
        location=best.location,
        direction=best.direction,
        first_seen_at=contents.first_seen_at,
        last_seen_at=contents.last_seen_at,
        reads=contents.reads,
        latency_ms=best.latency_ms,
        node=best.node,
        is_final=not item.earlies,
        extras=best.extras,
        revision=item.revision,
        match_key=item.match_key,
        resolved=resolved,
        detections=contents.detections,
        watermark=watermark,
        visit_id=None,
    )
