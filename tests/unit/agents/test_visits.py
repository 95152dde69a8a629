"""Visits: what entries and exits at the gates of a site add up to."""

from dataclasses import replace
from itertools import permutations

from agents.decisions.visit_log import Place
from agents.decisions.visits import VisitSettings
from schemas.clock import MICROS_PER_S
from tables.site_book import SiteBook
from tests.unit.agents.gates import SECOND, T0, Rows, Site, enters, leaves, seen


def test_entry_opens_and_exit_closes_with_the_dwell() -> None:
    """One visit with two revisions; its id and start stay."""
    site = Site().take_all([enters("AB1234", 0), leaves("AB1234", 90)])
    first, last = site.sent
    assert (first.outcome, first.occupancy, first.exited_at) == ("open", 1, None)
    assert (last.outcome, last.occupancy, last.dwell_s) == ("completed", 0, 90.0)
    assert (last.match, last.match_score, last.ended_at) == ("exact", 1.0, T0 + 90 * SECOND)
    assert (first.visit_id, first.started_at, 2) == (last.visit_id, last.started_at, last.revision)


def test_confusable_exit_is_the_same_plate_and_keeps_its_score() -> None:
    """O for 0 closes the visit; both texts stand side by side."""
    visit = Site().take_all([enters("AB1034", 0), leaves("AB1O34", 60)]).only
    assert (visit.outcome, visit.plate_text, visit.exit_plate_text) == ("completed", "AB1034", "AB1O34")
    assert visit.match == "confusable"
    assert visit.match_score is not None
    assert 0.005 < visit.match_score < 1


def test_misread_exit_closes_the_likeliest_open_visit() -> None:
    """The reader had the true character as its second choice."""
    site = Site().take_all([enters("AB1234", 0), enters("XY9876", 10)])
    site.take(leaves("AB1284", 60, characters=seen("A", "B", "1", "2", "83", "4")))
    closed = next(visit for visit in site.visits.values() if visit.outcome == "completed")
    assert (closed.plate_text, closed.exit_plate_text, closed.match) == ("AB1234", "AB1284", "likelihood")
    assert site.occupancy == 1


def test_missed_character_is_tolerated() -> None:
    """One character fewer at the exit is likely enough when nobody else is near."""
    visit = Site().take_all([enters("AB12345", 0), leaves("AB1234", 60)]).only
    assert (visit.outcome, visit.match) == ("completed", "likelihood")


def test_exit_that_two_could_have_made_is_nobodys() -> None:
    """Neither visit is closed on a guess; the exit stands alone."""
    reads = [enters("AB123U", 0), enters("AB123Y", 1), leaves("AB123V", 60)]
    site = Site().take_all(reads)
    assert sorted(visit.outcome for visit in site.visits.values()) == ["exit_only", "open", "open"]


def test_another_plate_is_not_taken_for_a_misread() -> None:
    """A difference that OCR hardly ever makes is another vehicle."""
    site = Site().take_all([enters("AB1234", 0), leaves("AB1K34", 60)])
    assert sorted(visit.outcome for visit in site.visits.values()) == ["exit_only", "open"]
    assert site.occupancy == 1


def test_exit_without_entry_is_a_visit_of_unknown_entry() -> None:
    """Nothing is made up, and the occupancy does not go below zero."""
    site = Site().take_all([leaves("AB1234", 5), leaves("XY987", 6)])
    visit = site.sent[0]
    assert (visit.outcome, visit.entered_at, visit.dwell_s) == ("exit_only", None, None)
    assert (visit.started_at, visit.exited_at) == (T0 + 5 * SECOND, T0 + 5 * SECOND)
    assert site.occupancy == 0


def test_second_entry_ends_the_visit_whose_exit_was_missed() -> None:
    """The old visit has no dwell; the new one is open."""
    site = Site().take_all([enters("AB1234", 0), enters("AB1234", 3600)])
    old, new = sorted(site.visits.values(), key=lambda visit: visit.started_at)
    assert (old.outcome, old.ended_at, old.dwell_s, new.outcome) == (
        "exit_missed", T0 + 3600 * SECOND, None, "open",
    )  # fmt: skip
    assert site.occupancy == 1


