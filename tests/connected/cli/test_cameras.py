"""`alpr cameras` on real servers."""

import json
from typing import Any
from uuid import uuid4

import pytest

from cli.kafka_clients import producer
from schemas.topics import CAMERAS
from tests.connected.cli.commands import alpr, forget_endpoints


@pytest.fixture(autouse=True)
def topics(stack: Any) -> None:
    """The stack's endpoints, and the topics."""
    forget_endpoints()
    assert alpr("topics", "apply").exit_code == 0


@pytest.fixture
def camera() -> str:
    """A camera of this test alone."""
    return f"gate-{uuid4().hex[:8]}"


def listed(camera_id: str) -> dict[str, Any] | None:
    """The camera as `list` shows it."""
    found = json.loads(alpr("cameras", "list", "--json").output.splitlines()[-1])
    return next((one for one in found if one["camera_id"] == camera_id), None)


def test_camera_is_put_changed_and_deleted(camera: str) -> None:
    """What is given changes, what is not given stays, what is cleared goes."""
    put = alpr(
        "cameras", "put", camera, "--site", "north", "--lat", "52.5", "--lon", "13.25", "--role", "entry", "--country",
        "DE", "--max-rate-per-s", "5", "--time-zone", "Europe/Berlin",
    )  # fmt: skip
    assert put.exit_code == 0, put.output
    alpr("cameras", "put", camera, "--zone", "yard", "--clear", "role")
    found = listed(camera)
    assert found is not None
    assert {name: value for name, value in found.items() if value is not None} == {
        "camera_id": camera, "site_id": "north", "location": {"lat": 52.5, "lon": 13.25}, "zone": "yard",
        "country": "de", "max_rate_per_s": 5.0, "time_zone": "Europe/Berlin",
    }  # fmt: skip
    assert camera in alpr("cameras", "list", "--site", "north").output
    assert camera not in alpr("cameras", "list", "--site", "south").output
    assert alpr("cameras", "delete", camera).exit_code == 0
    assert listed(camera) is None
    again = alpr("cameras", "delete", camera)
    assert again.exit_code == 1
    assert "alpr cameras list" in again.output


def test_gate_for_both_ways_becomes_no_gate(camera: str) -> None:
    """A role is taken back by its name; a gate whose site nobody knows is written with a warning."""
    answer = alpr("cameras", "put", camera, "--role", "both")
    assert answer.exit_code == 0, answer.output
    assert "--site" in answer.output
    found = listed(camera)
    assert found is not None
    assert found["role"] == "both"
    assert alpr("cameras", "put", camera, "--role", "none").exit_code == 0
    found = listed(camera)
    assert found is not None
    assert found["role"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--lat", "1"), "--lon"),
        (("--lat", "91", "--lon", "1"), "91"),
        (("--time-zone", "Europe/Atlantis"), "Atlantis"),
        (("--time-zone", "../../etc/passwd"), "no time zone"),
        (("--role", "door"), "door"),
        (("--max-rate-per-s", "-1"), "-1"),
        (("--zone", "a", "--clear", "zone"), "cleared at once"),
    ],
)
def test_wrong_values_are_refused_in_words(camera: str, arguments: tuple[str, ...], message: str) -> None:
    """Nothing is written."""
    answer = alpr("cameras", "put", camera, *arguments)
    assert answer.exit_code != 0
    assert message in answer.output
    assert listed(camera) is None


@pytest.mark.parametrize("camera_id", ["", "  ", "a\x00b", "c" * 129])
def test_wrong_ids_are_refused(camera_id: str) -> None:
    """They become Kafka keys and object names."""
    assert alpr("cameras", "put", camera_id).exit_code == 2


def test_entry_that_is_no_camera_is_shown_and_can_be_deleted(camera: str) -> None:
    """Somebody wrote rubbish: the rest is listed, and the entry goes like any other."""
    writer = producer()
    writer.produce(CAMERAS.name, key=camera.encode(), value=b"rubbish")
    assert writer.flush(10) == 0
    shown = alpr("cameras", "list")
    assert shown.exit_code == 0
    assert f"{camera}: no camera" in shown.output
    assert alpr("cameras", "delete", camera).exit_code == 0
    assert camera not in alpr("cameras", "list").output


def test_country_without_formats_is_taken_with_a_warning(camera: str) -> None:
    """The registry is for more than formats."""
    answer = alpr("cameras", "put", camera, "--country", "is")
    assert answer.exit_code == 0
    assert "regions stay open" in answer.output
