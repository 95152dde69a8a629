"""What the router makes of a raw record."""

import json
import math
from dataclasses import dataclass, replace
from typing import Any

import pytest

from agents.decisions.plausibility import RoutingSettings
from agents.decisions.raw_records import ORIGIN_HEADER
from agents.decisions.routing import REGION_SOURCE, TIME_ZONE, ZONE, Routed, Routing, route
from schemas.clock import to_iso
from schemas.errors import BusinessRuleError, ErrorType, RegistryUnavailable, SchemaError
from schemas.events import Camera, CharacterAlternative, Detection, Images, Location, Metric, Plate, Vehicle
from schemas.keys import foreign_detection_id
from schemas.topics import DETECTED, METRICS, ROUTED, VEHICLES
from tests.unit.agents.detections import CODEC, SECOND, T0, detection

DAY = 86_400 * SECOND


@dataclass
class Record:
    """A raw record."""

    value: bytes | None
    timestamp: int = T0 // 1000
    topic: str = "alpr.plates.detected"
    partition: int = 3
    offset: int = 7
    headers: tuple[tuple[str, bytes | None], ...] = ()


def avro(item: Detection) -> Record:
    """A record in Avro."""
    return Record(CODEC.encode(DETECTED, item))


def as_json(**fields: Any) -> Record:
    """A record in JSON."""
    return Record(json.dumps({"camera_id": "gate", "captured_at": to_iso(T0), **fields}).encode())


def decide(record: Record, cameras: dict[str, Camera] | None = None, **settings: Any) -> Routed:
    """The decision."""
    routing = route(record, CODEC, cameras or {}, RoutingSettings(**settings))
    assert routing.refused is None
    (routed,) = routing.routed
    return routed


def test_avro_detection_is_routed_by_its_camera() -> None:
    """A valid detection goes on unchanged."""
    item = detection("e1", "AB 1234")
    routed = decide(avro(item))
    assert (routed.event, routed.topic, routed.key) == (item, ROUTED, b"gate")


def test_json_detection_is_routed() -> None:
    """A producer without a registry is as good."""
    routed = decide(as_json(event_id="j1", plate_text="ab-1234", plate_confidence=0.5))
    assert routed.topic is ROUTED
    assert routed.event.event_id == "j1"
    assert routed.event.plate == Plate("ab-1234", "AB1234", 0.5)


def test_foreign_record_gets_an_id_from_its_place() -> None:
    """The same record read again is the same event; a replayed one too."""
    record = as_json(plate_text="AB1")
    expected = foreign_detection_id("alpr.plates.detected", 3, 7)
    assert decide(record).event.event_id == expected
    record.offset, record.headers = 99, ((ORIGIN_HEADER, b"alpr.plates.detected/3/7"),)
    assert decide(record).event.event_id == expected


@pytest.mark.parametrize("header", [b"", b"x", b"t/1", b"t/x/1", b"t/1/" + b"9" * 5000, b"\xff/\xff/\xff", None])
def test_nonsense_in_the_origin_header_is_ignored(header: bytes | None) -> None:
    """Headers come from outside."""
    record = as_json(plate_text="AB1")
    record.headers = ((ORIGIN_HEADER, header),)
    assert decide(record).event.event_id == foreign_detection_id("alpr.plates.detected", 3, 7)


def test_blank_event_id_in_avro_counts_as_none() -> None:
    """An id of spaces would make all of them one event."""
    assert decide(avro(detection(" "))).event.event_id == foreign_detection_id("alpr.plates.detected", 3, 7)


def test_normalised_text_is_ours() -> None:
    """Keys depend on it, so what a producer gives is not trusted."""
    plate = decide(avro(replace(detection(), plate=Plate("ab·12", "WRONG", 0.5)))).event.plate
    assert plate == Plate("ab·12", "AB12", 0.5)


@pytest.mark.parametrize("text", ["🚗🚓", "---", "؟"])
def test_unreadable_plate_is_routed_as_observed(text: str) -> None:
    """Nothing to identify, but something was there."""
    routed = decide(avro(replace(detection(), plate=Plate(text, "X", 0.2))))
    assert routed.topic is ROUTED
    assert routed.event.plate == Plate(text, "", 0.2)
    assert routed.key == b"gate"


