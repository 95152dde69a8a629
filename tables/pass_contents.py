"""What the detections of a pass add up to, and how that lies in the table."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from schemas.clock import Micros
from schemas.events import Detection, Images, Vehicle
from schemas.records import from_record, to_record

Column = dict[str, int]
"""Weight of each character at one position of a plate."""
Votes = dict[str, tuple[int, list[Column]]]
"""Number of characters (as text: a JSON key) -> total weight and a column per position."""


class Contents(NamedTuple):
    """What a set of detections adds up to, whatever their order.

    Attributes:
        detections: how many they are.
        reads: readings that were voted into them.
        first_seen_at: of the earliest.
        last_seen_at: of the latest.
        votes: weighted characters of all plates, by number of characters; None for a single detection, whose plate says
            all there is to say.
        folds: folded plate text -> number of detections that read it.
        best: the detection whose plate is the most certain one; a sighting shows what it observed.
        best_value: the bytes that `best` came in.
        vehicle: the fullest description of the vehicle.
        images: the fullest set of images.
        images_rank: how it was chosen: number of images, confidence of the plate, event_id.
    """

    detections: int
    reads: int
    first_seen_at: Micros
    last_seen_at: Micros
    votes: Votes | None
    folds: dict[str, int]
    best: Detection
    best_value: bytes
    vehicle: Vehicle | None
    images: Images
    images_rank: tuple[int, float, str]


LoadContents = Callable[[bytes], Contents]
"""Decodes the stored contents of one pass or detection."""


def contents_to_bytes(contents: Contents | None) -> bytes:
    """A line of JSON with the sums, then the best detection; for a single detection the line is empty."""
    if contents is None:
        return b""
    if contents.detections == 1:
        return b"\n" + contents.best_value
    vehicle = None if contents.vehicle is None else to_record(contents.vehicle)
    sums = [
        *(contents.detections, contents.reads, contents.first_seen_at, contents.last_seen_at),
        *(contents.votes, contents.folds, vehicle, to_record(contents.images), contents.images_rank),
    ]
    return dump(sums) + b"\n" + contents.best_value


def split_stored(stored: bytes) -> tuple[list[Any] | None, bytes]:
    """The sums (None for a single detection) and the bytes of the best detection."""
    line, _, value = stored.partition(b"\n")
    return (json.loads(line) if line else None), value


def contents_from_sums(sums: list[Any], best: Detection, best_value: bytes) -> Contents:
    """Put the contents of several detections together again."""
    detections, reads, first_seen_at, last_seen_at, votes, folds, vehicle, images, images_rank = sums
    return Contents(
        detections=detections,
        reads=reads,
        first_seen_at=first_seen_at,
        last_seen_at=last_seen_at,
        votes={length: (total, columns) for length, (total, columns) in votes.items()},
        folds=folds,
        best=best,
        best_value=best_value,
        vehicle=None if vehicle is None else from_record(Vehicle, vehicle),
        images=from_record(Images, images),
        images_rank=tuple(images_rank),
    )


_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dump(value: Any) -> bytes:
    """A line of JSON, without its end."""
    return _to_json(value).encode()
