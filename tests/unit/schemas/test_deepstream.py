"""Messages of DeepStream's converter: both documented payloads, newer names, and bad input."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clock import parse_time
from schemas.deepstream import MAX_OBJECTS, FrameObject, is_deepstream, objects_of
from schemas.errors import SchemaError
from schemas.events import Detection, Location, Node, Plate, Vehicle
from schemas.json_form import detection_from_json, detection_to_json

AT = "2018-04-11T04:59:59.828Z"
VEHICLE = "957|1834|150|1918|215|Vehicle|#|sedan|Bugatti|M|blue|CA 444|California|0.8"
"""The object in the comments of NVIDIA's converter."""
MINIMAL: dict[str, Any] = {
    "version": "4.0", "id": "1440", "@timestamp": AT, "sensorId": "sensor-0", "objects": [VEHICLE],
}  # fmt: skip
FULL: dict[str, Any] = {
    "messageid": "84a3a0ad-7eb8-49a2-9aa7-104ded6764d0",
    "mdsversion": "1.0",
    "@timestamp": AT,
    "place": {
        "id": "1", "name": "endeavor", "type": "garage", "location": {"lat": 30.32, "lon": -40.55, "alt": 100.0},
        "entrance": {"name": "walsh", "lane": "lane1", "level": "P2", "coordinate": {"x": 1.0, "y": 2.0, "z": 3.0}},
    },
    "sensor": {
        "id": "CAMERA_ID", "type": "Camera", "description": "\"Entrance of Garage Right Lane\"",
        "location": {"lat": 45.293701447, "lon": -75.8303914499, "alt": 48.1557479338},
        "coordinate": {"x": 5.2, "y": 10.1, "z": 11.2},
    },
    "analyticsModule": {
        "id": "XYZ", "description": "\"Vehicle Detection and License Plate Recognition\"", "source": "OpenALR",
        "version": "1.0",
    },
    "object": {
        "id": "957", "speed": 0.0, "direction": 0.0, "orientation": 0.0,
        "vehicle": {
            "type": "sedan", "make": "Bugatti", "model": "M", "licenseState": "CA", "license": "XX1234",
            "color": "blue", "confidence": 0.75,
        },
        "bbox": {"topleftx": 585, "toplefty": 472, "bottomrightx": 642, "bottomrighty": 518},
        "location": {"lat": 0.0, "lon": 0.0, "alt": 0.0},
        "coordinate": {"x": 0.0, "y": 0.0, "z": 0.0},
    },
    "event": {"id": "4f8436ab-c611-4257-8b83-b9134c6cab0d", "type": "moving"},
    "videoPath": "",
}  # fmt: skip


def one(body: dict[str, Any]) -> Detection:
    """The single detection of a message."""
    (found,) = objects_of(body)
    assert found.error is None, found.error
    assert found.detection is not None
    return found.detection


def line(text: Any, **more: Any) -> FrameObject:
    """The object of a frame that holds just this one."""
    (found,) = objects_of({**MINIMAL, "objects": [text], **more})
    return found


def test_minimal_payload_as_documented() -> None:
    """Vehicle, plate, track and place in the picture of NVIDIA's own example."""
    found = one(MINIMAL)
    assert found.camera_id == "sensor-0"
    assert found.captured_at == found.first_seen_at == found.last_seen_at == parse_time(AT)
    assert found.plate == Plate("CA 444", "CA444", 0.8, "California")
    assert found.vehicle == Vehicle("sedan", "Bugatti", "M", "blue", 0.8)
    assert (found.track_id, found.is_final) == ("957", False)
    assert found.extras == {"frame": "1440", "bbox": "1834,150,1918,215"}


def test_minimal_payload_as_devices_send_it() -> None:
    """A frame number as a number, no track, and -.1 for a confidence that is not known."""
    found = line("-1|570|478.37|609|507.717|Vehicle|#|sedan|Bugatti|M|blue|XX1234|CA|-0.1", id=1440).detection
    assert found is not None
    assert found.plate == Plate("XX1234", "XX1234", 0.0, "CA")
    assert (found.track_id, found.vehicle) == (None, Vehicle("sedan", "Bugatti", "M", "blue", None))


def test_full_payload_as_documented() -> None:
    """Sensor, place, module and event find their fields."""
    found = one(FULL)
    assert (found.camera_id, found.track_id, found.is_final) == ("CAMERA_ID", "957", False)
    assert found.plate == Plate("XX1234", "XX1234", 0.75, "CA")
    assert found.vehicle == Vehicle("sedan", "Bugatti", "M", "blue", 0.75)
    assert found.location == Location(45.293701447, -75.8303914499)
    assert found.node == Node("XYZ", models={"OpenALR": "1.0"})
    assert found.extras == {
        "event": "moving", "place": "endeavor", "lane": "lane1", "level": "P2", "bbox": "585,472,642,518",
    }  # fmt: skip


def test_exit_event_is_the_last_of_an_object() -> None:
    """Nothing else that DeepStream says ends a track."""
    assert one({**FULL, "event": {"id": "x", "type": "exit"}}).is_final


def test_names_of_the_newer_interface() -> None:
    """Objects by the detector's label, attributes by the classifier's type."""
    body = {**FULL, "object": {"id": "7", "Car": {"confidence": 0.5, "carmake": "bmw", "car_color": "red"}}}
    assert one(body).vehicle == Vehicle("car", "bmw", None, "red", 0.5)
    body["object"] = {"id": "8", "license_plate": {"confidence": 0.5, "lpr": "AB-12"}}
    assert (one(body).plate, one(body).vehicle) == (Plate("AB-12", "AB12", 0.5), None)


