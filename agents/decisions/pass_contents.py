"""What the detections of one pass add up to.

`combine` is commutative and associative, so the contents of a pass depend on which detections it has, not on the order
in which they came; a final message takes the place of its early one by leaving the early one out of the sum, and two
passes become one by combining their contents.
"""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

from agents.decisions import plate_vote
from agents.decisions.plate_vote import Identity
from schemas.events import Detection, Images, Vehicle
from schemas.identity import fold
from tables.pass_contents import Contents, LoadContents, Votes, contents_from_sums, split_stored

MAX_COUNT = 2**31 - 1
"""Largest Avro int: sums stop here."""


def contents_of(detection: Detection, value: bytes) -> Contents:
    """The contents of one detection.

    Args:
        detection: with normalised text.
        value: the bytes that it came in, kept as they are.
    """
    plate = detection.plate
    text = plate.normalized_text if plate is not None else ""
    images = detection.images
    count = sum(url is not None for url in (images.plate_url, images.vehicle_url, images.frame_url))
    return Contents(
        detections=1,
        reads=detection.reads,
        first_seen_at=detection.first_seen_at,
        last_seen_at=detection.last_seen_at,
        votes=None,
        folds={fold(text): 1} if text else {},
        best=detection,
        best_value=value,
        vehicle=detection.vehicle,
        images=images,
        images_rank=(count, plate.confidence if plate is not None else 0.0, detection.event_id),
    )


def combine(a: Contents, b: Contents) -> Contents:
    """The contents of the detections of both."""
    folds = dict(a.folds)
    for text, count in b.folds.items():
        folds[text] = folds.get(text, 0) + count
    best_of = max(a, b, key=lambda contents: certainty(contents.best))
    images_of = max(a, b, key=lambda contents: contents.images_rank)
    return Contents(
        detections=min(a.detections + b.detections, MAX_COUNT),
        reads=min(a.reads + b.reads, MAX_COUNT),
        first_seen_at=min(a.first_seen_at, b.first_seen_at),
        last_seen_at=max(a.last_seen_at, b.last_seen_at),
        votes=plate_vote.add(_votes(a), _votes(b)),
        folds=folds,
        best=best_of.best,
        best_value=best_of.best_value,
        vehicle=max(a.vehicle, b.vehicle, key=_fullness),
        images=images_of.images,
        images_rank=images_of.images_rank,
    )


def total(parts: Iterable[Contents]) -> Contents:
    """The contents of all parts, of which there is at least one."""
    return reduce(combine, parts)


def sum_of(settled: Contents | None, early: dict[str, Contents]) -> Contents | None:
    """The contents of the final detections and of those whose final message is to come; None where there are none."""
    parts: Iterable[Contents] = [*early.values()] if settled is None else [settled, *early.values()]
    return total(parts) if parts else None


def identity(contents: Contents) -> Identity | None:
    """The plate that all reads add up to and its probability; None when nothing was readable."""
    if contents.votes is not None:
        return plate_vote.resolve(contents.votes)
    plate = contents.best.plate
    return plate_vote.resolve_one(plate, contents.best.reads) if plate is not None else None


def loader(read: Callable[[bytes], Detection]) -> LoadContents:
    """Decodes stored contents.

    Args:
        read: gives the detection of its bytes.
    """

    def load(stored: bytes) -> Contents:
        sums, value = split_stored(stored)
        best = read(value)
        return contents_of(best, value) if sums is None else contents_from_sums(sums, best, value)

    return load


def _votes(contents: Contents) -> Votes:
    if contents.votes is not None:
        return contents.votes
    plate = contents.best.plate
    return plate_vote.ballot(plate, contents.best.reads) if plate is not None else {}


def has_images(images: Images) -> bool:
    """Whether there is any image."""
    return images.plate_url is not None or images.vehicle_url is not None or images.frame_url is not None


def certainty(detection: Detection) -> tuple[Any, ...]:
    """Orders detections by how much their plate can be trusted; never equal for two different ids."""
    plate = detection.plate
    return (
        plate is not None and bool(plate.normalized_text),
        plate.confidence if plate is not None else 0.0,
        detection.reads,
        -detection.captured_at,
        detection.event_id,
    )


def _fullness(vehicle: Vehicle | None) -> tuple[Any, ...]:
    """Orders descriptions by how much they say, then by confidence, then by their words."""
    if vehicle is None:
        return (-1,)
    words = (vehicle.type, vehicle.make, vehicle.model, vehicle.color)
    confidence = -1.0 if vehicle.confidence is None else vehicle.confidence
    return (sum(word is not None for word in words), confidence, tuple(word or "" for word in words))
