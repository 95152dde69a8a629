"""The correlate agent on real Kafka: live and offline agree over a kill, rules and lists change while it runs."""

import json
import random
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alert_rules.backtest import backtest
from alert_rules.engine import Engine
from alert_rules.loading import load_rules
from alert_rules.watchlist_files import load_watchlists
from alert_rules.watchlists import Watchlists
from schemas.events import Alert, WatchlistEntry
from schemas.records import to_json_record
from schemas.topics import DLQ, RULES, SIGHTINGS, WATCHLISTS
from tests.connected.agents.alerts_worker import Alerts
from tests.connected.streams.conftest import until

RULE_FILE = """
rules:
  - id: {mark}-listed
    match: {{watchlist: {mark}}}
    suppress: {{for: 60s, by: [plate, camera_id]}}
  - id: {mark}-red
    match:
      - {{field: extras.run, op: equals, value: {mark}}}
      - {{field: vehicle_color, op: equals, value: red}}
    suppress: 30s
"""


PERMIT_RULE = """
  - id: {mark}-refused
    match:
      - {{field: extras.run, op: equals, value: {mark}}}
      - {{field: plate_text, op: starts_with, value: P}}
      - {{not: {{permit: {mark}-staff}}}}
"""


@pytest.fixture
def alerts(stack: Any, tmp_path: Path) -> Iterator[Alerts]:
    """The alerts role, not started yet; it ends with the test."""
    made = Alerts(stack, tmp_path, RULE_FILE)
    yield made
    if made.process is not None:
        made.end(signal.SIGKILL)


def _lines(found: list[Alert]) -> list[str]:
    return sorted({json.dumps(to_json_record(alert), sort_keys=True) for alert in found})


def test_live_and_offline_agree_over_a_kill(alerts: Alerts) -> None:
    """Sightings with revisions and disorder, a kill -9 in the middle: the alerts of the backtest, byte for byte."""
    dice = random.Random(7)
    plates = ["AB0123", "ABO123", "XYZ9", "XYZ91", *[f"P{number:03}" for number in range(200)]]
    sightings = []
    for number in range(6000):
        plate, at_s = dice.choice(plates), number / 5 + dice.uniform(-20, 20)
        fields = {
            "plate_text": plate,
            "camera_id": f"c{dice.randrange(4)}",
            "vehicle_color": dice.choice(["red", None]),
        }
        sightings.append(alerts.sighting(f"e{number}", at_s, **fields))
        if dice.random() < 0.3:
            sightings.append(
                replace(alerts.sighting(f"e{number}", at_s, **{**fields, "vehicle_color": "red"}), revision=2)
            )
    # permits of the topic, each for some entries a day: the count of a plate lives through the kill
    permits = [
        WatchlistEntry(
            list_id=f"{alerts.mark}-staff", entry_id=plate, plate=plate, kind="permit", quota="9/day", time_zone="UTC"
        )
        for plate in plates[4:]
    ]
    for permit in permits:
        key = f"{permit.list_id}/{permit.entry_id}".encode()
        alerts.put_raw(WATCHLISTS.name, key, alerts.codec.encode(WATCHLISTS, permit))
    alerts.rules.write_text((RULE_FILE + PERMIT_RULE).format(mark=alerts.mark))
    alerts.start()
    alerts.put(*sightings[:3000])
    until(lambda: len(alerts.alerts()) > 100, "first alerts", 60)
    alerts.put(*sightings[3000:])
    alerts.end(signal.SIGKILL)
    alerts.start()
    until(alerts.handled, "the rest of the work", 60, 0.5)
    engine = Engine(load_rules([alerts.rules]), Watchlists([*load_watchlists([alerts.list_file]), *permits]))
    expected = [alert for _, decision in backtest(engine, sightings) for alert in decision.alerts]
    assert len(expected) > 500
    assert _lines(alerts.alerts()) == _lines(expected)
    assert {alert.rule.id for alert in expected} == {f"{alerts.mark}-{name}" for name in ("listed", "red", "refused")}


