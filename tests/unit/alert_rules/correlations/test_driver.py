"""The driver's bookkeeping: revisions, late events, edited rules, what is kept and what is forgotten."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from alert_rules.correlations import group as groups
from alert_rules.correlations.driver import Correlator, Input, Passed, Step, Tick
from alert_rules.correlations.event import Seen
from alert_rules.correlations.plan import Plan
from alert_rules.correlations.realert import Realert, Silence
from alert_rules.correlations.rekeyed import Rekeyed
from alert_rules.correlations.store import ADMITTED, MemoryStore, admitted_key, due_key, slot_of, sortable, time_of
from alert_rules.correlations.watermarks import Watermarks
from alert_rules.fields import find_field, known_fields
from alert_rules.loading import RuleSet, load_rules
from alert_rules.sightings import sighting_from_json
from alert_rules.watchlists import Watchlists
from schemas.clock import MICROS_PER_S
from schemas.errors import SchemaError
from schemas.events import Sighting
from tests.unit.alert_rules.builders import START_US, rules, sighting

ALL_TYPES = load_rules([Path(__file__).with_name("all_types.yml")])
COUNT = "{type: event_count, condition: {gte: 2}}"


class Partition:
    """One partition of stage 0 with its store."""

    def __init__(self, loaded: RuleSet) -> None:
        self.store = MemoryStore()
        self.use(loaded)

    def use(self, loaded: RuleSet) -> None:
        """Other rules from now on."""
        self.correlator = Correlator(Plan(loaded.enabled), Watchlists())

    def step(self, *inputs: Input) -> Step:
        """Take records."""
        step = self.correlator.step(self.store, inputs)
        self.store.apply(step.changes)
        return step

    def until(self, at_s: float) -> Step:
        """Let time pass."""
        return self.step(tick(at_s))


def tick(at_s: float) -> Tick:
    """All is known up to here."""
    return Tick("t", START_US + round(at_s * MICROS_PER_S))


def one(correlation: str = COUNT, **parts: str) -> RuleSet:
    """A rule set with one correlation."""
    lines = {"timespan": "60s", **parts}
    written = "".join(f"\n    {name}: {value}" for name, value in lines.items())
    return rules(f"rules:\n  - id: r\n    correlation: {correlation}{written}\n")


def seen(event_id: str, at_s: float, **fields: object) -> Sighting:
    """A sighting of one plate."""
    return sighting(event_id, at_s=at_s, **{"plate_text": "X1", **fields})


def test_nothing_is_decided_before_its_time() -> None:
    """Events wait for the watermark, which the next stage is told when they are done."""
    partition = Partition(one())
    assert partition.step(seen("b", 2), seen("a", 1)).alerts == []
    assert partition.until(1).alerts == []
    step = partition.until(2)
    assert [alert.proof.event_ids for alert in step.alerts] == [("a", "b")]
    assert step.outputs == [Passed(START_US + 2 * MICROS_PER_S)]
    assert partition.until(2).outputs == []


def test_an_event_counts_once_whatever_its_revisions() -> None:
    """Before its time the latest revision is what counts; after it a revision is neither counted nor late."""
    partition = Partition(one())
    first = seen("a", 1)
    partition.step(first, replace(first, revision=2), first)
    assert partition.until(5).alerts == []
    step = partition.step(replace(first, revision=3))
    assert step.late.total() == 0
    partition.step(seen("b", 6))
    assert len(partition.until(6).alerts) == 1


@pytest.mark.parametrize("change", [{"merged_into": "z"}, {"camera_id": "elsewhere"}])
def test_a_revision_may_take_an_event_out(change: dict[str, str]) -> None:
    """A sighting that was merged away, or does not match any more, leaves the groups that it was in."""
    partition = Partition(one(match="{cameras: gate}"))
    first = seen("a", 1)
    changed = replace(first, revision=2, **change)  # type: ignore[arg-type]  # the fields are text
    partition.step(first, seen("b", 2), changed)
    assert partition.until(9).alerts == []


def test_a_revision_may_bring_an_event_in() -> None:
    """A colour that is learned later counts, as long as the time is not over."""
    partition = Partition(one(match="{field: vehicle_color, op: equals, value: red}"))
    first = seen("a", 1)
    red = seen("a", 1, vehicle_color="red", revision=2)
    partition.step(first, red, seen("b", 2, vehicle_color="red"))
    assert len(partition.until(9).alerts) == 1


def test_late_events_are_counted_and_dropped() -> None:
    """What comes after its time changes nothing, and is told."""
    partition = Partition(one())
    partition.step(seen("a", 10))
    partition.until(10)
    step = partition.step(seen("b", 9))
    assert step.late == {"r": 1}
    assert partition.until(70).alerts == []


def test_an_amended_alert_is_raised_once() -> None:
    """The late event adds the alert it would have been; a second late one does not repeat it."""
    partition = Partition(one(late="amend"))
    partition.step(seen("a", 10))
    partition.until(20)
    step = partition.step(seen("b", 9))
    assert [alert.proof.event_ids for alert in step.alerts] == [("b", "a")]
    assert partition.step(seen("b", 9), seen("c", 60)).alerts == []
    assert partition.until(60).alerts == []


def test_what_is_too_late_to_amend_is_dropped() -> None:
    """Beyond up_to an event is late, also where policy is amend."""
    partition = Partition(one(late="{policy: amend, up_to: 5s}"))
    partition.until(20)
    assert partition.step(seen("a", 15)).late == {"r": 1}
    assert partition.step(seen("b", 16)).late == {}


def test_other_words_keep_the_state() -> None:
    """A new name, message or severity leaves the counting as it is."""
    partition = Partition(one())
    partition.step(seen("a", 1))
    partition.until(1)
    partition.use(one(name="other", severity="high", message="'{count}'"))
    partition.step(seen("b", 2))
    assert [alert.message for alert in partition.until(2).alerts] == ["2"]


def test_another_meaning_begins_anew() -> None:
    """A rule that counts something else does not go on with the old count, whose state goes in time."""
    partition = Partition(one())
    partition.step(seen("a", 1))
    partition.until(1)
    partition.use(one(timespan="61s"))
    partition.step(seen("b", 2))
    assert partition.until(2).alerts == []
    partition.until(86_400 * 2)
    assert set(partition.store.rows) == {b"w"}


def test_when_all_time_has_passed_nothing_is_left() -> None:
    """No row outlives its use, whatever the type: neither waiting events, timers, states nor admissions."""
    kept = tuple(rule for rule in ALL_TYPES.rules if rule.id not in ("expected", "silent"))
    partition = Partition(RuleSet(kept))
    partition.step(tick(-1))
    cameras = ["c0", "c1", "c2", "c3"]
    partition.step(*(seen(f"e{n}", n, camera_id=cameras[n % 4], site_id="s0", reads=n % 5 + 1) for n in range(300)))
    assert partition.until(400).alerts != []
    assert len(partition.store.rows) > 300
    partition.until(86_400 * 40)
    assert set(partition.store.rows) == {b"w"}


@pytest.mark.thorough
@pytest.mark.parametrize("rule_id", [rule.id for rule in ALL_TYPES.rules])
def test_a_hostile_group_stays_small(rule_id: str) -> None:
    """Thousands of events of one group within the time span: the state has a bound, and goes through JSON unchanged."""
    rule = next(rule for rule in ALL_TYPES.rules if rule.id == rule_id)
    plan = Plan((replace(rule, suppress=None),))
    part = plan.part(rule_id, 0)
    assert part is not None
    group, largest = groups.new_group(part), 0
    for number in range(0, 2_500, 50):
        events = [
            Seen.decode(
                Seen(
                    seen(f"event-{n}", n * 0.001, camera_id=f"c{n}", vehicle_color=f"v{n}", site_id="s"),
                    tuple(range(len(part.correlation.conditions)))[n % 2 :],
                    {"ids": f"a{n} b{n}", "other_plate": "Y"},
                ).encode()
            )
            for n in range(number, number + 50)
        ]
        group, _ = groups.pass_time(part, "g", group, events, events[-1].at_us)
        dumped = json.dumps(groups.dump(part, group))
        assert groups.load(part, json.loads(dumped)) == group
        largest = max(largest, len(dumped))
    assert largest < 1_000_000 if rule.correlation and rule.correlation.late.policy == "amend" else largest < 150_000


def test_a_step_of_time_with_many_events_is_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """More events than are taken at once give the same alerts, also when all are of one instant."""
    events = [seen(f"e{n}", n // 7) for n in range(100)]
    whole = Partition(one())
    whole.step(*events)
    expected = [alert.alert_id for alert in whole.until(20).alerts]
    monkeypatch.setattr("alert_rules.correlations.driver.MAX_DUE", 5)
    parts = Partition(one())
    parts.step(*events)
    assert [alert.alert_id for alert in parts.until(20).alerts] == expected
    assert len(expected) == 50


def test_rules_by_camera_are_sent_on_and_decided_there() -> None:
    """Stage 0 keeps nothing of an event whose group is elsewhere; the record carries it through bytes."""
    loaded = one(group_by="camera_id")
    partition = Partition(loaded)
    [record] = partition.step(seen("a", 1)).outputs
    assert isinstance(record, Rekeyed)
    assert (record.group, Rekeyed.decode(record.encode())) == ("gate", record)
    assert not [key for key in partition.store.rows if key[:1] != ADMITTED]
    second = Correlator(Plan(loaded.enabled), Watchlists(), stage=1)
    other = replace(record, event=Seen(seen("b", 2)))
    step = second.step(MemoryStore(), [record, other, tick(3)])
    assert [alert.key for alert in step.alerts] == ["gate"]
    assert second.step(MemoryStore(), [replace(record, meaning="old"), other, tick(3)]).alerts == []


@pytest.mark.parametrize("value", [b"", b"{}", b"[1,2]", b'["r",0,"m","g",{}]', b"\xff"])
def test_broken_rekeyed_records_are_schema_errors(value: bytes) -> None:
    """So that the dead-letter guard knows what they are."""
    with pytest.raises(SchemaError):
        Rekeyed.decode(value)


def test_an_event_without_what_is_grouped_by_does_not_count() -> None:
    """There is no group of the unknown, and unreadable plates are not one vehicle."""
    partition = Partition(one(group_by="[plate, site_id]"))
    step = partition.step(seen("a", 1), seen("b", 2, plate_text="-", site_id="s"), tick(9))
    assert (step.alerts, [key for key in partition.store.rows if key != b"w"]) == ([], [])


def test_a_state_can_be_explained() -> None:
    """In words, for the group that somebody asks about."""
    partition = Partition(one())
    partition.step(seen("a", 1), tick(1))
    assert partition.correlator.explain(partition.store, "r", "X1") == "2 events within 1m: 1 of 2 events"
    assert partition.correlator.explain(partition.store, "r", "?") == "2 events within 1m: 0 of 2 events"


def test_every_field_that_a_rule_can_name_goes_through_the_table() -> None:
    """A message or condition at a later stage sees what the first one saw."""
    known = {
        "event_id": "e", "captured_at": START_US, "camera_id": "c", "site_id": "s", "track_id": "t",
        "plate": {"text": "AB-1", "confidence": 0.5, "region": "de"},
        "vehicle": {"type": "car", "make": "VW", "model": "Golf", "color": "red", "confidence": 0.25},
        "images": {"plate_url": "s3://p", "vehicle_url": "s3://v", "frame_url": "s3://f"},
        "location": {"lat": 1.5, "lon": 2.5}, "direction": "in", "first_seen_at": START_US - 5,
        "last_seen_at": START_US + 5, "reads": 3, "latency_ms": 7.5, "node": {"agent_id": "n", "host": "h"},
        "is_final": False, "revision": 2, "resolved": {"text": "AB1", "confidence": 0.75, "previous_text": "A81"},
        "detections": 4, "watermark": START_US + 9, "visit_id": "v", "extras": {"lane": "2"},
    }  # fmt: skip
    before = replace(sighting_from_json(known), merged_into="m")
    after = Seen.decode(json.loads(json.dumps(Seen(before).encode()))).sighting
    for name in known_fields():
        field = find_field(name)
        assert field.read(after) == field.read(before), name
    assert after.extras == before.extras


def test_watermarks_never_go_back_and_wait_for_all_sources() -> None:
    """The least of all counts, once all have spoken."""
    marks = Watermarks().observe("a", 5)
    assert marks.least(2) is None
    marks = marks.observe("b", 3).observe("a", 1)
    assert marks.least(2) == 3
    assert marks.observe("b", 9).least(2) == 5


def test_a_silence_doubles_while_matches_go_on_and_halves_in_rest() -> None:
    """As ElastAlert 2 describes exponential_realert, with a bound."""
    realert = Realert(10, 40)
    silence, _ = realert.decide(None, 0)
    lengths = []
    for at_us in (10, 31, 72, 113, 200):
        silence, suppressed = realert.decide(silence, at_us)
        assert suppressed == 0
        lengths.append(realert.silence_us(silence.doublings))
    assert lengths == [20, 40, 40, 40, 20]
    held, suppressed = realert.decide(silence, 205)
    assert (suppressed, held) == (None, Silence(200, 1, 1))
    assert realert.decide(held, realert.over_us(held) + 1) == (Silence(realert.over_us(held) + 1), 0)


def test_keys_sort_by_time() -> None:
    """Also before 1970; a timer comes after the events of its instant."""
    assert sortable(-5) < sortable(0) < sortable(5)
    slot = bytes(16)
    assert due_key(5, slot, "zzz") < due_key(5, slot) < due_key(6, slot, "a")
    assert (time_of(due_key(-7, slot)), slot_of(due_key(1, slot, "e"))) == (-7, slot)
    assert time_of(admitted_key(3, "e")) == 3
