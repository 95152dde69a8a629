"""The route agent: every record of a run goes on or becomes a dead letter, and none takes another with it."""

import json
import struct
from dataclasses import replace
from typing import Any

from prometheus_client import REGISTRY

from agents.decisions.plausibility import RoutingSettings
from agents.record_headers import LATENESS_HEADER, lateness_of, source_of
from agents.route import MAX_CAMERA_LABELS, OTHER_CAMERAS, Router
from schemas.clock import to_iso
from schemas.codec import EventCodec
from schemas.errors import RegistryUnavailable
from schemas.events import Camera, DeadLetter, Metric, Vehicle
from schemas.registry import MemoryRegistry
from schemas.topics import BY_NAME, DETECTED, DLQ, METRICS, ROUTED, VEHICLES
from streams.guard import DeadLetterGuard
from streams.run import Output
from tests.unit.agents.detections import T0, detection
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run

JSON = json.dumps({"event_id": "j", "camera_id": "gate", "captured_at": to_iso(T0), "plate_text": "XY 9"}).encode()


def router(codec: EventCodec, cameras: dict[str, Camera] | None = None, table: FakeTable | None = None) -> Router:
    """A router; without registered cameras unless some are given."""
    guard = DeadLetterGuard("route", codec, now=lambda: T0)
    return Router(codec, cameras or {}, RoutingSettings(), guard, (table or FakeTable()).as_run_table())


def sent(codec: EventCodec, outputs: list[Output]) -> dict[str, list[Any]]:
    """Events by topic."""
    found: dict[str, list[Any]] = {}
    for output in outputs:
        found.setdefault(output.topic, []).append(codec.decode(BY_NAME[output.topic], output.value))
    return found


def counted(outcome: str) -> float:
    """The counter of detections."""
    return REGISTRY.get_sample_value("alpr_detections_total", {"outcome": outcome}) or 0.0


async def test_bad_records_become_dead_letters_and_the_rest_goes_on() -> None:
    """Random bytes, an unknown schema id, 5 MB, 1970 and 2100: each whole on the DLQ; JSON and Avro flow."""
    codec = EventCodec(MemoryRegistry())
    times: dict[str, Any] = {"captured_at": 0, "first_seen_at": 0, "last_seen_at": 0}
    future: dict[str, Any] = dict.fromkeys(times, 4_102_444_800_000_000)
    values = [
        b"\x93random\xff",
        struct.pack(">bI", 0, 4242) + b"x",
        b"{" + b"x" * 5_000_000,
        codec.encode(DETECTED, replace(detection("old"), **times)),
        codec.encode(DETECTED, replace(detection("new"), **future)),
        JSON,
        codec.encode(DETECTED, detection("e1")),
        codec.encode(DETECTED, detection("v1", None, vehicle=Vehicle(type="car"))),
    ]
    records = [FakeRecord(value, offset, headers=(("x", b"1"),)) for offset, value in enumerate(values, start=100)]
    keeper = Keeper()
    before = {outcome: counted(outcome) for outcome in ("routed", "vehicle", "dead_letter")}
    await router(codec).handle(make_run(records, keeper))
    events = sent(codec, keeper.outputs)
    assert [event.event_id for event in events[ROUTED.name]] == ["j", "e1"]
    assert [event.event_id for event in events[VEHICLES.name]] == ["v1"]
    letters: list[DeadLetter] = events[DLQ.name]
    assert [(letter.offset, letter.error_type) for letter in letters] == [
        (100, "SCHEMA_VALIDATION"), (101, "SCHEMA_VALIDATION"), (102, "BUSINESS_LOGIC"), (103, "BUSINESS_LOGIC"),
        (104, "BUSINESS_LOGIC"),
    ]  # fmt: skip
    assert [letter.value for letter in letters] == values[:5]
    assert all(letter.topic == DETECTED.name and letter.message and letter.key == b"gate" for letter in letters)
    assert {outcome: counted(outcome) - count for outcome, count in before.items()} == {
        "routed": 2, "vehicle": 1, "dead_letter": 5,
    }  # fmt: skip


async def test_record_without_a_key_is_keyed_by_its_camera() -> None:
    """Whatever key a foreign producer chose, order per camera needs ours."""
    codec = EventCodec(MemoryRegistry())
    keeper = Keeper()
    await router(codec).handle(make_run([FakeRecord(JSON, key=None), FakeRecord(JSON, 1, key=b"other")], keeper))
    assert [output.key for output in keeper.outputs] == [b"gate", b"gate"]


