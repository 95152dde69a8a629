"""The bytes of an event that is another one and more, made of the other one's bytes."""

from dataclasses import fields
from typing import Any

import pytest

from schemas.codec import EventCodec
from schemas.direct_avro import extender
from schemas.events import CharacterAlternative, Detection, Images, Plate, Resolved, Sighting, Visit
from schemas.registry import MemoryRegistry
from schemas.topics import ROUTED, SIGHTINGS

CODEC = EventCodec(MemoryRegistry())
SEEN: dict[str, Any] = {
    "event_id": "e1",
    "captured_at": 1_764_000_000_000_000,
    "camera_id": "gate",
    "plate": Plate("Ä 1", "A1", 0.5, characters=((CharacterAlternative("A", 0.5),), (CharacterAlternative("1", 0.5),))),
    "images": Images(frame_url="s3://b/1"),
    "first_seen_at": 1_764_000_000_000_000,
    "last_seen_at": 1_764_000_001_000_000,
    "extras": {"zone": "京"},
}
ADDED = [field.name for field in fields(Sighting)][len(fields(Detection)) :]


@pytest.mark.parametrize(
    "added",
    [
        (1, "A1", Resolved(text="A1", confidence=0.5), 1, 1_764_000_000_000_000, None, None),
        (70, "京", Resolved(text="A1", confidence=0.0, previous_text="B1"), 2**31 - 1, -1, "v", "e0"),
        (2, "", None, 1, None, None, None),
    ],
)
def test_sighting_is_the_detection_and_more(added: tuple[Any, ...]) -> None:
    """The same bytes as encoding gives."""
    value = CODEC.encode(ROUTED, Detection(**SEEN))
    sighting = Sighting(**SEEN, **dict(zip(ADDED, added, strict=True)))
    assert CODEC.extend(SIGHTINGS, Detection, value, *added) == CODEC.encode(SIGHTINGS, sighting)


def test_what_does_not_fit_is_left_to_the_codec() -> None:
    """Values of other contracts, and fields outside of their type's range."""
    codec = EventCodec(MemoryRegistry())
    value = CODEC.encode(ROUTED, Detection(**SEEN))
    added = (1, "A1", None, 1, None, None, None)
    assert codec.extend(SIGHTINGS, Detection, b"\0\0\0\0\x63" + value[5:], *added) is None
    assert CODEC.extend(SIGHTINGS, Detection, value, 2**31, *added[1:]) is None


def test_contract_that_does_not_begin_with_the_other_is_not_extended() -> None:
    """A visit is no detection."""
    assert extender(Detection, Visit) is None
