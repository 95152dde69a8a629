"""Contracts and dataclasses say the same, and old bytes stay readable."""

import json
import struct
import subprocess
import sys
import types
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import pytest

from schemas import events
from schemas.codec import MAGIC, EventCodec
from schemas.contracts import AVRO_DIR, contract
from schemas.records import field_types, is_micros, to_json_record
from schemas.registry import MemoryRegistry
from schemas.topics import BESIDE, CATALOGUE
from tests.unit.schemas.golden_samples import GOLDEN, SAMPLES, class_of, topic_of

EVENT_CLASSES = [
    getattr(events, name)
    for name in dir(events)
    if is_dataclass(getattr(events, name)) and getattr(events, name).__module__ == "schemas.events"
]
PRIMITIVES = {str: "string", int: ("int", "long"), float: ("double", "float"), bool: "boolean", bytes: "bytes"}
golden = pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("v*/*.bin")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)


def named(schema: Any, found: dict[str, Any]) -> dict[str, Any]:
    """All record schemas in a schema, by full name."""
    if isinstance(schema, list):
        for branch in schema:
            named(branch, found)
    elif isinstance(schema, dict):
        if schema.get("type") == "record":
            found[schema["name"]] = schema
        for part in ("type", "items", "values"):
            if isinstance(schema.get(part), dict | list):
                named(schema[part], found)
        for field in schema.get("fields", ()):
            named(field["type"], found)
    return found


def assert_same_type(hint: Any, schema: Any, where: str) -> None:
    """Fail where a type hint and an Avro type differ."""
    if get_origin(hint) in (Union, types.UnionType):
        assert isinstance(schema, list), f"{where} may be None in Python only"
        assert schema[0] == "null"
        assert_same_type(next(arg for arg in get_args(hint) if arg is not type(None)), schema[1], where)
        return
    assert not isinstance(schema, list), f"{where} may be null in Avro only"
    if is_micros(hint):
        assert schema == {"type": "long", "logicalType": "timestamp-micros"}, where
    elif is_dataclass(hint):
        name = schema["name"] if isinstance(schema, dict) else schema
        assert name.removeprefix("alpr.") == hint.__name__, where  # type: ignore[union-attr]  # a class, not an instance
    elif get_origin(hint) is tuple:
        assert schema["type"] == "array", where
        assert_same_type(get_args(hint)[0], schema["items"], where + "[]")
    elif get_origin(hint) is dict:
        assert schema["type"] == "map", where
        assert_same_type(get_args(hint)[1], schema["values"], where + "{}")
    else:
        kind = schema["type"] if isinstance(schema, dict) else schema
        if kind == "enum":
            kind = "string"
        assert kind in PRIMITIVES[hint], f"{where}: {hint} and {schema}"


@pytest.mark.parametrize("cls", EVENT_CLASSES, ids=lambda cls: cls.__name__)
def test_contract_and_dataclass_agree_field_by_field(cls: type) -> None:
    """Same names in the same order, same types, and an Avro default where Python has one."""
    schema = contract(cls)
    hints = field_types(cls)
    assert [field["name"] for field in schema["fields"]] == list(hints)
    for mine, theirs in zip(fields(cls), schema["fields"], strict=True):
        assert_same_type(hints[mine.name], theirs["type"], f"{cls.__name__}.{mine.name}")
        has_default = mine.default is not MISSING or mine.default_factory is not MISSING
        assert "default" in theirs or not has_default, mine.name


def test_every_contract_file_belongs_to_a_class() -> None:
    """No contract without an event, no event of a topic without a contract."""
    files = {path.name.removeprefix("alpr.").removesuffix(".avsc") for path in AVRO_DIR.glob("*.avsc")}
    assert files == {cls.__name__ for cls in EVENT_CLASSES}
    assert {topic.event.__name__ for topic in (*CATALOGUE, *BESIDE) if topic.event is not None} <= files


def test_sighting_begins_with_the_fields_of_a_detection() -> None:
    """A reader of detections can read sightings: the first fields are the same."""
    detection, sighting = contract(events.Detection)["fields"], contract(events.Sighting)["fields"]
    assert sighting[: len(detection)] == detection


def test_contract_has_one_text_in_every_process() -> None:
    """A registry that compares texts must not see a new version with each worker that starts."""
    program = (
        "import json; from schemas.contracts import contract; from schemas.topics import CATALOGUE;"
        "print(json.dumps([contract(topic.event) for topic in CATALOGUE if topic.event]))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": seed},
            cwd=AVRO_DIR.parents[1],
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_every_event_class_of_a_topic_has_a_golden_sample() -> None:
    """A new event gets golden bytes with its first release."""
    assert set(SAMPLES) == {topic.event.__name__ for topic in (*CATALOGUE, *BESIDE) if topic.event is not None}


@golden
def test_golden_bytes_of_every_version_are_read(path: Path) -> None:
    """What an old release wrote is what its JSON says, and new fields have their defaults."""
    writer = json.loads(path.with_suffix(".avsc").read_text())
    expected = json.loads(path.with_suffix(".json").read_text())
    registry = MemoryRegistry()
    value = struct.pack(">bI", MAGIC, registry.register("old", writer)) + path.read_bytes()
    event = EventCodec(registry).decode_as(getattr(events, path.stem), value)
    read = to_json_record(event)
    assert {name: read[name] for name in expected} == expected
    for name in read.keys() - expected.keys():
        field = next(field for field in contract(class_of(event))["fields"] if field["name"] == name)
        assert read[name] == field["default"]


def test_newest_golden_version_is_what_this_release_writes() -> None:
    """A changed contract needs a new golden version: python -m tests.unit.schemas.golden_samples N."""
    newest = max(GOLDEN.iterdir(), key=lambda folder: int(folder.name[1:]))
    for name, event in SAMPLES.items():
        value = EventCodec(MemoryRegistry()).encode(topic_of(event), event)
        assert value[5:] == (newest / f"{name}.bin").read_bytes(), name
        assert contract(class_of(event)) == json.loads((newest / f"{name}.avsc").read_text()), name