async def test_trace_headers_go_on_and_others_do_not() -> None:
    """A trace must not end at the router; a producer's private headers are not ours to spread."""
    codec = EventCodec(MemoryRegistry())
    keeper = Keeper()
    headers = (("traceparent", b"00-1"), ("secret", b"x"), ("Baggage", b"k=v"))
    await router(codec).handle(make_run([FakeRecord(JSON, headers=headers)], keeper))
    assert keeper.outputs[0].headers == (
        ("traceparent", b"00-1"), ("Baggage", b"k=v"), ("alpr-source", b"0/0/1764000000000"),
    )  # fmt: skip


async def test_registry_that_is_away_holds_the_run_and_nothing_is_dead_lettered() -> None:
    """The run is decided again when the registry is back."""

    class Flaky(MemoryRegistry):
        failures = 2

        def register(self, subject: str, schema: dict[str, Any]) -> int:
            if self.failures:
                self.failures -= 1
                raise RegistryUnavailable("away", retry_after_s=0.001)
            return super().register(subject, schema)

    registry = Flaky()
    keeper = Keeper()
    await router(EventCodec(registry)).handle(make_run([FakeRecord(JSON)], keeper))
    assert registry.failures == 0
    assert [output.topic for output in keeper.outputs] == [ROUTED.name]


async def test_revoked_run_is_not_counted() -> None:
    """What the next owner will do again is not in the metrics."""
    codec = EventCodec(MemoryRegistry())
    before = counted("routed")
    await router(codec).handle(make_run([FakeRecord(JSON)], Keeper(revoked=True)))
    assert counted("routed") == before


async def test_invented_camera_ids_do_not_fill_the_metrics() -> None:
    """Camera ids come from outside; only so many get a series of their own."""
    codec = EventCodec(MemoryRegistry())
    body = json.loads(JSON)
    values = [json.dumps({**body, "camera_id": f"invented-{i}"}).encode() for i in range(MAX_CAMERA_LABELS + 5)]
    await router(codec).handle(make_run([FakeRecord(value, i) for i, value in enumerate(values)], Keeper()))
    assert (REGISTRY.get_sample_value("alpr_camera_detections_total", {"camera_id": OTHER_CAMERAS}) or 0) >= 5


def frame(*objects: str, at_s: float = 0.0) -> bytes:
    """A frame of DeepStream's, which sends no final detections."""
    at = to_iso(T0 + round(at_s * 1_000_000))
    return json.dumps({"id": f"{at_s}", "@timestamp": at, "sensorId": "gate", "objects": objects}).encode()


def plates(*texts: str) -> list[str]:
    """Objects of a frame."""
    return [f"{i}|1|1|9|5|lpd|#|{text}|0.9" for i, text in enumerate(texts)]


async def test_vehicles_of_one_frame_are_told_apart_by_deduplication() -> None:
    """They share an offset: each place in the frame has a source of its own, the same when it is sent again."""
    codec = EventCodec(MemoryRegistry())
    keeper = Keeper()
    run = [FakeRecord(frame(*plates("AB1", "CD2")), 5, partition=3), FakeRecord(frame(*plates("EF3")), 6, partition=3)]
    await router(codec).handle(make_run(run, keeper))
    sources = [source_of(output.headers) for output in keeper.outputs]
    assert [(source.partition, source.offset) for source in sources if source is not None] == [
        (3, 5), (1_000_003, 5), (3, 6),
    ]  # fmt: skip
    assert {output.key for output in keeper.outputs} == {b"gate"}


async def test_frame_with_a_wrong_object_goes_on_and_is_kept() -> None:
    """The good ones are routed, the whole record is a dead letter, and its replay gives the same ids."""
    codec = EventCodec(MemoryRegistry())
    first, again = Keeper(), Keeper()
    record = FakeRecord(frame(*plates("AB1"), "rubbish", *plates("CD2")))
    await router(codec).handle(make_run([record], first))
    await router(codec).handle(make_run([replace(record, offset=99)], again))
    events = sent(codec, first.outputs)
    assert [event.plate.text for event in events[ROUTED.name]] == ["AB1", "CD2"]
    assert [letter.value for letter in events[DLQ.name]] == [record.value]
    ids = [event.event_id for event in events[ROUTED.name]]
    assert [event.event_id for event in sent(codec, again.outputs)[ROUTED.name]] == ids