@pytest.mark.parametrize("plate", [None, Plate("", "", 0.0), Plate("  ", "", 0.0)])
def test_vehicle_without_a_plate_has_its_own_topic(plate: Plate | None) -> None:
    """A blank text is no plate."""
    routed = decide(avro(replace(detection(), plate=plate, vehicle=Vehicle(type="car"))))
    assert (routed.topic, routed.key) == (VEHICLES, b"gate")


@pytest.mark.parametrize(
    ("camera", "settings", "text", "expected"),
    [
        ({"country": "gb"}, {}, "AB12 CDE", "gb"),
        ({"country": "GB"}, {}, "AB12 CDE", "gb"),
        ({"country": "gb"}, {"fill_region": False}, "AB12 CDE", None),
        ({"country": "gb"}, {}, "12", None),  # fits nothing: stays open, and is routed all the same
        ({"country": "us-ca"}, {}, "ABC 1234", None),  # two states
        ({"country": "xx"}, {}, "AB12 CDE", None),
        ({"site_id": "north"}, {"site_countries": {"north": "de"}}, "B AB 1234", "de"),
        ({"site_id": "north", "country": "gb"}, {"site_countries": {"north": "de"}}, "B AB 1234", None),
        ({}, {"country": "gb"}, "AB12 CDE", "gb"),
        (None, {"country": "gb"}, "AB12 CDE", "gb"),
        ({}, {}, "AB12 CDE", None),
        ({"country": "gb"}, {}, "---", None),
    ],
)
def test_region_is_filled_only_when_it_is_certain(
    camera: dict[str, Any] | None, settings: dict[str, Any], text: str, expected: str | None
) -> None:
    """One format of the camera's own country, and the event says that it was concluded; else it stays open."""
    known = {} if camera is None else {"gate": Camera(camera_id="gate", **camera)}
    found = decide(avro(detection(text=text)), known, **settings).event
    assert isinstance(found, Detection)
    assert found.plate is not None
    assert (found.plate.region, found.plate.text) == (expected, text)
    assert found.extras.get(REGION_SOURCE) == ("format" if expected else None)


def test_region_of_the_producer_is_never_overwritten() -> None:
    """What was observed stands, even where it fits no format."""
    item = replace(detection(), plate=Plate("AB12 CDE", "AB12CDE", 0.5, "fr"))
    assert decide(avro(item), {"gate": Camera(camera_id="gate", country="gb")}).event == item


FRAME = {
    "version": "4.0", "id": "7", "@timestamp": to_iso(T0), "sensorId": "gate",
    "objects": [
        "1|10|10|90|50|Vehicle|#|sedan|bmw|M|blue|AB12CDE|gb|0.8", "2|1|1|9|5|Person|#|male|30|black|0|formal|0.9",
        "3|10|10|90|50|Vehicle|#|truck|man|X|red||ca|0.7", "4|rubbish", "5|1|1|9|5|lpd|#|XY99ZZZ|0.9",
    ],
}  # fmt: skip


def all_of(body: dict[str, Any], **settings: Any) -> Routing:
    """The decision about a record in JSON that may hold several things."""
    return route(Record(json.dumps(body).encode()), CODEC, {}, RoutingSettings(**settings))


def test_frame_of_deepstream_becomes_its_vehicles() -> None:
    """Each object by itself: plates, vehicles, people that are none of ours, and rubbish that takes nobody along."""
    routing = all_of(FRAME)
    assert [(item.topic, item.key, item.lane) for item in routing.routed] == [
        (ROUTED, b"gate", 0), (VEHICLES, b"gate", 2), (ROUTED, b"gate", 4),
    ]  # fmt: skip
    assert routing.ignored == 1
    assert isinstance(routing.refused, SchemaError)
    assert "objects[3]" in str(routing.refused)


