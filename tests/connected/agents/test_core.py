"""Route, deduplicate and dead_letter on real servers."""

import json
import random
import signal
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.clock import now_us, to_iso
from schemas.events import Camera, DeadLetter, Detection, Plate, Sighting
from schemas.identity import normalise
from schemas.topics import CAMERAS, DETECTED, DLQ, ROUTED, SIGHTINGS
from tests.connected.agents.core_worker import CoreWorker

SECOND = 1_000_000


@pytest.fixture
def core(stack: Any, tmp_path: Path) -> Iterator[CoreWorker]:
    """A worker, not started."""
    worker = CoreWorker(stack, tmp_path)
    yield worker
    worker.end(signal.SIGKILL)


def detection(core: CoreWorker, event_id: str, text: str, camera: str = "gate", **fields: Any) -> Detection:
    """A detection of now."""
    now = now_us()
    values = {"captured_at": now, "first_seen_at": now, "last_seen_at": now, **fields}
    plate = Plate(text, normalise(text), 0.9)
    return Detection(event_id=f"{core.mark}-{event_id}", camera_id=core.camera(camera), plate=plate, **values)


def raw(core: CoreWorker, item: Detection) -> tuple[bytes, bytes]:
    """The record of a detection."""
    return item.camera_id.encode(), core.codec.encode(DETECTED, item)


def letters(core: CoreWorker, key: bytes) -> list[DeadLetter]:
    """Dead letters of records with a key."""
    return [letter for letter in core.events_of(DLQ) if letter.key == key]


def test_poison_records_are_kept_and_the_rest_flows(core: CoreWorker) -> None:
    """Random bytes, an unknown schema id, 5 MB, 1970 and 2100 end on the DLQ, whole; JSON flows; the worker goes on."""
    at: dict[str, Any] = dict.fromkeys(("captured_at", "first_seen_at", "last_seen_at"), 0)
    ahead: dict[str, Any] = dict.fromkeys(at, 4_102_444_800_000_000)
    key = core.camera("gate").encode()
    poison = [
        b"\x8f" + random.Random(4).randbytes(300),
        struct.pack(">bI", 0, 77_777_777) + b"abc",
        b"{" + b"\xff" * 5_000_000,
        core.codec.encode(DETECTED, detection(core, "old", "AB1", **at)),
        core.codec.encode(DETECTED, detection(core, "new", "AB1", **ahead)),
    ]
    body = {"camera_id": core.camera("gate"), "captured_at": to_iso(now_us()), "plate_text": "XY-987"}
    core.put(DETECTED, *[(key, value) for value in poison], (None, json.dumps(body).encode()))
    core.start()
    core.until(lambda: len(letters(core, key)) >= 5, "five dead letters")
    sighting = core.until(lambda: core.events(SIGHTINGS.name), "a sighting of the JSON detection")[0]
    assert (sighting.plate.text, sighting.match_key, sighting.revision) == ("XY-987", "XY987", 1)
    found = {letter.value: letter for letter in letters(core, key)}
    assert set(found) == set(poison)
    for value, error_type in zip(poison, ["SCHEMA_VALIDATION"] * 2 + ["BUSINESS_LOGIC"] * 3, strict=True):
        letter = found[value]
        assert (letter.error_type, letter.topic, letter.agent) == (error_type, DETECTED.name, "route")
        assert letter.message
    places = {(message.partition(), message.offset()): message.value() for message in core.records(DETECTED)}
    assert all(places[letter.partition, letter.offset] == value for value, letter in found.items())
    core.put(DETECTED, raw(core, detection(core, "after", "QQ 42")))
    core.until(lambda: len(core.events(SIGHTINGS.name)) == 2, "a sighting after the poison")


def test_registered_camera_completes_detections(core: CoreWorker) -> None:
    """Site and zone come from the registry before the first detection is routed."""
    camera = Camera(camera_id=core.camera("gate"), site_id="north", zone="yard", direction="in")
    core.put(CAMERAS, (camera.camera_id.encode(), core.codec.encode(CAMERAS, camera)))
    core.put(CAMERAS, (core.camera("broken").encode(), b"no camera"))
    core.put(DETECTED, raw(core, detection(core, "e1", "AB 12")), raw(core, detection(core, "e2", "AB 12", "broken")))
    core.start()
    core.until(lambda: len(core.events(ROUTED.name)) == 2, "two routed detections")
    by_camera = {event.camera_id: event for event in core.events(ROUTED.name)}
    known, broken = by_camera[core.camera("gate")], by_camera[core.camera("broken")]
    assert (known.site_id, known.direction, known.extras) == ("north", "in", {"zone": "yard"})
    assert (broken.site_id, broken.extras) == (None, {})


