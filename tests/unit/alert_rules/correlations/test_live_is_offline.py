"""Live and offline agree: whatever the interleaving, the delays within the lateness, and the crashes."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from alert_rules.correlations.plan import AMEND, Late
from alert_rules.loading import RuleSet, load_rules
from alert_rules.reading.correlation_types import TYPES
from alert_rules.rule import Rule
from schemas.clock import MICROS_PER_S
from schemas.events import Sighting
from tests.unit.alert_rules.builders import START_US, sighting
from tests.unit.alert_rules.correlations.cluster import arrivals, live, offline

ALL_TYPES = load_rules([Path(__file__).with_name("all_types.yml")])
PLATES = ["AB01", "A801", "CD22", "XY77", "AB91"]
CAMERAS = ["c0", "c1", "c2", "c3"]
SITES = ["s0", "s1", None]
SPAN_S = 300
LATENESS_US = 30 * MICROS_PER_S
START, END = START_US - 1, START_US + (SPAN_S + 400) * MICROS_PER_S


@st.composite
def _sightings(draw: st.DrawFn) -> list[Sighting]:
    found = []
    for number in range(draw(st.integers(0, 45))):
        plate = draw(st.sampled_from(PLATES))
        camera = draw(st.sampled_from(CAMERAS))
        first = sighting(
            f"e{number}",
            at_s=draw(st.integers(0, SPAN_S)),
            plate_text=plate,
            camera_id=camera,
            site_id=draw(st.sampled_from(SITES)),
            vehicle_color=draw(st.sampled_from(["red", "blue", None])),
            reads=draw(st.integers(1, 4)),
        )
        found.append(first)
        fate = draw(st.integers(0, 9))
        if fate == 0:
            found.append(replace(first, revision=2, merged_into="e0"))
        elif fate == 1:
            found.append(replace(first, revision=2, site_id="s1", reads=4))
    return found


# shrinking a whole cluster takes minutes and seldom helps: the seed says it all
THOROUGH = settings(max_examples=30, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
PLACES = (st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 3))


@pytest.mark.thorough
@THOROUGH
@given(_sightings(), *PLACES, st.integers(0, 2))
def test_any_interleaving_gives_the_alerts_of_the_sorted_run(
    sightings: list[Sighting], seed: int, sources: int, partitions: int, crashes: int
) -> None:
    """Partitions, delays, step lengths, and replays from a checkpoint change no alert, in no field."""
    random = Random(seed)
    logs = arrivals(sightings, random, sources, partitions, (START, END), LATENESS_US)
    assert live(ALL_TYPES, logs, sources, random, crashes) == offline(ALL_TYPES, sightings, START, END)


@pytest.mark.thorough
@THOROUGH
@given(_sightings(), *PLACES)
def test_amending_misses_no_alert(sightings: list[Sighting], seed: int, sources: int, partitions: int) -> None:
    """However late events are, `late: amend` raises every alert that they would have raised in time."""
    random = Random(seed)
    unmoved = [each for each in sightings if each.revision == 1]
    logs = arrivals(unmoved, random, sources, partitions, (START, END), LATENESS_US, promised_us=0)
    rules_ = RuleSet(tuple(_amending(rule) for rule in ALL_TYPES.rules if rule.id not in ("convoy", "expected")))
    raised, in_time = live(rules_, logs, sources, random), offline(rules_, unmoved, START, END)
    assert [in_time[alert_id] for alert_id in in_time.keys() - raised.keys()] == []


def _amending(rule: Rule) -> Rule:
    assert rule.correlation is not None
    return replace(rule, suppress=None, correlation=replace(rule.correlation, late=Late(AMEND, END - START)))


@pytest.mark.parametrize("seed", range(3))
def test_a_few_interleavings(seed: int) -> None:
    """The same for some fixed choices, quick enough for every run."""
    random = Random(seed)
    sightings = [
        sighting(
            f"e{number}", at_s=random.randint(0, SPAN_S), plate_text=random.choice(PLATES),
            camera_id=random.choice(CAMERAS), site_id=random.choice(SITES), reads=random.randint(1, 4),
        )
        for number in range(40)
    ]  # fmt: skip
    logs = arrivals(sightings, random, 2, 3, (START, END), LATENESS_US)
    expected = offline(ALL_TYPES, sightings, START, END)
    assert live(ALL_TYPES, logs, 2, random, crashes=2) == expected
    assert len(expected) > 20


def test_all_types_of_the_language_take_part() -> None:
    """A type that is added must be added here."""
    used = {rule.correlation.type for rule in ALL_TYPES.rules if rule.correlation is not None}
    assert used | {"impossible_travel"} == set(TYPES)
