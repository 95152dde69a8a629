"""The codec round-trips events, resolves other schemas, and refuses bytes that are none."""

import copy
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import EventCodec, schema_id_of
from schemas.contracts import contract
from schemas.errors import RegistryUnavailable, SchemaError, UnknownSchemaId
from schemas.events import Detection, Metric
from schemas.records import from_record, to_record
from schemas.registry import MemoryRegistry
from schemas.topics import DETECTED, METRICS, RULES, SIGHTINGS
from tests.unit.schemas.golden_samples import SAMPLES, topic_of

DETECTION: Detection = SAMPLES["Detection"]


@pytest.fixture
def registry() -> MemoryRegistry:
    """A registry of this test."""
    return MemoryRegistry()


@pytest.fixture
def codec(registry: MemoryRegistry) -> EventCodec:
    """A codec on it."""
    return EventCodec(registry)


class AwayRegistry(MemoryRegistry):
    """A registry that does not answer."""

    away = True

    def schema_by_id(self, schema_id: int) -> dict[str, Any]:
        """Fail while away."""
        if self.away:
            raise RegistryUnavailable("away")
        return super().schema_by_id(schema_id)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_event_round_trips(codec: EventCodec, name: str) -> None:
    """What is decoded is what was encoded."""
    event = SAMPLES[name]
    topic = topic_of(event)
    assert codec.decode(topic, codec.encode(topic, event)) == event


@pytest.mark.parametrize("name", SAMPLES)
def test_record_round_trips(name: str) -> None:
    """Plain records and events are inverse."""
    event = SAMPLES[name]
    assert from_record(type(event), to_record(event)) == event


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 6, 20, 60])
def test_truncated_value_is_refused(codec: EventCodec, cut: int) -> None:
    """Bytes that end early are no event."""
    value = codec.encode(DETECTED, DETECTION)
    with pytest.raises(SchemaError):
        codec.decode(DETECTED, value[:cut])


def test_trailing_bytes_are_refused(codec: EventCodec) -> None:
    """Bytes after the record mean that the schema was another one."""
    with pytest.raises(SchemaError, match="3 bytes left"):
        codec.decode(DETECTED, codec.encode(DETECTED, DETECTION) + b"abc")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"\x01\x00\x00\x00\x01x", "0x01"),
        (b"{}", "0x7b"),
        (b"\x00\x00", "2 bytes"),
    ],
)
def test_what_is_not_confluent_avro_is_refused(codec: EventCodec, value: bytes | None, message: str) -> None:
    """The message says what was there instead."""
    with pytest.raises(SchemaError, match=message):
        codec.decode(DETECTED, value)


def test_unknown_id_is_told_from_a_registry_that_is_away() -> None:
    """An id that the registry does not have is the record's fault; silence of the registry is not."""
    registry = AwayRegistry()
    codec = EventCodec(registry)
    value = struct.pack(">bI", 0, 99) + b"x"
    with pytest.raises(RegistryUnavailable):
        codec.decode(DETECTED, value)
    registry.away = False
    with pytest.raises(UnknownSchemaId, match="99"):
        codec.decode(DETECTED, value)


def test_known_ids_need_no_registry() -> None:
    """What was written by this process, and what was read before, is read while the registry is away."""
    registry = AwayRegistry()
    codec = EventCodec(registry)
    value = codec.encode(DETECTED, DETECTION)
    assert codec.decode(DETECTED, value) == DETECTION


@given(st.binary(max_size=120))
@settings(max_examples=60, deadline=None)
def test_random_bytes_after_a_known_id_never_crash(body: bytes) -> None:
    """Any bytes are an event or a `SchemaError`."""
    registry = MemoryRegistry()
    codec = EventCodec(registry)
    schema_id = registry.register(DETECTED.subject, contract(Detection))
    try:
        event = codec.decode(DETECTED, struct.pack(">bI", 0, schema_id) + body)
    except SchemaError:
        return
    assert isinstance(event, Detection)


