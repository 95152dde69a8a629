"""Groups and muting: each alert in exactly one message, messages not too near, and only graver alerts mute."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.alert_life import AlertLife
from agents.decisions.alert_groups import MOST_LINES, in_one_message
from agents.decisions.inhibition import Source, inhibitor, rank, with_source
from agents.decisions.notify_policy import Grouping, Inhibition, NotifyPolicy
from agents.decisions.silences import AlertActions
from agents.decisions.told import Part
from alert_rules.rule import SEVERITIES
from schemas.clock import MICROS_PER_S
from schemas.events import Action, Alert, RuleRef
from streams.run import Run
from tables.alert_life import AlertLifeRows
from tables.notifications import KeptRecord
from tables.run_rows import RunRows
from tests.unit.agents.notify.alerts import alert
from tests.unit.agents.notify.fakes import FakeChannel
from tests.unit.agents.notify.test_desk import MemoryTable

START = 1_764_000_000 * MICROS_PER_S
ARRIVALS = st.lists(
    st.tuples(
        st.integers(0, 40), st.sampled_from("ab"), st.lists(st.sampled_from(["x", "y"]), min_size=1, unique=True)
    ),
    max_size=15,
)


class Room:
    """One partition's rows, with a clock."""

    def __init__(self, grouping: Grouping) -> None:
        self.table = MemoryTable()
        self.alerts: dict[bytes, Alert] = {}
        self.life = AlertLife(
            NotifyPolicy(groupings=(grouping,)),
            AlertActions(),
            {"fake": FakeChannel()},
            {},
            900.0,
            0.0,
        )
        self.messages: list[tuple[int, str, str, tuple[str, ...]]] = []

    def run(self, now_s: int, arriving: list[Alert]) -> None:
        """A run at a time: alerts that arrive, and what is due."""
        run = Run(TP("t", 0), [], 0, None, None)  # type: ignore[arg-type]  # the table needs nothing of it
        rows, now = AlertLifeRows(RunRows(self.table, run)), START + now_s * MICROS_PER_S
        for made in arriving:
            raw = made.alert_id.encode()
            self.alerts[raw] = made
            if not self.life.must_wait(rows, made, KeptRecord("alpr.alerts", 0, 1, 0, None, raw), now):
                for action in made.actions:
                    self.messages.append((now_s, made.site_id or "", action.params["to"], (made.alert_id,)))
        for told, recipient in self.life.due(rows, lambda record: self.alerts[record.value or b""], now).told:
            assert recipient is not None
            ids = tuple(part.alert.alert_id for part in told.parts)
            self.messages.append((now_s, told.parts[0].alert.site_id or "", recipient[1], ids))
        self.table.apply(rows.changes)


@settings(max_examples=60)
@given(ARRIVALS, st.sampled_from([0, 3, 10]), st.sampled_from([0, 5, 20]), st.integers(1, 7))
def test_each_alert_is_in_exactly_one_message(
    arrivals: list[tuple[int, str, list[str]]], wait_s: int, interval_s: int, every_s: int
) -> None:
    """For each recipient, whenever runs come; no message of a group follows the last one within its interval."""
    room = Room(Grouping(None, ("site",), wait_s * MICROS_PER_S, interval_s * MICROS_PER_S))
    expected: set[tuple[str, str]] = set()
    for now_s in range(0, 120):
        arriving = []
        for number, (at_s, site, recipients) in enumerate(arrivals):
            if at_s == now_s:
                actions = tuple(Action("fake", {"to": name}) for name in recipients)
                made = replace(alert(actions=actions), alert_id=f"n{number}", site_id=site, captured_at=START)
                arriving.append(made)
                expected |= {(made.alert_id, name) for name in recipients}
        if arriving or now_s % every_s == 0:
            room.run(now_s, arriving)
    told = [(alert_id, name) for _, _, name, ids in room.messages for alert_id in ids]
    assert len(told) == len(set(told))
    assert set(told) == expected
    for site in "ab":
        times = sorted({at_s for at_s, where, _, _ in room.messages if where == site})
        assert all(later - earlier >= interval_s for earlier, later in pairwise(times))
    arrived = {f"n{number}": at_s for number, (at_s, _, _) in enumerate(arrivals)}
    for at_s, _, _, ids in room.messages:
        assert all(at_s - arrived[each] <= max(wait_s, interval_s) + every_s for each in ids)
    assert room.table.rows == {}