def test_object_that_says_what_cannot_be_does_not_take_the_frame_along() -> None:
    """The limits hold for each object."""
    routing = all_of({**FRAME, "objects": [f"{'9' * 200}|1|1|9|5|lpd|#|A1|0.9", FRAME["objects"][0]]})
    assert [item.lane for item in routing.routed] == [1]
    assert isinstance(routing.refused, BusinessRuleError)


@pytest.mark.parametrize("objects", [[], ["1|1|1|9|5|Person"]])
def test_frame_without_vehicles_is_no_error(objects: list[str]) -> None:
    """DeepStream reports empty frames."""
    routing = all_of({**FRAME, "objects": objects})
    assert (routing.routed, routing.refused, routing.ignored) == ((), None, len(objects))


def test_frame_of_another_year_is_refused_whole() -> None:
    """Every object of it is."""
    with pytest.raises(SchemaError, match="timestamp"):
        all_of({**FRAME, "@timestamp": "x"})
    routing = all_of({**FRAME, "@timestamp": "2011-01-01T00:00:00Z"})
    assert (routing.routed, type(routing.refused)) == ((), BusinessRuleError)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"camera_id": "gate"}, b"gate"),
        ({"tags": {"node": "edge-1"}}, b"edge-1"),
        ({"host": "edge-2"}, b"edge-2"),
        ({}, b"fps"),
    ],
)
def test_measurement_goes_to_the_metrics(fields: dict[str, Any], key: bytes) -> None:
    """A foreign producer has one topic for everything."""
    (routed,) = all_of({"name": "fps", "value": 25, **fields}).routed
    assert (routed.topic, routed.key) == (METRICS, key)
    assert isinstance(routed.event, Metric)
    assert (routed.event.value, routed.event.measured_at) == (25.0, T0 - T0 % 1000)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"value": "x"}, SchemaError),
        ({"measured_at": "1970-01-01"}, BusinessRuleError),
        ({"measured_at": "2100-01-01"}, BusinessRuleError),
        ({"camera_id": "c" * 129}, SchemaError),
    ],
)
def test_wrong_measurement_is_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    """The same limits as for detections."""
    with pytest.raises(error):
        all_of({"name": "fps", "value": 25, **changes})


def test_registry_fills_what_the_producer_left_open() -> None:
    """Site, place, direction, zone and time zone come from the camera registry; what was sent stays."""
    camera = Camera(
        camera_id="gate",
        site_id="north",
        location=Location(1.0, 2.0),
        direction="in",
        zone="yard",
        time_zone="Asia/Tokyo",
    )
    open_ones = decide(avro(detection()), {"gate": camera}).event
    assert (open_ones.site_id, open_ones.location, open_ones.direction) == ("north", Location(1.0, 2.0), "in")
    assert open_ones.extras == {ZONE: "yard", TIME_ZONE: "Asia/Tokyo"}
    extras = {ZONE: "street", TIME_ZONE: "UTC"}
    given = detection(site_id="south", location=Location(3.0, 4.0), direction="out", extras=extras)
    assert decide(avro(given), {"gate": camera}).event == given


@pytest.mark.parametrize(
    "value", [None, b"", b"\x01\x02", b"\x00\x00\x00\x00\x63x", b"[1]", b"{", b'{"camera_id":1}', b"\xff" * 50]
)
def test_no_detection_is_a_schema_error(value: bytes | None) -> None:
    """Bytes that are neither form."""
    with pytest.raises(SchemaError) as caught:
        decide(Record(value))
    assert caught.value.error_type is ErrorType.SCHEMA_VALIDATION


def test_too_large_a_record_is_refused_before_it_is_parsed() -> None:
    """5 MB of anything is no detection."""
    with pytest.raises(BusinessRuleError, match="5000000 bytes"):
        decide(Record(b"{" * 5_000_000))
    assert decide(as_json(event_id="e"), max_detection_bytes=1000).event.event_id == "e"


def test_registry_that_is_away_is_not_the_records_fault() -> None:
    """It passes through, to be tried again."""

    class Away:
        def decode(self, *_: Any) -> Any:
            raise RegistryUnavailable("away")

    with pytest.raises(RegistryUnavailable):
        route(avro(detection()), Away(), {}, RoutingSettings())  # type: ignore[arg-type]  # a codec that is away


