"""The stages of the correlations as agents: live is offline, a bad record fails alone, an idle one is free."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from alert_rules.backtest import backtest
from alert_rules.correlations.driver import Correlator as StageCorrelator
from schemas.events import Sighting, Tick
from schemas.records import to_record
from schemas.topics import ALERTS, DLQ, REKEYED_GROUP
from telemetry import metrics
from tests.unit.agents.correlation_lanes import Lanes, alerts_of, from_output, record, ticks
from tests.unit.agents.detections import CODEC
from tests.unit.agents.runs import FakeRecord
from tests.unit.alert_rules.builders import START_US, sighting

PLAIN = "rules: [{id: plain, match: {cameras: gate}}]"
TWICE = "rules: [{id: twice, timespan: 60s, correlation: {type: event_count, condition: {gte: 2}}}]"
BUSY = """
rules:
  - id: busy
    group_by: camera_id
    timespan: 30s
    correlation: {type: value_count, field: plate_text, condition: {gte: 3}}
"""
ALL_STAGES = f"""{BUSY}
  - {{id: often, timespan: 60s, correlation: {{type: event_count, condition: {{gte: 3}}}}, suppress: 2m}}
  - {{id: together, timespan: 30m, correlation: {{type: convoy, condition: {{gte: 2}}}}}}
  - {{id: plain, match: {{plate: AB1}}}}
