"""Detections of one track: whether two of them may have read one plate, and what has to be remembered to tell.

A tracker follows one vehicle, mostly: its reads may be misread by more than confusables, but a tracker also jumps from
one vehicle to the next. So both the track and the evidence must agree. The comparison is the same whichever of the two
came first, or passes would depend on the order of their reads.
"""

import json
from base64 import b64decode
from binascii import b2a_base64

from schemas.characters import Characters
from schemas.clock import Micros
from schemas.events import CharacterAlternative, Detection, Plate
from schemas.identity import likelihood
from tables.passes import TrackRead


def track_read(detection: Detection) -> TrackRead | None:
    """What is remembered of a detection; None if it has no track."""
    times = detection.first_seen_at, detection.last_seen_at
    return track_read_of(detection.event_id, detection.track_id, detection.plate, times)


def track_read_of(
    event_id: str, track_id: str | None, plate: Plate | None, times: tuple[Micros, Micros]
) -> TrackRead | None:
    """The same of what is known of a detection."""
    if track_id is None:
        return None
    if plate is None or not plate.normalized_text:
        return TrackRead(event_id, track_id, "", 0.0, "", *times)
    return TrackRead(event_id, track_id, plate.normalized_text, plate.confidence, _evidence(plate), *times)


def agree(a: TrackRead, b: TrackRead, least: float) -> bool:
    """Whether two readable reads of one track may be of one plate: one may well be a misread of the other.

    Args:
        a: one of them.
        b: the other.
        least: likelihood that is enough (`schemas.identity.likelihood`).
    """
    return a.text == b.text or likelihood(_plate(a), b.text) >= least or likelihood(_plate(b), a.text) >= least


def _evidence(plate: Plate) -> str:
    characters: object = plate.characters
    if isinstance(characters, Characters):
        return b2a_base64(characters.raw, newline=False).decode()
    if not plate.characters:
        return ""
    return json.dumps([[[item.char, item.probability] for item in position] for position in plate.characters])


def _plate(read: TrackRead) -> Plate:
    return Plate(read.text, read.text, read.confidence, characters=_characters(read.evidence))


def _characters(evidence: str) -> tuple[tuple[CharacterAlternative, ...], ...]:
    if not evidence:
        return ()
    if evidence.startswith("["):
        return tuple(tuple(CharacterAlternative(*item) for item in position) for position in json.loads(evidence))
    return tuple(Characters(b64decode(evidence)))