def test_passes_survive_a_kill(core: CoreWorker) -> None:
    """Killed twice in the middle: every sighting and revision that a replay of the log gives, and no other."""
    dice = random.Random(5)
    start = now_us() - 3600 * SECOND
    log: list[Detection] = []
    for number in range(3000):  # an early and a final message of each track, which may read another text
        track = number // 2
        at = start + track * SECOND // 2 + dice.randrange(5 * SECOND)
        item = detection(
            core, f"e{track}", dice.choice(("AB1034", "ABI034", "XY987", "QQ1111", "--")), camera=str(track % 12),
            captured_at=at, first_seen_at=at, last_seen_at=at + dice.randrange(3 * SECOND),
            reads=dice.randrange(1, 9), is_final=number % 2 == 1,
        )  # fmt: skip
        log.append(item)
    expected: dict[tuple[str, str, int], Sighting] = {}

    def seen() -> dict[tuple[str, str, int], Sighting]:
        return by_revision(core.events(SIGHTINGS.name))

    core.start()
    for part in range(3):
        core.put(DETECTED, *[raw(core, item) for item in log[part * 1000 : (part + 1) * 1000]])
        if part < 2:
            at_least = part * 500 + 200
            core.until(lambda: len(seen()) > at_least, "some sightings")  # noqa: B023  # called in this turn
            core.end(signal.SIGKILL)
            core.start()
    core.until(lambda: len({one.event_id for one in core.events(ROUTED.name)}) == 1500, "all detections routed", 90)

    def is_complete() -> bool:  # the clock goes on meanwhile, and lets passes settle
        expected.clear()
        expected.update(by_revision(core.replayed()))
        return seen().keys() == expected.keys()

    core.until(is_complete, "the revisions of a replay, and no others", 90)
    found = seen()
    assert {key for key in expected if found[key] != expected[key]} == set()


def by_revision(sightings: list[Sighting]) -> dict[tuple[str, str, int], Sighting]:
    """Sightings by what consumers tell them apart by; sent twice is sent once."""
    return {(one.camera_id, one.event_id, one.revision): one for one in sightings}


def test_dead_letters_are_listed_counted_and_replayed(core: CoreWorker) -> None:
    """`alpr dlq`: dry run by default; a replayed record that fails again carries its count; a limit ends it."""
    key = core.camera("gate").encode()
    began = to_iso(now_us())
    core.put(DETECTED, (key, f"no detection {core.mark}".encode()))
    core.start()
    (letter,) = core.until(lambda: letters(core, key), "a dead letter")
    asked = ("--topic", DETECTED.name, "--agent", "route", "--error-type", "schema_validation", "--since", began)
    listed = json.loads(core.alpr("dlq", "list", *asked, "--json").stdout)
    assert [(entry["dead_letter_id"], entry["retry_count"]) for entry in listed] == [(letter.dead_letter_id, 0)]
    counts = json.loads(core.alpr("dlq", "stats", *asked, "--json").stdout)
    assert counts["letters"] == 1
    assert core.mark in core.alpr("dlq", "show", letter.dead_letter_id[:12]).stdout
    bytes_again = core.alpr("dlq", "show", letter.dead_letter_id, "--value", "-").stdout
    assert bytes_again.encode() == letter.value
    dry = core.alpr("dlq", "replay", letter.dead_letter_id)
    assert "1 would be sent" in dry.stdout
    assert len(letters(core, key)) == 1
    sent = json.loads(core.alpr("dlq", "replay", letter.dead_letter_id, "--yes", "--json").stdout)
    assert (sent["sent"], sent["failed"]) == (1, [])
    core.until(lambda: len(letters(core, key)) == 2, "a letter of the replayed record")
    again = next(one for one in letters(core, key) if one.retry_count)
    assert (again.retry_count, again.value, again.partition) == (1, letter.value, letter.partition)
    assert again.dead_letter_id != letter.dead_letter_id
    ended = core.alpr("dlq", "replay", again.dead_letter_id, "--yes", "--max-retries", "1")
    assert "0 sent, 1 left out" in ended.stdout


def test_foreign_detection_that_is_replayed_twice_is_one_event(core: CoreWorker) -> None:
    """A record without an id keeps the id of its first place in the log, however often it is sent again."""
    body = {"camera_id": core.camera("gate"), "captured_at": to_iso(now_us()), "plate_text": "XY-987"}
    core.put(DETECTED, (b"k", json.dumps(body).encode()))
    core.start()
    first = core.until(lambda: core.events(ROUTED.name), "a routed detection")[0]
    origin = next(m for m in core.records(DETECTED) if core.mark.encode() in (m.value() or b""))
    letter = DeadLetter(
        dead_letter_id=f"made-{core.mark}", topic=DETECTED.name, partition=origin.partition() or 0,
        offset=origin.offset() or 0, recorded_at=now_us(), key=b"k", value=origin.value(), agent="route",
        error_type="UNKNOWN", message="made by a test", failed_at=now_us(),
    )  # fmt: skip
    core.put(
        DLQ,
        (b"x", core.codec.encode(DLQ, letter)),
        (b"x", core.codec.encode(DLQ, replace(letter, dead_letter_id=f"more-{core.mark}"))),
    )
    assert "2 sent" in core.alpr("dlq", "replay", letter.dead_letter_id, f"more-{core.mark}", "--yes").stdout
    routed = core.until(lambda: (found := core.events(ROUTED.name))[2:] and found, "two more routed detections")
    assert {event.event_id for event in routed} == {first.event_id}
    assert len({(one.event_id, one.revision) for one in core.events(SIGHTINGS.name)}) == 1