def test_two_cameras_of_one_gate_are_one_entry_and_one_exit() -> None:
    """Within the repeat span a second camera adds nothing."""
    site = Site().take_all([
        enters("AB1234", 0), enters("AB1234", 20, camera_id="entry-2"),
        leaves("AB1234", 500), leaves("AB1234", 530, camera_id="exit-2"),
    ])  # fmt: skip
    assert (site.only.outcome, site.only.dwell_s) == ("completed", 500.0)


def test_short_absence_goes_on_with_the_visit() -> None:
    """Out for two minutes: one visit, with the absence in it, and dwell to the last exit."""
    site = Site().take_all([enters("AB1234", 0), leaves("AB1234", 200), enters("AB1234", 320), leaves("AB1234", 900)])
    visit = site.only
    assert (visit.outcome, visit.dwell_s, visit.absent_s, len(visit.absences)) == ("completed", 900.0, 120.0, 1)
    assert [sent.outcome for sent in site.sent] == ["open", "completed", "open", "completed"]


def test_longer_absence_is_another_visit() -> None:
    """Beyond the span, or with the span 0, an entry after an exit is a new visit."""
    reads = [enters("AB1234", 0), leaves("AB1234", 200), enters("AB1234", 501)]
    assert len(Site().take_all(reads).visits) == 2
    assert len(Site(VisitSettings(absence_s=0)).take_all([*reads[:2], enters("AB1234", 201)]).visits) == 2


def test_visit_that_never_ends_expires_with_the_next_event() -> None:
    """Event time alone ends it, at the time when it was due."""
    site = Site(VisitSettings(max_stay_s=1000)).take_all([enters("AB1234", 0), enters("XY987", 5000)])
    old = next(visit for visit in site.visits.values() if visit.plate_text == "AB1234")
    assert (old.outcome, old.ended_at, old.exited_at) == ("expired", T0 + 1000 * SECOND, None)
    assert site.occupancy == 1


def test_expired_visit_is_completed_by_a_very_late_exit() -> None:
    """It was given up too soon; the dwell is the true one, and it is not counted out twice."""
    site = Site(VisitSettings(max_stay_s=1000)).take_all(
        [enters("AB1234", 0), enters("XY987", 1500), leaves("AB1234", 1600)]
    )
    visit = next(visit for visit in site.visits.values() if visit.plate_text == "AB1234")
    assert (visit.outcome, visit.dwell_s, site.occupancy) == ("completed", 1600.0, 1)


def test_ticks_end_what_no_record_ends() -> None:
    """At a site where nothing happens, time alone ends a visit; once."""
    site = Site(VisitSettings(max_stay_s=1000, settle_s=60)).take_all([enters("AB1234", 0)])
    assert site.tick(T0 + 900 * SECOND).visits == ()
    outcome = site.tick(T0 + 1061 * SECOND)
    assert [visit.outcome for visit in outcome.visits] == ["expired"]
    assert outcome.occupancy is not None
    assert outcome.occupancy.value == 0
    assert site.tick(T0 + 2000 * SECOND).visits == ()


def test_exit_that_arrives_before_its_entry_is_put_right() -> None:
    """The visit of unknown entry is withdrawn, and the true one is told."""
    site = Site().take_all([leaves("AB1234", 90), enters("AB1234", 0)])
    assert (site.only.outcome, site.only.dwell_s) == ("completed", 90.0)
    assert [visit.outcome for visit in site.sent] == ["exit_only", "completed", "withdrawn"]