def test_huge_claimed_lengths_are_refused_quickly(codec: EventCodec, registry: MemoryRegistry) -> None:
    """A string that claims to be an exabyte long is refused."""
    schema_id = registry.register(DETECTED.subject, contract(Detection))
    with pytest.raises(SchemaError):
        codec.decode(DETECTED, struct.pack(">bI", 0, schema_id) + b"\xfe" + b"\xff" * 7 + b"\x0f" + b"x")


def test_wrong_class_is_refused(codec: EventCodec) -> None:
    """A topic carries one class; a sighting is no detection."""
    with pytest.raises(SchemaError, match=r"alpr\.plates\.detected carries Detection, not Sighting"):
        codec.encode(DETECTED, SAMPLES["Sighting"])


@pytest.mark.parametrize("changes", [{"reads": "many"}, {"captured_at": None}, {"extras": {"a": 1}}, {"camera_id": 7}])
def test_field_of_the_wrong_type_is_refused(codec: EventCodec, changes: dict[str, Any]) -> None:
    """Python does not check types; encoding does."""
    with pytest.raises(SchemaError):
        codec.encode(DETECTED, replace(DETECTION, **changes))


def test_topic_without_avro_is_refused(codec: EventCodec) -> None:
    """Rules are text."""
    with pytest.raises(SchemaError, match="does not carry Avro"):
        codec.decode(RULES, b"\x00\x00\x00\x00\x01")


def evolved(change: Any) -> dict[str, Any]:
    """The contract of a detection after a change."""
    schema = copy.deepcopy(contract(Detection))
    change(schema["fields"])
    return schema


def encode_as(registry: MemoryRegistry, schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    """A value written with another schema than ours."""
    import io

    import fastavro

    from schemas.contracts import parse_plain

    out = io.BytesIO(struct.pack(">bI", 0, registry.register("other", schema)))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, parse_plain(schema), record)
    return out.getvalue()


def test_newer_writer_with_a_new_field_is_read(codec: EventCodec, registry: MemoryRegistry) -> None:
    """A field that we do not know yet is passed over."""
    newer = evolved(lambda fields: fields.insert(3, {"name": "lane", "type": ["null", "int"], "default": None}))
    assert codec.decode(DETECTED, encode_as(registry, newer, {**to_record(DETECTION), "lane": 3})) == DETECTION


def test_older_writer_without_a_field_is_read(codec: EventCodec, registry: MemoryRegistry) -> None:
    """A field that the writer did not have takes its default."""
    older = evolved(lambda fields: fields.pop([field["name"] for field in fields].index("reads")))
    assert codec.decode(DETECTED, encode_as(registry, older, to_record(DETECTION))) == replace(DETECTION, reads=1)


def test_writer_that_cannot_become_ours_is_refused(codec: EventCodec, registry: MemoryRegistry) -> None:
    """A registered schema of something else is a schema error that names the id."""
    value = codec.encode(METRICS, Metric(name="fps", value=1.0, measured_at=1))
    with pytest.raises(SchemaError, match=f"schema id {schema_id_of(value)} "):
        codec.decode(DETECTED, value)


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"type": "record", "name": "x"}, {"no": "type"}])
def test_registered_nonsense_is_a_schema_error(
    codec: EventCodec, registry: MemoryRegistry, schema: dict[str, Any]
) -> None:
    """A registry may hold what is no Avro."""
    schema_id = registry.register("nonsense", schema)
    with pytest.raises(SchemaError):
        codec.decode(DETECTED, struct.pack(">bI", 0, schema_id) + b"x")


def test_sighting_is_no_detection(codec: EventCodec) -> None:
    """Records are told apart by their names: a sighting on a topic of detections is refused, not cut short."""
    value = codec.encode(SIGHTINGS, SAMPLES["Sighting"])
    with pytest.raises(SchemaError, match="cannot become a Detection"):
        codec.decode(DETECTED, value)
