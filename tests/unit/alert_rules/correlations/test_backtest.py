"""A backtest gives the alerts of the rules, in whatever order its events stand."""

from pathlib import Path
from random import Random

import pytest

from alert_rules.backtest import backtest
from alert_rules.engine import Engine
from alert_rules.loading import load_rules
from schemas.clock import MICROS_PER_S
from schemas.events import Sighting
from tests.unit.alert_rules.builders import START_US, sighting
from tests.unit.alert_rules.correlations.cluster import Alerts, collected, offline

ALL_TYPES = load_rules([Path(__file__).with_name("all_types.yml")])


def ran(sightings: list[Sighting], lateness_s: int) -> Alerts:
    """The alerts of a backtest."""
    decisions = backtest(Engine(ALL_TYPES), sightings, lateness_s * MICROS_PER_S)
    return collected(alert for _, decision in decisions for alert in decision.alerts)


@pytest.mark.parametrize("lateness_s", [30, 3600])
def test_order_within_the_lateness_changes_nothing(lateness_s: int) -> None:
    """Sorted, and shuffled within half a minute: the same alerts, those of the sorted run."""
    random = Random(5)
    events = [
        sighting(f"e{n:03}", at_s=n, camera_id=f"c{random.randint(0, 3)}", plate_text=f"X{random.randint(0, 4)}")
        for n in range(200)
    ]
    shuffled = sorted(events, key=lambda event: event.captured_at + random.randint(0, 30) * MICROS_PER_S)
    expected = offline(ALL_TYPES, events, START_US - 1, START_US + 199 * MICROS_PER_S)
    assert ran(shuffled, lateness_s) == ran(events, lateness_s) == expected
    assert len(expected) > 50


def test_nothing_comes_of_nothing() -> None:
    """Without sightings there is no time, and no silence either."""
    assert ran([], 30) == {}
