"""Looking at fields in Avro bytes: what is given is what decoding gives, and the unusual is refused."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.codec import HEADER_BYTES, EventCodec
from schemas.direct_avro import ERRORS
from schemas.direct_survey import surveyor
from schemas.events import Alert, CharacterAlternative, Detection, Images, Location, Node, Plate, Vehicle
from schemas.registry import MemoryRegistry
from schemas.topics import DETECTED

CODEC = EventCodec(MemoryRegistry())
WANTED = ("camera_id", "captured_at", "plate.text", "plate.characters", "location.lat", "extras", "is_final", "reads")
PLACES = ("site_id", "plate.region", "extras")
DETECTION = Detection(
    event_id="e1",
    captured_at=1_764_000_000_000_000,
    camera_id="gate",
    plate=Plate("AB 1", "AB1", 0.9, None, ((CharacterAlternative("A", 0.5),),) * 3),
    vehicle=Vehicle("car", color="red"),
    images=Images("s3://" + "k" * 200),
    location=Location(52.5, 13.4),
    first_seen_at=1_764_000_000_000_000,
    last_seen_at=-1,
    reads=300,
    node=Node("edge", "host", {"detector": "d"}),
    extras={"a": "b", "c": "d"},
)


def surveyed(item: Detection, limits: dict[str, int] | None = None) -> tuple[Any, ...]:
    """What the survey of an event's bytes gives."""
    survey = surveyor(Detection, WANTED, PLACES, limits or {})
    assert survey is not None
    return survey(CODEC.encode(DETECTED, item), HEADER_BYTES)


def test_values_are_those_of_the_event() -> None:
    """Numbers, texts as bytes, characters, the number of entries of a map."""
    found = surveyed(DETECTION)
    assert DETECTION.plate is not None
    assert found[:8] == (
        *(b"gate", DETECTION.captured_at, b"AB 1", DETECTION.plate.characters, 52.5, 2, True, 300),
    )  # fmt: skip


def test_what_is_null_or_within_null_is_none() -> None:
    """No plate: neither its text nor a place in it; no characters and no entries are none."""
    found = surveyed(replace(DETECTION, plate=None, location=None, extras={}))
    assert found[2:6] == (None, None, None, 0)
    assert found[9] is None
    assert surveyed(replace(DETECTION, plate=Plate("A", "A", 1.0)))[3] is None


def test_places_are_where_a_value_can_be_put() -> None:
    """A value in the place of the byte that says that there is none is what encoding it gives."""
    bare = replace(DETECTION, extras={})
    value = CODEC.encode(DETECTED, bare)
    site_at, region_at, extras_at = surveyed(bare)[8:]
    changed = b"".join(
        [
            *(value[:site_at], b"\2\2s", value[site_at + 1 : region_at], b"\2\4de"),
            *(value[region_at + 1 : extras_at], b"\2\2k\2v\0", value[extras_at + 1 :]),
        ]
    )
    assert bare.plate is not None
    completed = replace(bare, site_id="s", plate=replace(bare.plate, region="de"), extras={"k": "v"})
    assert changed == CODEC.encode(DETECTED, completed)


@pytest.mark.parametrize(
    ("item", "limits"),
    [
        (replace(DETECTION, camera_id="tür"), {}),
        (replace(DETECTION, images=Images("s3://ü")), {}),
        (replace(DETECTION, camera_id="c" * 11), {"camera_id": 10}),
        (replace(DETECTION, camera_id="c" * 64), {"camera_id": 63}),
        (replace(DETECTION, images=Images("u" * 2049)), {"images.plate_url": 2048}),
    ],
)
def test_other_text_than_ascii_and_longer_text_than_allowed_is_unusual(item: Detection, limits: dict[str, int]) -> None:
    """Such an event has to be decoded."""
    with pytest.raises(ERRORS):
        surveyed(item, limits)


def test_text_of_the_greatest_length_is_given() -> None:
    """Limits are inclusive."""
    limits = {"camera_id": 64, "images.plate_url": 2048}
    assert surveyed(replace(DETECTION, camera_id="c" * 64, images=Images("u" * 2048)), limits)[0] == b"c" * 64


def test_cut_and_longer_values_are_unusual() -> None:
    """Whatever is missing or left over at the end is noticed."""
    survey = surveyor(Detection, WANTED, PLACES, {})
    assert survey is not None
    value = CODEC.encode(DETECTED, DETECTION)
    for wrong in [value + b"\0", *(value[:end] for end in range(HEADER_BYTES, len(value)))]:
        with pytest.raises(ERRORS):
            survey(wrong, HEADER_BYTES)
    assert survey(value, HEADER_BYTES)[0] == b"gate"


def test_a_field_that_is_not_there_is_a_mistake() -> None:
    """A renamed field shows when the program starts."""
    with pytest.raises(KeyError, match=r"plate\.colour"):
        surveyor(Detection, ("plate.colour",), (), {})


def test_contracts_with_arrays_can_be_surveyed() -> None:
    """Arrays that nobody wants are passed over."""
    assert surveyor(Alert, ("rule.id",), (), {}) is not None