def at(micros: int) -> Detection:
    """A detection of one moment."""
    return replace(detection(), captured_at=micros, first_seen_at=micros, last_seen_at=micros)


@pytest.mark.parametrize("late", [0, 29 * DAY, -4 * 60 * SECOND])
def test_times_within_the_limits(late: int) -> None:
    """30 days back and 5 minutes ahead of the record, counted from Kafka's time."""
    assert decide(avro(at(T0 - late))).event.captured_at == T0 - late


@pytest.mark.parametrize(
    ("micros", "message"),
    [
        (0, "1970"),
        (4_102_444_800_000_000, "2100"),
        (T0 - 31 * DAY, "30 days"),
        (T0 + 6 * 60 * SECOND, "5 minutes"),
        (2**62, "5 minutes"),
        (-(2**62), "30 days"),
    ],
)
def test_times_outside_are_refused(micros: int, message: str) -> None:
    """The message names the time and the limit."""
    with pytest.raises(BusinessRuleError, match=message) as caught:
        decide(avro(at(micros)))
    assert caught.value.error_type is ErrorType.BUSINESS_LOGIC


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_id": ""}, "camera_id is empty"),
        ({"camera_id": "  "}, "camera_id is empty"),
        ({"camera_id": "c" * 129}, "129 characters"),
        ({"camera_id": "a\x00b"}, "control characters"),
        ({"event_id": "e\n"}, "control characters"),
        ({"track_id": "t" * 129}, "track_id"),
        ({"site_id": "\x07"}, "site_id"),
        ({"last_seen_at": T0 - 1}, "before first_seen_at"),
        ({"first_seen_at": 0}, "first_seen_at is 1970"),
        ({"first_seen_at": T0 - 2 * DAY}, "apart"),
        ({"reads": -1}, "reads"),
        ({"latency_ms": math.nan}, "latency_ms"),
        ({"latency_ms": math.inf}, "latency_ms"),
        ({"location": Location(90.5, 0.0)}, "location.lat"),
        ({"location": Location(0.0, -180.5)}, "location.lon"),
        ({"location": Location(math.nan, 0.0)}, "location.lat"),
        ({"direction": "d" * 257}, "direction"),
        ({"vehicle": Vehicle(make="m" * 257)}, "vehicle.make"),
        ({"vehicle": Vehicle(confidence=1.5)}, "vehicle.confidence"),
        ({"images": Images(plate_url="u" * 2049)}, "images.plate_url"),
        ({"plate": Plate("A" * 17, "", 0.5)}, "17 letters and digits"),
        ({"plate": Plate("-" * 65, "", 0.5)}, "plate.text has 65"),
        ({"plate": Plate("A", "A", 1.01)}, "plate.confidence"),
        ({"plate": Plate("A", "A", math.nan)}, "plate.confidence"),
        ({"plate": Plate("A", "A", 0.5, "r" * 257)}, "plate.region"),
        ({"plate": Plate("A", "A", 0.5, None, ((CharacterAlternative("A", 1.5),),))}, "probability"),
        ({"plate": Plate("A", "A", 0.5, None, ((CharacterAlternative("A", math.nan),),))}, "probability"),
        ({"plate": Plate("A", "A", 0.5, None, ((CharacterAlternative("", 0.5),),))}, "no character"),
        ({"plate": Plate("A", "A", 0.5, None, ((CharacterAlternative("A", 0.75),) * 2,))}, "add up to 1.5"),
        ({"plate": Plate("A", "A", 0.5, None, ((CharacterAlternative("A", 0.0),) * 41,))}, "41 alternatives"),
        ({"plate": Plate("A", "A", 0.5, None, ((),) * 65)}, "65 positions"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    """Each rule, with the field in its message."""
    with pytest.raises(BusinessRuleError, match=message):
        decide(avro(replace(detection(), **changes)))


def test_limits_are_settings() -> None:
    """An archive is imported by raising the age."""
    old = avro(at(T0 - 400 * DAY))
    assert decide(old, max_age_s=500 * 86_400).topic is ROUTED