"""


def passes(count: int, dice: Random) -> list[Sighting]:
    """Two vehicles that keep together and some others, at three cameras; some reads get a second revision."""
    found = []
    for number in range(count):
        at_s, camera = number * 9.0, f"c{dice.randrange(3)}"
        for plate in ("AB1", "CD2", *dice.sample(["EF3", "GH4", "JK5"], dice.randrange(3))):
            made = sighting(f"e{number}-{plate}", at_s + dice.random() * 8, camera_id=camera, plate_text=plate)
            found.append(made)
            if dice.random() < 0.2:
                found.append(replace(made, revision=2, reads=5))
    return found


def disorder(sightings: list[Sighting], dice: Random) -> list[Sighting | Tick]:
    """Sightings up to 20 s late, with the time of each source behind them."""
    newest_us = max(each.captured_at for each in sightings)
    arrivals: list[tuple[float, int, Sighting | Tick]] = []
    delays: dict[str, float] = {}
    for each in sightings:
        delays[each.event_id] = dice.uniform(delays.get(each.event_id, 0), 20e6)
        arrivals.append((each.captured_at + delays[each.event_id], len(arrivals), each))
    for at_us in range(START_US, newest_us, 3_000_000):
        for tick in ticks(at_us - 21_000_000):
            arrivals.append((at_us + dice.random() * 1e6, len(arrivals), tick))
    arrivals.sort(key=lambda arrival: arrival[:2])
    return [*ticks(START_US - 30_000_000), *(each for *_, each in arrivals), *ticks(newest_us + 1)]


@pytest.mark.parametrize("seed", range(4))
async def test_all_stages_give_the_alerts_of_the_backtest(tmp_path: Path, seed: int) -> None:
    """Disorder, runs cut anywhere, restarts and revoked partitions change no alert, in no field."""
    dice = Random(seed)
    lanes, sightings = Lanes(tmp_path, ALL_STAGES), passes(60, dice)
    log = disorder(sightings, dice)
    raised = alerts_of(await lanes.work(log, dice))
    came = [each for each in log if isinstance(each, Sighting)]
    expected = [alert for _, decision in backtest(lanes.book.engine, came) for alert in decision.alerts]
    assert {rule: sum(alert.rule.id == rule for alert in expected) > 0 for rule in ("busy", "often", "together")} == {
        "busy": True, "often": True, "together": True
    }  # fmt: skip
    assert len(raised) == len({alert.alert_id for alert in raised})
    assert {alert.alert_id: to_record(alert) for alert in raised} == {
        alert.alert_id: to_record(alert) for alert in expected
    }


async def test_a_role_without_correlations_touches_no_table(tmp_path: Path) -> None:
    """Plain rules fire as before; no stage reads, scans, writes or sends anything."""
    lane = Lanes(tmp_path, PLAIN).lanes[0]
    outputs = await lane.handle(0, *_log(sighting(), *ticks(START_US)))
    assert [output.topic for output in outputs] == [ALERTS.name]
    assert await lane.handle(1, FakeRecord(b"whatever", topic=REKEYED_GROUP.name)) == []
    assert [(table.asked, table.values) for table in lane.tables] == [(0, {})] * 3


async def test_later_stages_are_told_only_what_a_rule_needs(tmp_path: Path) -> None:
    """Rules by plate alone send nothing on; the time of a needed stage goes to its every partition, once a second."""
    lanes = Lanes(tmp_path, TWICE)
    assert await lanes.lanes[0].handle(0, *_log(*ticks(START_US))) == []
    lanes.take_rules(BUSY)
    sent = await lanes.lanes[0].handle(0, *_log(*ticks(START_US + 1), *ticks(START_US + 500_000)))
    assert [(output.topic, output.partition) for output in sent] == [
        (REKEYED_GROUP.name, partition) for partition in range(REKEYED_GROUP.partitions)
    ]
    assert await lanes.lanes[0].handle(0, *_log(*ticks(START_US + 900_000))) == []
    assert len(await lanes.lanes[0].handle(0, *_log(*ticks(START_US + 1_500_000)))) == REKEYED_GROUP.partitions


async def test_time_goes_behind_the_events_that_it_is_about(tmp_path: Path) -> None:
    """The next stage must have every event before it hears that their time is over."""
    lane = Lanes(tmp_path, BUSY).lanes[0]
    events = [sighting(f"e{n}", n, plate_text=f"P{n}") for n in range(3)]
    sent = await lane.handle(0, *_log(*ticks(START_US), *events, *ticks(START_US + 10_000_000)))
    kinds = [bool(output.headers) for output in sent]
    assert kinds == [False] * 3 + [True] * REKEYED_GROUP.partitions


async def test_a_merged_sighting_counts_no_more(tmp_path: Path) -> None:
    """Correlations hear of a sighting that went into another one, though plain rules do not."""
    lane = Lanes(tmp_path, TWICE).lanes[0]
    first, second = (sighting(f"e{n}", n, plate_text="AB1") for n in range(2))
    gone = replace(second, revision=2, merged_into="e0")
    assert (
        alerts_of(await lane.handle(0, *_log(*ticks(START_US), first, second, gone, *ticks(START_US + 9_000_000))))
        == []
    )


async def test_a_record_that_breaks_a_stage_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes a dead letter and leaves no trace in the table; its neighbours count."""
    step = StageCorrelator.step

    def broken(self: StageCorrelator, store: object, inputs: object) -> object:
        made = step(self, store, inputs)  # type: ignore[arg-type]  # passed through
        if any(isinstance(each, Sighting) and each.event_id == "bad" for each in inputs):  # type: ignore[attr-defined]  # a tuple
            raise RuntimeError("a mistake")
        return made

    monkeypatch.setattr(StageCorrelator, "step", broken)
    lane = Lanes(tmp_path, TWICE).lanes[0]
    events = [sighting(name, n, plate_text="AB1") for n, name in enumerate(["a", "bad", "b"])]
    outputs = await lane.handle(0, *_log(*ticks(START_US), *events, *ticks(START_US + 9_000_000)))
    assert [alert.proof.event_ids for alert in alerts_of(outputs)] == [("a", "b")]
    letters = [CODEC.decode(DLQ, output.value) for output in outputs if output.topic == DLQ.name]
    assert [(letter.agent, letter.offset, letter.error_type) for letter in letters] == [("correlate", 9, "UNKNOWN")]


