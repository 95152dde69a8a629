"""What must hold of visits whatever comes through the gates, in whatever order."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.decisions.visit_log import Place
from agents.decisions.visits import VisitSettings
from schemas.events import Visit
from tables.visits import ENTRY, GateRead
from tests.unit.agents.gates import SECOND, Site, enters, leaves

pytestmark = pytest.mark.thorough

EXAMPLES = settings(max_examples=150, deadline=None)
PLATES = ("AB1034", "AB1O34", "AB1834", "AB1B34", "AB834", "XY9876", "XV9876", "XY987G", "")
SETTINGS = VisitSettings(settle_s=600, repeat_s=20, absence_s=60, max_stay_s=400, remember_s=700)


@st.composite
def gate_logs(draw: st.DrawFn, span_s: int = 500) -> list[list[GateRead]]:
    """Sightings within the settle time, each with its revisions; the first revision may have another identity."""
    logs = []
    for number in range(draw(st.integers(1, 12))):
        make = draw(st.sampled_from((enters, leaves)))
        at_s = draw(st.integers(0, span_s))
        revisions = []
        for revision, text in enumerate(draw(st.lists(st.sampled_from(PLATES), min_size=1, max_size=3)), start=1):
            gone = revision > 1 and draw(st.integers(0, 9)) == 0
            revisions.append(replace(make(text, at_s, f"e{number:02}", revision), gone=gone))
        logs.append(revisions)
    return logs


def interleaved(logs: Sequence[Sequence[GateRead]], order: Sequence[int]) -> list[GateRead]:
    """All reads: which sighting is next stands in the order, its revisions come in theirs."""
    waiting = [list(log) for log in logs]
    reads = []
    for number in order:
        reads.append(waiting[number].pop(0))
    return reads


def contents(site: Site) -> dict[str, Visit]:
    """Visits as consumers have them in the end, without what depends on the moment of sending."""
    return {key: replace(visit, revision=0, occupancy=0, updated_at=0) for key, visit in site.visits.items()}


@EXAMPLES
@given(st.data())
def test_any_order_within_the_settle_time_gives_the_same_visits(data: st.DataObject) -> None:
    """Ids, outcomes, times and matches; revisions of a sighting stay in their order, as on one partition."""
    logs = data.draw(gate_logs())
    numbers = [number for number, log in enumerate(logs) for _ in log]
    one, other = Site(SETTINGS), Site(SETTINGS)
    one.take_all(interleaved(logs, numbers))
    other.take_all(interleaved(logs, data.draw(st.permutations(numbers))))
    assert contents(one) == contents(other)
    assert one.occupancy == other.occupancy


@EXAMPLES
@given(st.data())
def test_lateness_on_a_long_log_changes_nothing(data: st.DataObject) -> None:
    """Hours of traffic, each sighting late by less than the settle time: as if all had come in order."""
    settings = VisitSettings(settle_s=60, repeat_s=20, absence_s=60, max_stay_s=900, remember_s=120)
    count = data.draw(st.integers(2, 40))
    reads = []
    at_s = 0
    for number in range(count):
        at_s += data.draw(st.sampled_from((1, 5, 30, 59, 90, 400)))
        make = data.draw(st.sampled_from((enters, leaves)))
        reads.append(make(data.draw(st.sampled_from(PLATES)), at_s, f"e{number:02}"))
    late_s = data.draw(st.lists(st.integers(0, 59), min_size=count, max_size=count))
    arrival = sorted(range(count), key=lambda i: (reads[i].at + late_s[i] * SECOND, i))
    in_order, late = Site(settings).take_all(reads), Site(settings).take_all(reads[i] for i in arrival)
    assert contents(in_order) == contents(late)


@EXAMPLES
@given(st.data())
def test_occupancy_is_what_a_list_of_those_inside_says(data: st.DataObject) -> None:
    """Distinct plates that nobody misreads, in order: entries less exits, and never below zero."""
    plates = ["KA1111", "MM7777", "TT4444", "EE3333"]
    steps = data.draw(st.lists(st.tuples(st.booleans(), st.sampled_from(plates)), max_size=40))
    site = Site(VisitSettings(repeat_s=0))
    inside: set[str] = set()
    for number, (is_entry, text) in enumerate(steps):
        site.take((enters if is_entry else leaves)(text, number * 100))
        (inside.add if is_entry else inside.discard)(text)
        assert site.occupancy == len(inside)
    for visit in site.sent:
        assert visit.occupancy >= 0
    assert {visit.plate_text for visit in site.visits.values() if visit.outcome == "open"} == inside


@EXAMPLES
@given(st.data())
def test_counter_is_the_number_of_open_visits(data: st.DataObject) -> None:
    """Whatever is taken back and applied again."""
    logs = data.draw(gate_logs(span_s=3000))
    numbers = data.draw(st.permutations([number for number, log in enumerate(logs) for _ in log]))
    site = Site(SETTINGS)
    for read in interleaved(logs, numbers):
        site.take(read)
        assert site.occupancy == sum(visit.outcome == "open" for visit in site.visits.values())


@EXAMPLES
@given(st.data())
def test_replay_of_any_stretch_changes_nothing(data: st.DataObject) -> None:
    """State is kept, and the records since the last commit are read again."""
    logs = data.draw(gate_logs(span_s=3000))
    reads = interleaved(logs, data.draw(st.permutations([n for n, log in enumerate(logs) for _ in log])))
    site = Site(SETTINGS)
    places = [Place(offset, 1000 + offset, (offset % 3, offset, 900)) for offset in range(len(reads))]
    done = data.draw(st.integers(1, len(reads)))
    back = data.draw(st.integers(0, done))
    for read, place in zip(reads[:done], places, strict=False):
        site.take(read, place)
    before = dict(site.rows.values)
    for index in range(back, done):
        assert site.take(reads[index], places[index]).replayed
        moved = Place(places[-1].offset + 1 + index, 5000, places[index].source)  # the sender sent it twice
        assert site.take(reads[index], moved).replayed
    assert site.rows.values == before


@EXAMPLES
@given(st.data())
def test_cutting_the_log_into_runs_changes_nothing(data: st.DataObject) -> None:
    """All records in one run, or each in its own: the same revisions and the same rows."""
    logs = data.draw(gate_logs(span_s=3000))
    reads = interleaved(logs, data.draw(st.permutations([n for n, log in enumerate(logs) for _ in log])))
    each, whole = Site(SETTINGS).take_all(reads), Site(SETTINGS)
    book = whole.book()
    for offset, read in enumerate(reads):
        whole.sent += whole.keeper.take(book, read, Place(offset, 0)).visits
    whole.rows.apply(book.rows)
    assert (each.sent, each.rows.values) == (whole.sent, whole.rows.values)


@EXAMPLES
@given(gate_logs(span_s=3000))
def test_sighting_is_part_of_one_visit_at_most(logs: list[list[GateRead]]) -> None:
    """No entry opens two visits, no exit closes two."""
    site = Site(SETTINGS).take_all([read for log in logs for read in log])
    named: list[Any] = []
    for visit in site.visits.values():
        named += [event for event in (visit.entry_event_id, visit.exit_event_id) if event is not None]
        named += [event for item in visit.absences for event in (item.exit_event_id, item.entry_event_id)]
    assert len(named) == len(set(named))


@EXAMPLES
@given(gate_logs())
def test_times_of_a_visit_are_in_order(logs: list[list[GateRead]]) -> None:
    """Entry, absences, exit; a dwell is never negative."""
    site = Site(SETTINGS).take_all([read for log in logs for read in log])
    for visit in site.visits.values():
        times = [visit.entered_at] if visit.entered_at is not None else []
        for item in visit.absences:
            times += [item.left_at, item.returned_at]
        times += [visit.exited_at] if visit.exited_at is not None else []
        assert times == sorted(times)
        assert (visit.dwell_s is None) == (visit.entered_at is None or visit.exited_at is None)
        assert visit.started_at == times[0]
    assert all(read.gate in (ENTRY, "exit") for log in logs for read in log)
