"""Search of the past: what it finds, and how that is marked."""

from dataclasses import replace

from alert_rules.hunt import Hunt
from alert_rules.plate_patterns import PlatePattern
from alert_rules.watchlists import Watchlists
from schemas.events import HISTORICAL, Alert, Sighting
from tests.unit.alert_rules.builders import START_US, entry, sighting


def found(search: Hunt, *events: Sighting) -> list[Alert]:
    """What a search finds in sightings."""
    return list(search.search(events))


def test_a_new_entry_is_found_in_the_past() -> None:
    """An entry that is valid from later on is found, misreads included, with likelihood, priority and its ids."""
    lists = Watchlists([entry("AB0123", priority="critical", valid_from=START_US + 10**12)])
    alerts = found(Hunt(lists, ["stolen"]), sighting("e1", plate_text="ABO123"), sighting("e2", plate_text="XY9"))
    [alert] = alerts
    assert (alert.rule.id, alert.severity, alert.proof.event_ids) == ("hunt:stolen", "critical", ("e1",))
    assert (alert.proof.matched_plate, alert.context["entry_id"]) == ("AB0123", "1")
    assert alert.proof.likelihood is not None
    assert 0 < alert.proof.likelihood < 0.1
    assert list(Watchlists([entry("AB0123")])) == [entry("AB0123")]


def test_what_is_found_is_historical_and_asks_for_nothing() -> None:
    """No actions, and the mark that the notifier goes by; an alert of a rule has no such mark."""
    [alert] = found(Hunt(Watchlists([entry("AB123")]), ["stolen"]), sighting(plate_text="AB123"))
    assert alert.is_historical
    assert alert.actions == ()
    assert not replace(alert, context={}).is_historical
    assert not replace(alert, context={HISTORICAL: "false"}).is_historical


def test_every_search_gives_the_same_ids() -> None:
    """Searching again finds the same alerts; those of another list are others."""
    lists = Watchlists([entry("AB123"), entry("AB123", list_id="wanted")])
    events = [sighting("e1", plate_text="AB123"), sighting("e2", 60, plate_text="AB123")]
    first, again = (found(Hunt(lists, ["stolen", "wanted"]), *events) for _ in range(2))
    assert first == again
    assert len({alert.alert_id for alert in first}) == 4


def test_sites_count_and_permits_and_merged_sightings_do_not() -> None:
    """An entry for one site is not found at another; permits are not searched for; a merged pass is none."""
    lists = Watchlists(
        [entry("AB123", sites=("depot",)), entry("CD456", entry_id="2", kind="permit"), entry("EF789", entry_id="3")]
    )
    search = Hunt(lists, ["stolen"])
    assert len(search) == 2
    assert found(search, sighting(plate_text="AB123", site_id="yard"), sighting(plate_text="CD456")) == []
    assert found(search, sighting(plate_text="EF789", merged_into="e0")) == []
    assert len(found(search, sighting(plate_text="AB123", site_id="depot"))) == 1


def test_plates_and_patterns_are_searched_for_without_a_list() -> None:
    """A plate by likelihood or exactly, a pattern by what fits."""
    plates = [PlatePattern.parse("AB0123"), PlatePattern.parse("XY?9*")]
    events = [sighting("e1", plate_text="ABO123"), sighting("e2", plate_text="XYZ999"), sighting("e3", plate_text="Q1")]
    loose, exact = (Hunt(Watchlists(), plates=plates, exact=flag) for flag in (False, True))
    assert [alert.proof.event_ids[0] for alert in found(loose, *events)] == ["e1", "e2"]
    assert [alert.proof.event_ids[0] for alert in found(exact, *events)] == ["e2"]
    assert found(Hunt(Watchlists(), plates=plates, threshold=0.9), events[0]) == []
