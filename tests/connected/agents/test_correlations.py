"""Correlations of all stages on real Kafka, over a kill."""

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from alert_rules.backtest import backtest
from alert_rules.engine import Engine
from alert_rules.loading import load_rules
from alert_rules.watchlists import Watchlists
from schemas.clock import MICROS_PER_S, now_us
from schemas.events import Alert, Sighting, Tick
from schemas.records import to_json_record
from schemas.topics import DLQ, REKEYED_GROUP, REKEYED_PAIR, SIGHTINGS, TICK_SOURCES
from tests.connected.agents.alerts_worker import Alerts
from tests.connected.streams.conftest import until

RULES = """
rules:
  - id: {mark}-often
    match: {{field: extras.run, op: equals, value: {mark}}}
    timespan: 10m
    correlation: {{type: event_count, condition: {{gte: 4}}}}
    suppress: 5m
  - id: {mark}-busy
    match: {{field: extras.run, op: equals, value: {mark}}}
    group_by: site_id
    timespan: 30s
    correlation: {{type: value_count, field: plate_text, condition: {{gte: 8}}}}
  - id: {mark}-together
    match: {{field: extras.run, op: equals, value: {mark}}}
    timespan: 30m
    correlation: {{type: convoy, condition: {{gte: 3}}}}
"""
SIGHTINGS_SENT = int(os.environ.get("ALPR_TEST_CORRELATED", "3000"))
"""How many: 3,000 take a minute; the acceptance of the rules asks for 100,000, which take longer."""
CAMERAS, SITES = 50, 5
IS_LONG = SIGHTINGS_SENT > 10_000
STEP_S, PLATES, TICK_S = (0.3, 800, 30) if IS_LONG else (1.5, 160, 10)
"""Time between two sightings, vehicles on the road, and time between two ticks: more traffic, not days of it."""
LATENESS_US = 20 * MICROS_PER_S
AHEAD_US = 3650 * 86_400 * MICROS_PER_S
"""Event time of the test lies ahead of the clock: ticks that other tests have left must not make it late."""


@pytest.fixture
def alerts(stack: Any, tmp_path: Path) -> Iterator[Alerts]:
    """The alerts role with correlations, not started yet; it ends with the test."""
    made = Alerts(stack, tmp_path, RULES)
    yield made
    if made.process is not None:
        made.end(signal.SIGKILL)


def _sightings(alerts: Alerts, start_us: int, dice: random.Random) -> list[Sighting]:
    """Sightings at fifty cameras of five sites; two vehicles keep together, some reads are revised."""
    found: list[Sighting] = []
    for number in range(SIGHTINGS_SENT):
        follows = number % 40 == 1
        plate = "LEAD1" if number % 40 == 0 else "TAIL2" if follows else f"P{dice.randrange(PLATES):03}"
        camera = found[-1].camera_id.removeprefix("c") if follows else dice.randrange(CAMERAS)
        at_us = start_us + round((number + dice.random()) * STEP_S * MICROS_PER_S)
        fields = {"camera_id": f"c{camera}", "site_id": f"{alerts.mark}-s{int(camera) % SITES}", "plate_text": plate}
        made = replace(alerts.sighting(f"e{number}", 0, **fields), captured_at=at_us)
        found.append(replace(made, first_seen_at=at_us, last_seen_at=at_us))
    return [
        revision
        for each in found
        for revision in ([each, replace(each, revision=2, reads=5)] if dice.random() < 0.1 else [each])
    ]


def _log(sightings: list[Sighting], dice: random.Random) -> list[Sighting | Tick]:
    """Sightings up to 20 s late, with ticks of every source that say so."""
    start_us, end_us = (pick(each.captured_at for each in sightings) for pick in (min, max))
    arrivals: list[tuple[float, int, Sighting | Tick]] = []
    delays: dict[str, float] = {}
    for each in sightings:
        delays[each.event_id] = dice.uniform(delays.get(each.event_id, 0), LATENESS_US - 1)
        arrivals.append((each.captured_at + delays[each.event_id], len(arrivals), each))
    for source in range(TICK_SOURCES):
        for at_us in range(start_us - LATENESS_US, end_us, TICK_S * MICROS_PER_S):
            arrivals.append((at_us + dice.random(), len(arrivals), _tick(source, at_us - LATENESS_US)))
    arrivals.sort(key=lambda arrival: arrival[:2])
    return [each for *_, each in arrivals] + [_tick(source, end_us + 1) for source in range(TICK_SOURCES)]


def _tick(source: int, until_us: int) -> Tick:
    return Tick(partition=source, at=until_us, watermark=until_us, rest=until_us)


def test_all_stages_give_the_alerts_of_the_backtest_over_a_kill(alerts: Alerts) -> None:
    """Delays, disorder and a kill -9 in the middle: the alerts of the backtest, by id and byte for byte."""
    dice = random.Random(11)
    sightings = _sightings(alerts, now_us() + AHEAD_US, dice)
    log = _log(sightings, dice)
    alerts.start()
    alerts.put(*log[: len(log) // 2])
    until(
        lambda: len({alert.rule.id for alert in alerts.alerts()}) == 3,
        "alerts of all stages",
        90 + SIGHTINGS_SENT // 100,
        0.5,
    )
    alerts.put(*log[len(log) // 2 :])
    alerts.end(signal.SIGKILL)
    alerts.start()
    for topic in (SIGHTINGS, REKEYED_GROUP, REKEYED_PAIR):  # each is complete when the one before is done
        until(partial(alerts.handled, topic), f"the rest of {topic.name}", 120 + SIGHTINGS_SENT // 100, 0.5)
    engine = Engine(load_rules([alerts.rules]), Watchlists())
    came = [each for each in log if isinstance(each, Sighting)]
    expected = {alert.alert_id: alert for _, decision in backtest(engine, came) for alert in decision.alerts}
    fired = Counter(alert.rule.id.removeprefix(f"{alerts.mark}-") for alert in expected.values())
    assert {name for name, count in fired.items() if count > 10} == {"often", "busy", "together"}, fired
    assert sorted(_texts(alerts.alerts())) == sorted(_texts(expected.values()))
    mine = alerts.mark.encode()
    assert not [letter for letter in alerts.broker.drain(DLQ.name) if mine in (letter.value() or b"")]


def _texts(found: Iterable[Alert]) -> set[tuple[str, str]]:
    return {(alert.alert_id, json.dumps(to_json_record(alert), sort_keys=True)) for alert in found}