def test_rules_and_lists_change_while_it_runs(alerts: Alerts) -> None:
    """A broken file is refused loudly and the old rules stay; a good one, a document and an entry are taken."""
    alerts.start()
    alerts.put(alerts.sighting("e1", 0, plate_text="AB0123"))
    until(lambda: len(alerts.alerts()) == 1, "the first alert", 60)
    alerts.rules.write_text(RULE_FILE.format(mark=alerts.mark).replace("suppress", "supress"))
    alerts.wait_for_log("did you mean 'suppress'?")
    alerts.put(alerts.sighting("e2", 100, plate_text="AB0123"))
    until(lambda: len(alerts.alerts()) == 2, "an alert of the old rules", 20)

    fresh = "rules: [{id: %s-%s, match: {plate: NEW1}}]"
    alerts.rules.write_text(fresh % (alerts.mark, "new"))
    until(lambda: f'"{alerts.mark}-new":' in alerts.log.read_text(), "the new rules", 20)
    alerts.put_raw(RULES.name, alerts.mark.encode(), (fresh % (alerts.mark, "doc")).encode())
    until(lambda: f'"{alerts.mark}-doc":' in alerts.log.read_text(), "the document's rule", 20)
    alerts.put(alerts.sighting("e3", 200, plate_text="NEW1"), alerts.sighting("e4", 200, plate_text="AB0123"))
    until(lambda: len(alerts.alerts()) == 4, "the alerts of the new rules", 20)
    fired = sorted((alert.proof.event_ids[0], alert.rule.id) for alert in alerts.alerts())
    assert fired[2:] == [(f"{alerts.mark}-e3", f"{alerts.mark}-{name}") for name in ("doc", "new")]
    alerts.put_raw(RULES.name, alerts.mark.encode(), None)


def test_entries_of_the_topic_are_watched_from_the_start_and_later(alerts: Alerts) -> None:
    """An entry that was there before the start counts for the first sighting; a withdrawn one no more."""
    entry = WatchlistEntry(list_id=alerts.mark, entry_id="1", plate="TOPIC1", reason="test")
    key = f"{alerts.mark}/1".encode()
    alerts.put_raw(WATCHLISTS.name, key, alerts.codec.encode(WATCHLISTS, entry))
    alerts.put(alerts.sighting("e1", 0, plate_text="TOPIC1"))
    alerts.start()
    until(lambda: len(alerts.alerts()) == 1, "the alert of the topic's entry", 60)
    assert alerts.alerts()[0].proof.matched_plate == "TOPIC1"
    alerts.put_raw(WATCHLISTS.name, key, alerts.codec.encode(WATCHLISTS, replace(entry, plate="TOPIC2")))

    def fires_for(plate: str, at_s: int) -> bool:
        alerts.put(alerts.sighting(f"{plate}-{at_s}", at_s, plate_text=plate))
        until(alerts.handled, "the sighting", 20)
        return any(alert.proof.event_ids[0].endswith(f"{plate}-{at_s}") for alert in alerts.alerts())

    times = iter(range(1000, 1_000_000, 1000))
    until(lambda: fires_for("TOPIC2", next(times)), "an alert of the changed entry", 30)
    assert not fires_for("TOPIC1", next(times))
    alerts.put_raw(WATCHLISTS.name, key, None)
    until(lambda: not fires_for("TOPIC2", next(times)), "silence after the withdrawal", 30)


def test_poison_is_a_dead_letter_and_the_rest_goes_on(alerts: Alerts) -> None:
    """Bytes that are no sighting do not stop the alerts behind them."""
    poison = b"\x00\xff" + alerts.mark.encode()
    alerts.put(alerts.sighting("e1", 0, plate_text="AB0123"))
    alerts.put_raw(SIGHTINGS.name, b"A80123", poison)
    alerts.put(alerts.sighting("e2", 100, plate_text="AB0123"))
    alerts.start()
    until(lambda: len(alerts.alerts()) == 2, "both alerts", 60)
    letters = [alerts.codec.decode(DLQ, record.value()) for record in alerts.broker.drain(DLQ.name)]
    assert [(letter.agent, letter.error_type) for letter in letters if letter.value == poison] == [
        ("correlate", "SCHEMA_VALIDATION")
    ]


def test_a_broken_file_stops_the_start(alerts: Alerts) -> None:
    """The worker ends with a failure and the place of the mistake."""
    alerts.rules.write_text("rules: [{id: a, match: {plates: X1}}]")
    alerts.start()
    assert alerts.process is not None
    assert alerts.process.wait(30) != 0
    assert f"{alerts.rules}:1:25: a condition has no 'plates'; did you mean 'plate'?" in alerts.log.read_text()