@pytest.mark.parametrize(
    ("value", "key", "headers"),
    [
        (b"garbage", b"gate", ()),
        (None, b"gate", ()),
        (b"[1,2,3,4,5]", b"gate", ()),
        (b'["r",0,"m","gate",{}]', b"gate", ()),
        (b"7", None, (("alpr-record", b"alpr.Passed"),)),
        (b'["x","y"]', None, (("alpr-record", b"alpr.Passed"),)),
        (b"[1]", None, (("alpr-record", b"alpr.Passed"),)),
        (b"\xff", None, (("alpr-record", b"alpr.Passed"),)),
    ],
)
async def test_what_is_no_record_of_a_stage_is_a_dead_letter(
    tmp_path: Path, value: bytes | None, key: bytes | None, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """Whatever lies on a re-keyed topic, the records behind it are read."""
    lane = Lanes(tmp_path, BUSY).lanes[0]
    outputs = await lane.handle(1, FakeRecord(value, 5, key, headers, REKEYED_GROUP.name))
    [letter] = [CODEC.decode(DLQ, output.value) for output in outputs]
    assert (letter.agent, letter.error_type, letter.value) == ("groups", "SCHEMA_VALIDATION", value)


async def test_an_event_under_another_key_is_refused(tmp_path: Path) -> None:
    """In a foreign partition a group would be counted in two places."""
    lane = Lanes(tmp_path, BUSY).lanes[0]
    [sent] = await lane.handle(0, record(sighting(plate_text="AB1"), 0))
    [letter] = await lane.handle(1, replace(from_output(sent), key=b"other"))
    assert letter.topic == DLQ.name


async def test_a_rule_that_was_not_known_at_the_sender_is_passed_over(tmp_path: Path) -> None:
    """Events of a rule that counts something else by now do not count for it."""
    lanes = Lanes(tmp_path, BUSY)
    [sent] = await lanes.lanes[0].handle(0, record(sighting(plate_text="AB1"), 0))
    lanes.take_rules(BUSY.replace("30s", "40s"))
    assert await lanes.lanes[0].handle(1, from_output(sent)) == []
    assert lanes.lanes[0].tables[1].values == {}


async def test_state_stays_over_an_edit_that_keeps_what_is_counted(tmp_path: Path) -> None:
    """Another severity is no new rule; another time span is."""
    lanes = Lanes(tmp_path, TWICE)
    one, two, three = (sighting(f"e{n}", n, plate_text="AB1") for n in range(3))
    await lanes.lanes[0].handle(0, *_log(*ticks(START_US), one, *ticks(START_US + 900_000)))
    lanes.take_rules(TWICE.replace("id: twice", "id: twice, severity: high"))
    [alert] = alerts_of(await lanes.lanes[0].handle(0, *_log(two, *ticks(START_US + 1_900_000))))
    assert (alert.severity, alert.proof.event_ids) == ("high", ("e0", "e1"))
    lanes.take_rules(TWICE.replace("60s", "61s"))
    assert alerts_of(await lanes.lanes[0].handle(0, *_log(three, *ticks(START_US + 2_900_000)))) == []


async def test_late_lost_and_held_back_are_counted(tmp_path: Path) -> None:
    """By rule, and once the run is kept."""
    lane = Lanes(tmp_path, TWICE.replace("id: twice", "id: noted, suppress: 1h")).lanes[0]
    late, held_back = metrics.CORRELATION_LATE.labels("noted"), metrics.ALERTS_SUPPRESSED.labels("noted")
    before = (late._value.get(), held_back._value.get())
    events = [sighting(f"e{n}", n, plate_text="AB1") for n in range(4)]
    log = _log(*ticks(START_US), *events, *ticks(START_US + 9_000_000), sighting("l", 5, plate_text="AB1"))
    await lane.handle(0, *log, revoked=True)
    assert (late._value.get(), held_back._value.get()) == before
    await lane.handle(0, *log)
    assert (late._value.get() - before[0], held_back._value.get() - before[1]) == (1, 1)


async def test_a_silent_vehicle_is_missed_in_its_own_partition_alone(tmp_path: Path) -> None:
    """A group with the plate in it is expected where its sightings come, not where its name would lie."""
    rule = """
rules:
  - id: silent
    group_by: [plate, site_id]
    timespan: 60s
    correlation: {type: flatline, expect: ["KX7|depot"]}
"""
    lanes = Lanes(tmp_path, rule)
    calls = [sighting(f"e{n}", n * 50, plate_text="KX7", site_id="depot") for n in range(4)]
    log: list[Sighting | Tick] = [
        *ticks(START_US),
        *calls,
        *ticks(START_US + 201_000_000),
        *ticks(START_US + 400_000_000),
    ]
    [alert] = alerts_of(await lanes.work(log, Random(1)))
    assert (alert.key, alert.fired_at) == ("KX7|depot", START_US + 210_000_000)


def _log(*events: Sighting | Tick) -> list[FakeRecord]:
    return [record(event, offset) for offset, event in enumerate(events)]
