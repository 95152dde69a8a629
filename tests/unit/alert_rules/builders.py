"""Short ways to sightings, rule sets and engines."""

from collections.abc import Iterable
from textwrap import dedent
from typing import Any

import pytest

from alert_rules.engine import Engine
from alert_rules.errors import RuleFileError
from alert_rules.loading import RuleSet, read_rules
from alert_rules.plate_patterns import PlatePattern
from alert_rules.rule import Rule
from alert_rules.sightings import sighting_from_json
from alert_rules.watchlists import Watchlists
from schemas.clock import MICROS_PER_S, parse_time
from schemas.events import Alert, Sighting, WatchlistEntry

START_US = parse_time("2026-01-05T00:00:00Z")  # a Monday


def sighting(event_id: str = "e1", at_s: float = 0.0, **fields: Any) -> Sighting:
    """A sighting by flat field names, some seconds after `START_US`."""
    base = {"event_id": event_id, "camera_id": "gate", "captured_at": START_US + round(at_s * MICROS_PER_S)}
    return sighting_from_json({**base, "plate_confidence": 0.9, **fields})


def rules(text: str) -> RuleSet:
    """The rules of a file with this text."""
    return read_rules({"rules.yml": dedent(text).encode()})


def rule(match: str, **parts: str) -> Rule:
    """One native rule with this ``match`` (in YAML's flow style)."""
    lines = "".join(f"\n    {name}: {value}" for name, value in parts.items())
    return rules(f"rules:\n  - id: r\n    match: {match}{lines}\n").rules[0]


def fires(match: str, event: Sighting, lists: Iterable[WatchlistEntry] = ()) -> bool:
    """Whether a rule with this ``match`` fires for the sighting."""
    return bool(engine(match, lists).evaluate(event, {}).alerts)


def engine(match: str, lists: Iterable[WatchlistEntry] = (), **parts: str) -> Engine:
    """An engine with one rule."""
    return Engine(RuleSet((rule(match, **parts),)), Watchlists(lists))


def run(made: Engine, events: Iterable[Sighting]) -> list[Alert]:
    """All alerts of the sightings, with a memory that starts empty."""
    memory: dict[bytes, bytes | None] = {}
    alerts: list[Alert] = []
    for event in events:
        decision = made.evaluate(event, memory)
        memory.update(decision.changes)
        alerts.extend(decision.alerts)
    return alerts


def entry(plate: str, list_id: str = "stolen", entry_id: str = "1", **fields: Any) -> WatchlistEntry:
    """An entry of a watchlist."""
    return WatchlistEntry(list_id=list_id, entry_id=entry_id, plate=PlatePattern.parse(plate).text, **fields)


def problems(text: str | bytes) -> list[str]:
    """What is wrong with a file, as ``line:column: message``; fails where nothing is."""
    data = text if isinstance(text, bytes) else dedent(text).encode()
    with pytest.raises(RuleFileError) as caught:
        read_rules({"f": data})
    return [str(problem).removeprefix("f:") for problem in caught.value.problems]
