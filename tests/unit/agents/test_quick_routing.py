"""The short cut of routing: it decides as the whole decision does, or not at all."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.decisions.plausibility import RoutingSettings
from agents.decisions.quick_routing import QuickRouter
from agents.decisions.routing import route
from schemas.errors import AlprError
from schemas.events import Camera, CharacterAlternative, Detection, Images, Location, Node, Plate, Vehicle
from schemas.identity import normalise
from schemas.topics import DETECTED, ROUTED, VEHICLES
from tests.unit.agents.detections import CODEC, T0, detection
from tests.unit.agents.runs import FakeRecord

CODEC.prepare(DETECTED, ROUTED, VEHICLES)
FULL = Camera(
    camera_id="gate", site_id="nörd", location=Location(52.5, 13.4), zone="yard", direction="in", country="de",
    time_zone="Europe/Berlin", lateness_s=4.0,
)  # fmt: skip
HALF = Camera(camera_id="gate", zone="z" * 80)
CAMERAS = (None, FULL, HALF, replace(FULL, max_rate_per_s=5.0), Camera(camera_id="gate"))
SETTINGS = (
    RoutingSettings(),
    RoutingSettings(country="nl", site_countries={"s": "de", "nörd": "fr"}),
    RoutingSettings(fill_region=False, max_detection_bytes=150),
)
SECOND = 1_000_000


def decide(item: bytes, camera: Camera | None, limits: RoutingSettings) -> tuple[Any, Any]:
    """What the short cut says and what the whole decision says, as (topic, key, value)."""
    cameras: Mapping[str, Camera] = {} if camera is None else {camera.camera_id: camera}
    record = FakeRecord(item, timestamp=T0 // 1000)
    found = QuickRouter(CODEC, cameras, limits).route(record)
    quick = None if found is None else found[:3]
    assert found is None or found.camera is cameras.get(found.camera_id.decode())
    try:
        (routed,) = route(record, CODEC, cameras, limits).routed
    except AlprError as error:
        return quick, error
    return quick, (routed.topic, routed.key, CODEC.encode(routed.topic, routed.event))


def shares() -> st.SearchStrategy[float]:
    """Probabilities, most of them possible."""
    return st.sampled_from((0.0, 0.2, 0.33, 0.5, 0.6, 1.0, 1.25, -0.5, float("nan")))


ids = st.sampled_from(("e1", "", " ", "a\x1fb", "ü", "x" * 63, "x" * 64, "x" * 128, "x" * 129))
words = st.none() | st.sampled_from(("", "in", "é", "w" * 64, "w" * 256, "w" * 257))
urls = st.none() | st.sampled_from(("s3://b/k", "u" * 2048, "u" * 2049, "s3://ü"))
texts = st.sampled_from(("AB 1234", "ab-12", "B MW 123", "---", "", " ", "\x1c", "ÄB 1", "A" * 16, "A" * 17, "A " * 32))
moments = st.sampled_from((0, 0, 0, 1, -1, 299, 301, -86_400, -86_401, -2_592_000, -2_592_001)).map(
    lambda seconds: T0 + seconds * SECOND
)
characters = st.lists(
    st.lists(st.builds(CharacterAlternative, st.sampled_from("ABé1"), shares()), max_size=3).map(tuple), max_size=9
).map(tuple)


@st.composite
def plates(draw: st.DrawFn) -> Plate:
    """Plates whose normalised text is mostly right."""
    text = draw(texts)
    normalized = draw(st.sampled_from((normalise(text), normalise(text), normalise(text), "QX7", "")))
    return Plate(text, normalized, draw(st.sampled_from((0.9, 1.0, 0.0, 1.1))), draw(words), draw(characters))


usual = detection(
    alternatives=("AB", "B8", "1", "2", "34", "4", "5")[:6],
    track_id="7",
    vehicle=Vehicle("car", "vw", "golf", "red", 0.7),
    images=Images("s3://b/" + "k" * 100, None, "s3://b/k"),
    node=Node("edge", "host", {"detector": "d"}),
)
fields: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("captured_at", "first_seen_at", "last_seen_at"), moments),
    **{"event_id": ids, "site_id": st.none() | st.just("s") | ids, "track_id": st.none() | ids, "direction": words},
    "plate": st.none() | plates(),
    "vehicle": st.none() | st.builds(Vehicle, words, words, words, words, st.none() | shares()),
    "images": st.builds(Images, urls, urls, urls),
    "location": st.none() | st.builds(Location, st.sampled_from((0.0, 90.0, -90.1)), st.sampled_from((13.0, 180.5))),
    "reads": st.sampled_from((0, 1, 63, 64, 2**31 - 1, -1)),
    "latency_ms": st.none() | st.sampled_from((1.5, float("nan"), float("inf"))),
    "node": st.none() | st.builds(Node, ids, words, st.dictionaries(ids, ids, max_size=2)),
    "is_final": st.booleans(),
    "extras": st.dictionaries(st.sampled_from(("zone", "k", "é")), words.map(str), max_size=2),
}


@st.composite
def detections(draw: st.DrawFn) -> Detection:
    """The usual detection with some fields drawn."""
    names = draw(st.sets(st.sampled_from(sorted(fields)), max_size=4))
    return replace(usual, **{name: draw(fields[name]) for name in sorted(names)})


@pytest.mark.thorough
@settings(max_examples=1000, deadline=None)
@given(detections(), st.sampled_from(CAMERAS), st.sampled_from(SETTINGS))
def test_the_short_cut_decides_as_the_whole_decision(
    item: Detection, camera: Camera | None, limits: RoutingSettings
) -> None:
    """Topic, key and bytes are those of the whole decision; what that refuses gets no answer."""
    quick, whole = decide(CODEC.encode(DETECTED, item), camera, limits)
    assert quick is None or quick == whole


@pytest.mark.parametrize("camera", [None, FULL, HALF])
@pytest.mark.parametrize(
    "item",
    [
        usual,
        replace(usual, plate=None),
        replace(usual, site_id="s", direction="out", location=Location(1.0, 2.0)),
        replace(usual, plate=Plate("B MW 123", "BMW123", 0.9)),
        replace(usual, plate=Plate("B MW 123", "BMW123", 0.9, "de")),
        replace(usual, vehicle=None, node=None, track_id=None),
    ],
)
def test_usual_detections_take_the_short_cut(item: Detection, camera: Camera | None) -> None:
    """What producers send in practice is decided without being decoded, additions of the registry included."""
    quick, whole = decide(CODEC.encode(DETECTED, item), camera, RoutingSettings(country="de"))
    assert quick == whole


def test_a_changed_camera_is_seen() -> None:
    """The next detection after a change of the registry is completed by the new entry."""
    cameras = {"gate": HALF}
    router = QuickRouter(CODEC, cameras, RoutingSettings())
    record = FakeRecord(CODEC.encode(DETECTED, usual), timestamp=T0 // 1000)
    before = router.route(record)
    cameras["gate"] = replace(HALF, zone="ramp")
    after = router.route(record)
    assert before is not None
    assert after is not None
    assert [CODEC.decode(ROUTED, quick.value).extras for quick in (before, after)] == [
        {"zone": "z" * 80},
        {"zone": "ramp"},
    ]


@given(st.integers(0, 400), st.binary(max_size=3))
def test_damaged_bytes_get_no_answer_that_differs(place: int, damage: bytes) -> None:
    """Bytes that were cut or changed are decided as the whole decision does, or not at all."""
    value = CODEC.encode(DETECTED, usual)
    quick, whole = decide(value[: place + 5] + damage + value[place + 5 + len(damage) :], FULL, RoutingSettings())
    assert quick is None or (
        isinstance(whole, tuple) and CODEC.decode(ROUTED, quick[2]) == CODEC.decode(ROUTED, whole[2])
    )


def test_unknown_schema_ids_get_no_answer() -> None:
    """A value of another contract is left to the whole decision, which asks the registry."""
    value = CODEC.encode(DETECTED, usual)
    record = FakeRecord(b"\0\0\0\1\7" + value[5:], timestamp=T0 // 1000)
    assert QuickRouter(CODEC, {}, RoutingSettings()).route(record) is None
