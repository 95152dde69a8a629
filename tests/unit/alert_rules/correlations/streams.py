"""Short ways to run one correlation over a few events."""

from collections.abc import Iterable
from typing import Any

from alert_rules.correlations.offline import Correlations
from alert_rules.watchlists import Watchlists
from schemas.clock import MICROS_PER_S
from schemas.events import Alert, Sighting
from tests.unit.alert_rules.builders import START_US, rules, sighting


def alerts(
    correlation: str, events: Iterable[Sighting], until_s: float = 0.0, timespan: str | None = "60s", **parts: str
) -> list[Alert]:
    """The alerts of one rule, when time goes on to `until_s` or the last event."""
    lines = {"timespan": timespan, **parts} if timespan else parts
    written = "".join(f"\n    {name}: {value}" for name, value in lines.items())
    made = Correlations(rules(f"rules:\n  - id: r\n    correlation: {correlation}{written}\n").rules, Watchlists())
    events = list(events)
    made.advance(START_US - 1)
    for event in events:
        made.take(event)
    last_us = max((event.captured_at for event in events), default=START_US)
    return made.advance(max(last_us, START_US + round(until_s * MICROS_PER_S))).alerts


def letters(text: str, step_s: float = 1.0, **fields: Any) -> list[Sighting]:
    """One event for each word: ``a b1 c`` are events with these ids at cameras a, b and c, a step apart."""
    words = text.split()
    return [
        sighting(word, at_s=number * step_s, **{"plate_text": "X1", "camera_id": word[0], **fields})
        for number, word in enumerate(words)
        if word != "-"
    ]


def ids(found: Iterable[Alert]) -> list[str]:
    """The events of each alert, in words."""
    return [" ".join(alert.proof.event_ids) for alert in found]


def at_s(found: Iterable[Alert]) -> list[float]:
    """When each alert fired, in seconds."""
    return [(alert.fired_at - START_US) / MICROS_PER_S for alert in found]


def observed(alert: Alert, field: str) -> str:
    """What the proof says of a number."""
    return next(condition.observed for condition in alert.proof.conditions if condition.field == field)