def test_plate_that_is_an_object_of_its_own() -> None:
    """LPDNet finds the plate, LPRNet reads it: one label, then the confidence."""
    found = line("5|1|2|3|4|lpd|#|4ABC123|0.9").detection
    assert found is not None
    assert (found.plate, found.vehicle) == (Plate("4ABC123", "4ABC123", 0.9), None)


def test_labels_in_an_order_of_their_own_are_kept_as_they_are() -> None:
    """Two labels of a car may be make and color or the other way round: nobody guesses."""
    found = line("5|1|2|3|4|car|#|bmw|black|0.9").detection
    assert found is not None
    assert found.vehicle == Vehicle("car", None, None, None, 0.9)
    assert found.extras["labels"] == "bmw|black"


def test_percentages_are_probabilities() -> None:
    """The documented analytics confidence is 97.79."""
    found = line(VEHICLE.replace("|0.8", "|97.79")).detection
    assert found is not None
    assert found.plate is not None
    assert found.plate.confidence == pytest.approx(0.9779)


@pytest.mark.parametrize("label", ["Person", "RoadSign", "Bag", "Face", "Unknown", ""])
def test_what_is_no_vehicle_is_no_detection(label: str) -> None:
    """People and signs are none of ours, and no error."""
    assert line(f"1|2|3|4|5|{label}|#|female|44|black|0|formal|0.9") == FrameObject(0)


def test_wrong_object_does_not_take_its_neighbours_along() -> None:
    """Each object stands alone; its place stays its place."""
    found = objects_of({**MINIMAL, "objects": [VEHICLE, "rubbish", 7, "1|2|3|4|5|Person", VEHICLE]})
    assert [item.place for item in found] == [0, 1, 2, 3, 4]
    assert [item.detection is not None for item in found] == [True, False, False, False, True]
    assert [item.error is not None for item in found] == [False, True, True, False, False]


def test_ids_are_the_messages_own() -> None:
    """The same message gives the same ids; objects, frames and sensors have different ones."""
    body = {**MINIMAL, "objects": [VEHICLE, VEHICLE]}
    ids = [item.detection.event_id for item in objects_of(body) if item.detection is not None]
    assert ids == [item.detection.event_id for item in objects_of(body) if item.detection is not None]
    others = [one({**MINIMAL, "id": "1441"}).event_id, one({**MINIMAL, "sensorId": "s"}).event_id, one(FULL).event_id]
    assert len({*ids, *others}) == 5


def test_empty_frame() -> None:
    """Nothing was seen."""
    assert objects_of({**MINIMAL, "objects": []}) == ()


@pytest.mark.parametrize(
    "body",
    [MINIMAL, FULL, {**MINIMAL, "objects": []}, {"objects": [], "sensor": "gate"}, {"object": {}, "sensor": {}}],
)
def test_deepstream_is_told_from_other_json(body: dict[str, Any]) -> None:
    """By the fields that both forms have."""
    assert is_deepstream(body)


@pytest.mark.parametrize(
    "body",
    [{}, {"camera_id": "gate", "captured_at": AT}, {"objects": 1, "sensorId": "x"}, {"objects": []}, {"object": "car"}],
)
def test_other_json_is_not_taken_for_deepstream(body: dict[str, Any]) -> None:
    """A producer's own field of that name is not enough."""
    assert not is_deepstream(body)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"@timestamp": None}, "@timestamp"),
        ({"@timestamp": "yesterday"}, "@timestamp"),
        ({"@timestamp": [1]}, "@timestamp"),
        ({"sensorId": ""}, "sensorId"),
        ({"sensorId": {"name": "x"}}, "sensorId"),
        ({"sensorId": [1]}, "sensorId"),
        ({"sensorId": "\ud800"}, "surrogate"),
        ({"objects": [VEHICLE] * (MAX_OBJECTS + 1)}, "201"),
    ],
)
def test_message_that_says_nothing_of_sensor_or_time_is_refused(changes: dict[str, Any], message: str) -> None:
    """The message names the field."""
    with pytest.raises(SchemaError, match=message):
        objects_of({**MINIMAL, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "parts"),
        ("1|2|3", "3 parts"),
        (None, "must be text"),
        (VEHICLE.replace("0.8", "high"), "confidence"),
        (VEHICLE.replace("0.8", "nan"), "confidence"),
        (VEHICLE.replace("0.8", "inf"), "confidence"),
        (VEHICLE.replace("CA 444", "A" * 17), "17 letters"),
    ],
)
def test_wrong_object_says_why(text: Any, message: str) -> None:
    """What is wrong, in words."""
    found = line(text)
    assert found.detection is None
    assert message in str(found.error)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["@timestamp", "sensorId", "sensor", "objects", "object", "event", "place", "id", "messageid",
                         "analyticsModule", "videoPath"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text("|#.0-9aé", max_size=30),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["id", "vehicle", "license", "confidence", "lat", "lon", "bbox", "info",
                                               "topleftx", "type", "source"]), inner, max_size=4),
            max_leaves=8,
        ),
    )
)  # fmt: skip
def test_any_message_gives_detections_or_a_schema_error(changes: dict[str, Any]) -> None:
    """No other exception, and what comes out can be written and read again."""
    for base in (MINIMAL, FULL):
        body = {**base, **changes}
        if not is_deepstream(body):
            continue
        try:
            found = objects_of(body)
        except SchemaError:
            continue
        for item in found:
            if item.detection is not None:
                assert detection_from_json(detection_to_json(item.detection)) == item.detection


def test_messages_survive_json() -> None:
    """The documented messages as bytes."""
    assert one(json.loads(json.dumps(FULL))) == one(FULL)
