"""The direct way between bytes and events gives what fastavro gives, or leaves it to fastavro."""

import io
import math
import pickle
import struct
from dataclasses import replace
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import direct_avro
from schemas.characters import Characters
from schemas.codec import EventCodec
from schemas.contracts import contract, is_same_layout, parse_plain
from schemas.events import CharacterAlternative, Detection, Images, Location, Node, Plate, Vehicle
from schemas.records import from_record, to_record
from schemas.registry import MemoryRegistry
from schemas.topics import DETECTED, ROUTED, SIGHTINGS
from tests.unit.schemas.golden_samples import SAMPLES, topic_of

pytestmark = pytest.mark.thorough

MANY = settings(max_examples=150, deadline=None)
SCHEMA = parse_plain(contract(Detection))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=90)
some_text = st.none() | texts
micros = st.sampled_from((0, -1, 1, 2**31, 2**48 - 1, 2**48, 2**55 - 1, 2**55, 2**63 - 1, -(2**63))) | st.integers(
    1_600_000_000_000_000, 1_900_000_000_000_000
)
floats = st.floats(width=32, allow_nan=False)
characters = st.lists(
    st.lists(st.builds(CharacterAlternative, st.sampled_from("AB0京\x7f") | texts, floats), max_size=4).map(tuple),
    max_size=9,
).map(tuple)
detections = st.builds(
    Detection,
    event_id=texts, captured_at=micros, camera_id=texts, site_id=some_text, track_id=some_text,
    plate=st.none() | st.builds(Plate, texts, texts, floats, some_text, characters),
    vehicle=st.none() | st.builds(Vehicle, some_text, some_text, some_text, some_text, st.none() | floats),
    images=st.builds(Images, some_text, some_text, some_text),
    location=st.none() | st.builds(Location, floats, floats), direction=some_text,
    first_seen_at=micros, last_seen_at=micros, reads=st.integers(-(2**31), 2**31 - 1),
    latency_ms=st.none() | floats,
    node=st.none() | st.builds(Node, texts, some_text, st.dictionaries(texts, texts, max_size=3)),
    is_final=st.booleans(), extras=st.dictionaries(texts, texts, max_size=70),
)  # fmt: skip


def by_fastavro(event: Any) -> bytes:
    """The bytes that fastavro writes."""
    out = io.BytesIO()
    cls: type = type(event)
    fastavro.schemaless_writer(out, parse_plain(contract(cls)), to_record(event))
    return out.getvalue()


def read_direct(cls: type, value: bytes) -> Any:
    """What the direct reader gives."""
    read = direct_avro.reader(cls)
    assert read is not None
    return read(value, 0)


def write_direct(event: Any) -> bytes:
    """What the direct writer gives."""
    cls: type = type(event)
    write = direct_avro.writer(cls)
    assert write is not None
    return write(b"", event)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_event_has_a_direct_way(name: str) -> None:
    """Bytes and events are fastavro's for every class that travels."""
    event = SAMPLES[name]
    value = by_fastavro(event)
    assert write_direct(event) == value
    assert read_direct(type(event), value) == event


@MANY
@given(detections)
def test_any_detection_is_written_as_fastavro_writes_it(event: Detection) -> None:
    """Byte for byte, and what is read is the same and is written the same again."""
    value = by_fastavro(event)
    assert write_direct(event) == value
    try:
        again = read_direct(Detection, value)
    except direct_avro.ERRORS:  # left to fastavro: long counts
        return
    assert again == event
    assert write_direct(again) == value