def parts(count: int, **changes: Any) -> list[Part]:
    """Alerts as parts of a message."""
    made = [alert(alert_id=f"n{n}", message=f"number {n}", **changes) for n in range(count)]
    return [Part(each.alert_id, each, KeptRecord("t", 0, n, 0, None, b"")) for n, each in enumerate(made)]


def test_message_of_many_says_what_they_share_and_lists_them() -> None:
    """The gravest severity leads, what differs is left out, the list is bounded, and ids do not depend on the order."""
    listed = parts(40)
    listed[3] = replace(listed[3], alert=replace(listed[3].alert, severity="critical", camera_id="gate-2"))
    action = Action("fake", {"to": "x"})
    told = in_one_message(listed, action, lasting_s=60, now=START)
    again = in_one_message(listed[::-1], action, lasting_s=60, now=START + 1)
    assert told.key == again.key
    assert (told.alert.severity, told.alert.camera_id, told.alert.site_id) == ("critical", None, "depot")
    assert told.alert.message.count("\n- ") == MOST_LINES
    assert "15 more" in told.alert.message
    assert told.alert.actions == (action,)
    assert told.alert.context["alerts"] == "40"
    fewer = in_one_message(listed[1:], action, lasting_s=60, now=START)
    assert fewer.key != told.key


def test_message_of_one_is_the_alert_itself() -> None:
    """Its id is the one that it would have had alone."""
    [part] = parts(1)
    told = in_one_message([part], Action("fake", {"to": "x"}), lasting_s=60, now=START)
    assert (told.key, told.alert.message) == (part.alert.alert_id, part.alert.message)


def test_rules_of_a_message_may_differ() -> None:
    """A message of several rules has no rule's id."""
    listed = parts(2)
    listed[0] = replace(listed[0], alert=replace(listed[0].alert, rule=RuleRef("other", "Other", "v")))
    told = in_one_message(listed, Action("fake", {}), lasting_s=60, now=START)
    assert (told.alert.rule.id, told.alert.rule.name) == ("several-rules", "2 alerts: 2 rules")


MUTE = Inhibition(None, None, ("site",), 10 * MICROS_PER_S)
FIRED = st.lists(st.tuples(st.sampled_from(SEVERITIES), st.integers(0, 30)), min_size=1, max_size=8)


@given(FIRED, st.randoms(use_true_random=False))
def test_only_graver_alerts_that_are_near_mute(listed: list[tuple[str, int]], dice: Any) -> None:
    """The gravest of all is never muted; what is known of a group does not depend on the order in which it came."""
    fired = [
        alert(alert_id=f"n{n}", severity=severity, fired_at=START + at_s * MICROS_PER_S)
        for n, (severity, at_s) in enumerate(listed)
    ]
    known: tuple[Source, ...] = ()
    shuffled: tuple[Source, ...] = ()
    for each in fired:
        known = with_source(MUTE, known, each)
    dice.shuffle(order := list(fired))
    for each in order:
        shuffled = with_source(MUTE, shuffled, each)
    newest = max(each.fired_at for each in fired)
    near = {each.alert_id for each in fired if each.fired_at >= newest - 2 * MUTE.lasting}
    assert {source.alert_id for source in known} == {source.alert_id for source in shuffled} == near
    for each in fired:
        found = inhibitor(MUTE, known, each)
        graver = [
            other for other in fired
            if other.alert_id in near and rank(other.severity) > rank(each.severity)
            and abs(other.fired_at - each.fired_at) <= MUTE.lasting
        ]  # fmt: skip
        assert (found is None) == (not graver)
