"""`alpr rules` over the store: the alerts of a backtest, an explanation by id."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agents.sinks import sql_tables
from agents.sinks.postgres import PostgresSink
from cli.kafka_clients import consumer, producer
from cli.topic_reading import records
from schemas.clock import MICROS_PER_S, to_iso
from schemas.events import Alert, CharacterAlternative, Sighting, WatchlistEntry
from schemas.identity import fold
from schemas.records import to_json_record
from schemas.topics import ALERTS, WATCHLISTS
from schemas.wiring import codec
from tests.connected.cli.commands import alpr, forget_endpoints
from tests.unit.agents.sinks.sightings import NOON, sighting

EXTRAS = {"time_zone": "Europe/Berlin", "lane": "2"}
RULES = """\
rules:
  - {id: listed, match: {watchlist: stolen}, suppress: 1m}
  - {id: lane, match: {field: extras.lane, op: equals, value: "2"}, group_by: camera_id, suppress: 30s}
  - {id: permitted, match: {permit: staff}}
  - {id: often, timespan: 10m, correlation: {type: event_count, condition: {gte: 3}}}
"""
STAFF = "plate,kind,quota\nAB0123,permit,2/day\n"


@pytest.fixture
def stored(stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Sighting]:
    """Sightings in the store, also as a file in the working directory with rules and lists."""
    forget_endpoints()
    monkeypatch.chdir(tmp_path)
    Path("r.yml").write_text(RULES)
    Path("lists").mkdir()
    Path("lists/staff.csv").write_text(STAFF)
    Path("lists/stolen.txt").write_text("XY9?81\n")
    run = uuid4().hex[:8]
    events = []
    for number in range(60):
        event = sighting(f"{run}-{59 - number:02}", text=("AB0123", "ABO123", "XY9981")[number % 3], extras=EXTRAS)
        at_us = _start_us(run) + number * 7 * MICROS_PER_S // 2 + number
        assert event.plate is not None
        doubt = (CharacterAlternative("0", 0.6), CharacterAlternative("O", 0.3))
        text = event.plate.normalized_text
        characters = tuple(doubt if char in "0O" else (CharacterAlternative(char, 0.98),) for char in text)
        plate = replace(event.plate, characters=characters)
        events.append(replace(event, captured_at=at_us, plate=plate, match_key=fold(text), camera_id=f"cam-{run}"))
    events[7] = replace(events[7], merged_into=events[6].event_id)
    Path("events.jsonl").write_text("".join(json.dumps(to_json_record(event)) + "\n" for event in events))
    asyncio.run(_store(events))
    return events


async def _store(events: list[Sighting]) -> None:
    sink: PostgresSink[Sighting] = PostgresSink(sql_tables.plate_events())
    try:
        await sink.setup()
        assert await sink.write(events) == []
    finally:
        await sink.close()


def _start_us(run: str) -> int:
    """A span of time of its own for each run of the test."""
    return NOON + int(run, 16) % 10**6 * 3600 * MICROS_PER_S // 100


def test_a_backtest_from_the_store_gives_the_alerts_of_the_file(stored: list[Sighting]) -> None:
    """The same sightings, from the store and from a file: byte for byte the same alerts, in the same order."""
    shared = ("rules", "backtest", "--rules", "r.yml", "--watchlists", "lists")
    span = ("--from", to_iso(stored[0].captured_at), "--to", to_iso(stored[-1].captured_at + 1))
    from_file = alpr(*shared, "--events", "events.jsonl", "--sort", "--output", "file.jsonl")
    from_store = alpr(*shared, *span, "--output", "store.jsonl")
    assert (from_file.exit_code, from_store.exit_code) == (0, 0), from_store.output
    assert Path("store.jsonl").read_bytes() == Path("file.jsonl").read_bytes()
    rules_fired = {json.loads(line)["rule"]["id"] for line in Path("store.jsonl").read_text().splitlines()}
    assert rules_fired == {"listed", "lane", "permitted", "often"}
    assert "60 events" in from_store.output


def test_a_stored_event_is_explained_by_its_id(stored: list[Sighting]) -> None:
    """The event and what came before it come from the store; an unknown id is an error."""
    shared = ("rules", "explain", "--rules", "r.yml", "--watchlists", "lists")
    second, third = (alpr(*shared, "--event", stored[number].event_id) for number in (2, 8))
    assert second.exit_code == third.exit_code == 0, second.output
    assert "group XY9981, with this event: 3 events within 10m: 1 of 3 events" in second.output
    assert "alert " in third.output
    unknown = alpr(*shared, "--event", "nobody")
    assert unknown.exit_code == 1
    assert "the store has no event of that id" in unknown.output


def test_what_a_hunt_finds_is_on_the_topic(stored: list[Sighting]) -> None:
    """A plate is found in the store; published, each find is a historical alert that asks for nothing."""
    assert alpr("topics", "apply").exit_code == 0
    span = ("--from", to_iso(stored[0].captured_at), "--to", to_iso(stored[-1].captured_at + 1))
    shared = ("rules", "hunt", "--watchlists", "lists", "--list", "stolen", *span)
    shown = alpr(*shared, "--output", "shown.jsonl")
    published = alpr(*shared, "--publish", "--output", "published.jsonl")
    assert (shown.exit_code, published.exit_code) == (0, 0), published.output
    assert Path("shown.jsonl").read_bytes() == Path("published.jsonl").read_bytes()
    wanted = {json.loads(line)["alert_id"] for line in Path("shown.jsonl").read_text().splitlines()}
    found = {}
    for record in records(consumer(tells_end=True), ALERTS):
        alert: Alert = codec().decode(ALERTS, record.value() or b"")
        found[alert.alert_id] = alert
    assert wanted <= found.keys()
    assert all(found[each].is_historical and not found[each].actions for each in wanted)
    readable = [event for event in stored if event.merged_into is None and event.plate is not None]
    assert len(wanted) == sum(event.plate is not None and event.plate.text == "XY9981" for event in readable)


def test_an_entry_of_the_topic_is_hunted(stored: list[Sighting]) -> None:
    """With --topic a list that only alpr.watchlists has is searched for, as the last record of each key has it."""
    assert alpr("topics", "apply").exit_code == 0
    name = f"topic-{uuid4().hex[:8]}"
    writer = producer()
    for plate, kind in (("AB0123", "1"), ("NONE1", "2"), ("XY9981", "2")):
        entry = WatchlistEntry(list_id=name, entry_id=kind, plate=plate)
        writer.produce(WATCHLISTS.name, key=f"{name}|{kind}".encode(), value=codec().encode(WATCHLISTS, entry))
    writer.produce(WATCHLISTS.name, key=f"{name}|1".encode(), value=None)
    assert writer.flush(10) == 0
    span = ("--from", to_iso(stored[0].captured_at), "--to", to_iso(stored[-1].captured_at + 1))
    result = alpr("rules", "hunt", "--watchlists", "lists", "--list", name, "--topic", *span, "--output", "found.jsonl")
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in Path("found.jsonl").read_text().splitlines()]
    assert {alert["context"]["entry_id"] for alert in found} == {"2"}
    assert {alert["proof"]["matched_plate"] for alert in found} == {"XY9981"}


def test_a_store_that_is_away_is_said(stored: list[Sighting], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a store the command ends with one message and exit code 1."""
    assert stored
    monkeypatch.setenv("ALPR_TIMESCALE_DSN", "postgresql://alpr:alpr@127.0.0.1:1/alpr")
    forget_endpoints()
    result = alpr("rules", "backtest", "--rules", "r.yml", "--watchlists", "lists", "--from", "2026-01-01")
    forget_endpoints()
    assert result.exit_code == 1
    assert "the store of sightings" in result.output