def test_revision_of_a_sighting_changes_its_visit() -> None:
    """The same event is no second entry; its new identity is matched."""
    site = Site().take_all([enters("AB1284", 0, "e1"), enters("AB1234", 0, "e1", 2)])
    assert (site.only.plate_text, site.only.revision, site.occupancy) == ("AB1234", 2, 1)
    assert site.take(enters("AB1284", 0, "e1")).visits == ()
    site.take(leaves("AB1234", 60))
    assert (site.only.outcome, site.only.match) == ("completed", "exact")


def test_identity_that_changes_later_is_matched_anew() -> None:
    """The exit belonged to another plate, as a later revision of the entry tells."""
    site = Site().take_all([enters("KK7777", 0, "e1"), enters("AB1234", 1, "e2"), leaves("AB1234", 60)])
    site.take_all([enters("ZZ5000", 1, "e2", 2), enters("AB1234", 0, "e1", 2)])
    outcomes = {visit.entry_event_id: visit.outcome for visit in site.visits.values()}
    assert outcomes == {"e1": "completed", "e2": "open"}


def test_same_contents_in_a_new_revision_are_no_news() -> None:
    """Nothing is sent when nothing about the visit has changed."""
    site = Site().take_all([enters("AB1234", 0, "e1")])
    assert site.take(enters("AB1234", 0, "e1", 2)).visits == ()


def test_merged_pass_is_withdrawn() -> None:
    """Two sightings turn out to be one pass: one visit is left."""
    site = Site().take_all([enters("AB1234", 0, "e1"), enters("AB1784", 3, "e2")])
    assert site.occupancy == 2
    site.take(replace(enters("AB1784", 3, "e2", 2), gone=True))
    assert (site.only.entry_event_id, site.occupancy) == ("e1", 1)


def test_settled_sighting_is_corrected_where_it_stands() -> None:
    """Long after, a new identity changes the open visit, which its exit then finds."""
    site = Site().take_all([enters("AB1284", 0, "e1"), enters("XY987", 5000)])
    site.take(enters("AB1234", 0, "e1", 2))
    site.take(leaves("AB1234", 5100))
    visit = next(visit for visit in site.visits.values() if visit.entry_event_id == "e1")
    assert (visit.outcome, visit.plate_text, visit.match) == ("completed", "AB1234", "exact")


def test_settled_sighting_that_was_merged_away_withdraws_its_open_visit() -> None:
    """Also long after."""
    site = Site().take_all([enters("AB1234", 0, "e1"), enters("XY987", 5000)])
    site.take(replace(enters("AB1234", 0, "e1", 2), gone=True))
    assert [visit.plate_text for visit in site.visits.values()] == ["XY987"]
    assert site.occupancy == 1


def test_revision_of_what_is_forgotten_opens_nothing() -> None:
    """A revision that comes after its visit was forgotten is too late, not an entry."""
    site = Site(VisitSettings(remember_s=0, settle_s=10, absence_s=0))
    site.take_all([enters("AB1234", 0, "e1"), leaves("AB1234", 5), enters("XY987", 9000)])
    outcome = site.take(enters("AB1235", 0, "e1", 2))
    assert (outcome.too_late, outcome.visits) == (True, ())


def test_sighting_that_comes_after_the_order_has_settled_still_counts() -> None:
    """It is applied at the edge of what is settled, with its own time."""
    site = Site(VisitSettings(settle_s=60)).take_all([enters("XY987", 5000), enters("AB1234", 0)])
    site.take(leaves("AB1234", 5010))
    visit = next(visit for visit in site.visits.values() if visit.plate_text == "AB1234")
    assert (visit.outcome, visit.dwell_s) == ("completed", 5010.0)


def test_unreadable_plates_are_never_matched() -> None:
    """An unreadable entry counts as a vehicle inside; an unreadable exit is nobody's."""
    site = Site().take_all([enters("", 0, "e1"), leaves("", 60, "e2")])
    assert sorted(visit.outcome for visit in site.visits.values()) == ["exit_only", "open"]
    assert {visit.plate_text for visit in site.visits.values()} == {None}


