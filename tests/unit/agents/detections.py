"""Detections for the tests of the agents' decisions."""

from collections.abc import Sequence
from typing import Any

from schemas.codec import EventCodec
from schemas.events import CharacterAlternative, Detection, Plate
from schemas.identity import normalise
from schemas.registry import MemoryRegistry
from schemas.topics import ROUTED

CODEC = EventCodec(MemoryRegistry())
T0 = 1_764_000_000_000_000
"""A time in November 2025, microseconds."""
SECOND = 1_000_000


def plate(text: str, confidence: float = 0.9, alternatives: Sequence[str] = (), **fields: Any) -> Plate:
    """A read plate; `alternatives` gives the characters seen at each position, the first one most probable."""
    characters = tuple(
        tuple(CharacterAlternative(char, p) for char, p in zip(chars, _shares(len(chars)), strict=True))
        for chars in alternatives
    )
    return Plate(text, normalise(text), confidence, characters=characters, **fields)


def detection(
    event_id: str = "e1",
    text: str | None = "AB 1234",
    *,
    at_s: float = 0.0,
    until_s: float | None = None,
    confidence: float = 0.9,
    alternatives: Sequence[str] = (),
    **fields: Any,
) -> Detection:
    """A detection at camera ``gate``, `at_s` seconds after `T0`."""
    at = T0 + round(at_s * SECOND)
    last = at if until_s is None else T0 + round(until_s * SECOND)
    values: dict[str, Any] = {
        "event_id": event_id,
        "captured_at": at,
        "camera_id": "gate",
        "plate": None if text is None else plate(text, confidence, alternatives),
        "first_seen_at": at,
        "last_seen_at": last,
        **fields,
    }
    return Detection(**values)


def value_of(item: Detection) -> bytes:
    """The detection as the router writes it."""
    return CODEC.encode(ROUTED, item)


def read(value: bytes) -> Detection:
    """The opposite of `value_of`."""
    found: Detection = CODEC.decode(ROUTED, value)
    return found


def _shares(count: int) -> list[float]:
    return [1.0] if count == 1 else [0.6, *[0.3 / (count - 1)] * (count - 1)]