async def test_capped_camera_is_sampled_and_counted_across_runs() -> None:
    """The bucket is a table's: the next run, or the next owner of the partition, goes on from it."""
    codec = EventCodec(MemoryRegistry())
    table, cameras = FakeTable(), {"gate": Camera(camera_id="gate", max_rate_per_s=1.0)}
    before = {outcome: counted(outcome) for outcome in ("routed", "sampled")}
    first, second = Keeper(), Keeper()
    await router(codec, cameras, table).handle(make_run([FakeRecord(frame(*plates("A1", "B2", "C3")))], first))
    values = [frame(*plates("D4"), at_s=0.5), frame(*plates("E5"), at_s=11)]
    run = [FakeRecord(value, offset) for offset, value in enumerate(values, start=1)]
    await router(codec, cameras, table).handle(make_run(run, second))
    assert [event.plate.text for event in sent(codec, first.outputs)[ROUTED.name]] == ["A1"]
    events = sent(codec, second.outputs)
    assert [event.plate.text for event in events[ROUTED.name]] == ["E5"]
    reports: list[Metric] = events[METRICS.name]
    assert [(report.name, report.value, report.camera_id) for report in reports] == [
        ("sampled_detections", 3.0, "gate")
    ]
    assert {outcome: counted(outcome) - count for outcome, count in before.items()} == {"routed": 2, "sampled": 3}


async def test_final_detections_of_a_capped_camera_all_go_on() -> None:
    """JSON of a producer that says nothing else is final."""
    codec = EventCodec(MemoryRegistry())
    keeper = Keeper()
    cameras = {"gate": Camera(camera_id="gate", max_rate_per_s=0.0)}
    await router(codec, cameras).handle(make_run([FakeRecord(JSON, i) for i in range(5)], keeper))
    assert [output.topic for output in keeper.outputs] == [ROUTED.name] * 5


async def test_revoked_run_leaves_the_bucket_alone() -> None:
    """What was not kept was not taken either."""
    codec = EventCodec(MemoryRegistry())
    table, cameras = FakeTable(), {"gate": Camera(camera_id="gate", max_rate_per_s=1.0)}
    before = counted("sampled")
    run = [FakeRecord(frame(*plates("A1", "B2")))]
    await router(codec, cameras, table).handle(make_run(run, Keeper(revoked=True)))
    assert (table.values, counted("sampled")) == ({}, before)


async def test_camera_without_a_cap_touches_no_table() -> None:
    """Most cameras have none: they must not pay for it."""
    codec = EventCodec(MemoryRegistry())
    table = FakeTable()
    await router(codec, {"gate": Camera(camera_id="gate")}, table).handle(make_run([FakeRecord(JSON)], Keeper()))
    assert table.values == {}


async def test_measurement_is_keyed_and_counted() -> None:
    """A producer that cannot choose topics sends its measurements where its detections go."""
    codec = EventCodec(MemoryRegistry())
    keeper = Keeper()
    before = counted("metric")
    value = json.dumps({"name": "fps", "value": 25, "camera_id": "gate"}).encode()
    await router(codec).handle(make_run([FakeRecord(value, key=None)], keeper))
    assert [(output.topic, output.key) for output in keeper.outputs] == [(METRICS.name, b"gate")]
    assert counted("metric") == before + 1


async def test_lateness_of_the_registry_goes_with_the_detection() -> None:
    """What held when it was routed holds at every replay; a camera without one says nothing."""
    codec = EventCodec(MemoryRegistry())
    keeper = Keeper()
    late = replace(detection("e2"), camera_id="late")
    records = [FakeRecord(codec.encode(DETECTED, item), offset) for offset, item in enumerate((detection("e1"), late))]
    cameras = {"gate": Camera(camera_id="gate"), "late": Camera(camera_id="late", lateness_s=90.5)}
    await router(codec, cameras).handle(make_run(records, keeper))
    assert [(output.key, lateness_of(output.headers)) for output in keeper.outputs] == [
        (b"gate", None),
        (b"late", 90_500_000),
    ]
    assert [lateness_of(((LATENESS_HEADER, value),)) for value in (None, b"", b"-1", b"x", b"9" * 12)] == [None] * 5