@MANY
@given(detections, st.data())
def test_broken_bytes_are_read_as_fastavro_reads_them_or_not_at_all(event: Detection, data: st.DataObject) -> None:
    """A byte changed, added or taken away never gives an event that fastavro would not give."""
    value = bytearray(by_fastavro(event))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(value) - 1)) if value else 0
        value[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        found = read_direct(Detection, bytes(value))
    except direct_avro.ERRORS:
        return
    source = io.BytesIO(bytes(value))
    expected = from_record(Detection, fastavro.schemaless_reader(source, SCHEMA, None))  # type: ignore[arg-type]  # a dict
    assert source.tell() == len(value)
    assert repr(found) == repr(expected)  # by repr: nan is not equal to itself


@pytest.mark.parametrize(
    "changes",
    [
        {"reads": 2**31},
        {"captured_at": 2**63},
        {"captured_at": 1.5},
        {"camera_id": b"bytes"},
        {"extras": None},
        {"is_final": None},
        {"images": None},
        {"direction": "\ud800"},
        {"extras": {"a": None}},
        {"latency_ms": "1"},
    ],
)
def test_what_does_not_fit_is_left_to_fastavro(changes: dict[str, Any]) -> None:
    """The direct writer refuses rather than guesses."""
    with pytest.raises(direct_avro.ERRORS):
        write_direct(replace(SAMPLES["Detection"], **changes))


def test_value_goes_to_another_topic_as_it_is() -> None:
    """A detection of the raw topic needs no encoding for the routed one; a value of another layout does."""
    codec = EventCodec(MemoryRegistry())
    value = codec.encode(DETECTED, SAMPLES["Detection"])
    moved = codec.relabel(ROUTED, value)
    assert moved is not None
    assert codec.decode(ROUTED, moved) == SAMPLES["Detection"]
    assert codec.relabel(SIGHTINGS, value) is None
    assert codec.relabel(ROUTED, b"\x00\x00\x00\x00\x63x") is None


def test_schema_of_the_same_layout_needs_no_resolution() -> None:
    """A contract registered with other words, by somebody else, is the same contract; another field is not."""
    schema = contract(Detection)
    reworded = {**schema, "doc": "in other words"}
    assert is_same_layout(parse_plain(reworded), SCHEMA)
    assert not is_same_layout(parse_plain({**schema, "fields": schema["fields"][:-1]}), SCHEMA)
    registry = MemoryRegistry()
    value = struct.pack(">bI", 0, registry.register("other", reworded)) + by_fastavro(SAMPLES["Detection"])
    codec = EventCodec(registry)
    assert codec.decode(DETECTED, value) == SAMPLES["Detection"]
    assert codec.relabel(ROUTED, value) is not None


@pytest.mark.parametrize("name", [name for name in SAMPLES if name in ("Detection", "Sighting", "Alert")])
def test_second_value_is_read_as_the_first(name: str) -> None:
    """What is kept from one event for the next changes nothing."""
    codec = EventCodec(MemoryRegistry())
    topic = topic_of(SAMPLES[name])
    values = [codec.encode(topic, SAMPLES[name]) for _ in range(3)]
    assert len(set(values)) == 1
    assert [codec.decode(topic, value) for value in values] == [SAMPLES[name]] * 3


def test_node_that_begins_like_another_is_its_own() -> None:
    """Known nodes are told apart by all of their bytes."""
    nodes = [Node("edge-with-a-long-name-1", "host", {"reader": version}) for version in ("1", "2", "11", "1")]
    for node in nodes:
        event = replace(SAMPLES["Detection"], node=node)
        assert read_direct(Detection, write_direct(event)).node == node


def plain(*positions: str) -> tuple[tuple[CharacterAlternative, ...], ...]:
    """Alternatives, each with a quarter."""
    return tuple(tuple(CharacterAlternative(char, 0.25) for char in position) for position in positions)


def lazy(items: tuple[tuple[CharacterAlternative, ...], ...]) -> Any:
    """The same as they come out of a plate's bytes."""
    return read_direct(Plate, write_direct(Plate("x", "X", 0.5, None, items))).characters


def test_characters_are_the_tuple_that_they_stand_for() -> None:
    """Equal both ways, hashed alike, indexed, iterated, pickled and shown as it is."""
    items = plain("A4", "B8", "1")
    found = lazy(items)
    assert isinstance(found, Characters)
    assert found == items
    assert items == found
    assert found == lazy(items)
    assert found != lazy(plain("A4", "B8"))
    assert found != [*items]
    assert hash(found) == hash(items)
    assert (len(found), found[0], found[1:], list(found)) == (3, items[0], items[1:], list(items))
    assert repr(found) == repr(items)
    assert pickle.loads(pickle.dumps(found)) == items


@pytest.mark.parametrize("items", [(), plain("京A"), plain("A", ""), plain("A" * 32), plain(*"A" * 32), plain("\x00")])
def test_characters_of_another_form_are_read_in_full(items: tuple[tuple[CharacterAlternative, ...], ...]) -> None:
    """Other scripts, empty positions and long lists are plain tuples."""
    assert lazy(items) == items
    assert isinstance(lazy(items), tuple)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [((0.5, 0.5), True), ((1.0,), True), ((0.6, 0.6), False), ((1.001,), False), ((-0.1, 0.2), False),
     ((math.nan, 0.5), False), ((0.5, math.nan), False), ((math.inf, 0.0), False)],
)  # fmt: skip
def test_probabilities_are_checked_without_objects(shares: tuple[float, ...], expected: bool) -> None:
    """0..1 each, and together not more than asked."""
    position = tuple(CharacterAlternative("A", share) for share in shares)
    assert lazy((position, *plain("B"))).are_probabilities(1.01) is expected
