"""Revisions of a pass's sighting: when one is due, and what it says."""

from typing import Any

from agents.decisions.pass_contents import certainty, has_images
from agents.decisions.plate_vote import Identity
from schemas.builders import builder
from schemas.clock import Micros
from schemas.events import Detection, Resolved, Sighting
from tables.pass_contents import Contents
from tables.passes import Pass

_sighting = builder(Sighting)


def is_due(
    item: Pass,
    detection: Detection,
    before: Contents,
    after: Contents,
    found: Identity | None,
    is_replacement: bool,
) -> bool:
    """Whether what a detection has changed is worth a revision now; else it is sent when the pass settles.

    Args:
        item: the pass; its text is what the last revision said.
        detection: that joined.
        before: contents of the pass without it.
        after: contents with it.
        found: identity of these.
        is_replacement: the detection had an early message before.
    """
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


def revise(
    item: Pass, contents: Contents, found: Identity | None, watermark: Micros, merged_into: str | None = None
) -> Sighting:
    """The next revision of a pass's sighting.

    Args:
        item: the pass, which moves on to that revision.
        contents: what its detections add up to.
        found: identity of these.
        watermark: of the camera.
        merged_into: the older pass that has taken this one in; then this is its last revision.
    """
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
        merged_into=merged_into,
    )


def progress(contents: Contents) -> tuple[Any, ...]:
    """Orders the early messages of one detection by how far its track had come."""
    return (contents.last_seen_at, contents.reads, certainty(contents.best))