def test_occupancy_and_capacity_stand_on_each_visit() -> None:
    """What a display at the gate needs."""
    site = Site(VisitSettings(capacities={"north": 2})).take_all([enters("AB1234", 0), enters("XY987", 1)])
    assert [(visit.occupancy, visit.capacity) for visit in site.sent] == [(1, 2), (2, 2)]


def test_measurements_of_a_site_have_times_of_their_own() -> None:
    """The store keeps one a time: late news must not be lost to it."""
    site = Site()
    outcomes = [site.take(read) for read in (enters("AB1234", 9), enters("KK7777", 5), leaves("XY987", 7))]
    outcomes.append(site.take(replace(enters("AB1234", 9, revision=2), gone=True)))
    measured = [outcome.occupancy for outcome in outcomes if outcome.occupancy is not None]
    assert [metric.value for metric in measured] == [1, 2, 1]
    assert [metric.measured_at - T0 - 9 * SECOND for metric in measured] == [0, 1, 2]
    assert {(metric.name, metric.camera_id, metric.tags["site_id"]) for metric in measured} == {
        ("site_occupancy", "entry-1", "north")
    }


def test_replayed_record_is_known_by_its_offset_and_by_its_source() -> None:
    """After a crash the same record may be read again, or stand in the log a second time."""
    site = Site()
    site.take(enters("AB1234", 0), Place(5, 1000, (3, 17, 900)))
    assert site.take(leaves("AB1234", 60), Place(5, 1000)).replayed
    assert site.take(leaves("AB1234", 60), Place(6, 1001, (3, 17, 900))).replayed
    assert not site.take(leaves("AB1234", 60), Place(7, 1001, (4, 2, 900))).replayed


def test_topic_that_was_made_anew_is_not_taken_for_a_replay() -> None:
    """Offsets begin again, times do not."""
    site = Site()
    site.take(enters("AB1234", 0), Place(500, 1000))
    assert not site.take(leaves("AB1234", 60), Place(0, 2000)).replayed


def test_sites_do_not_see_each_other() -> None:
    """Also when one's name begins with the other's, or holds the separator of keys."""
    rows = Rows()
    names = ("north", "north2", "north\x1fv", "n")
    sites = {name: Site(name=name) for name in names}
    for site in sites.values():
        site.rows = rows
        site.take(enters("AB1234", 0))
    sites["north"].take(leaves("AB1234", 60))
    assert [SiteBook(name, rows.staged()).occupancy for name in names] == [0, 1, 1, 1]
    assert len({site.sent[0].visit_id for site in sites.values()}) == len(names)


def test_order_of_arrival_does_not_matter() -> None:
    """Entry, exit, entry and exit, in all orders of arrival."""
    reads = [enters("AB1234", 0), leaves("AB1Z34", 100), enters("AB1234", 150), leaves("AB1234", 300)]
    for order in permutations(reads):
        site = Site().take_all(order)
        visits = {visit.plate_text: (visit.outcome, visit.dwell_s, visit.absent_s) for visit in site.visits.values()}
        expected = Site().take_all(reads)
        assert visits == {
            visit.plate_text: (visit.outcome, visit.dwell_s, visit.absent_s) for visit in expected.visits.values()
        }


def test_rows_of_what_is_over_are_removed() -> None:
    """A busy year leaves a head, a counter and nothing else."""
    settings = VisitSettings(settle_s=60, remember_s=60, absence_s=10, max_stay_s=600)
    site = Site(settings)
    for day in range(30):
        at = day * 1000.0
        site.take_all([enters(f"AB{day}", at), leaves(f"AB{day}", at + 50), enters("", at + 60, f"u{day}")])
        site.take_all([leaves("XY987", at + 80), enters("XY987", at + 75)])
    site.tick(T0 + 10**6 * MICROS_PER_S)
    site.tick(T0 + 10**7 * MICROS_PER_S)
    assert len(site.rows.values) == 2, sorted(site.rows.values)
    assert site.occupancy == 0
