"""What was looked up for a sighting serves all who ask, until a list changes."""

from alert_rules.facts import Facts
from alert_rules.recent_hits import REMEMBERED, RecentHits
from alert_rules.watchlists import Watchlists
from schemas.events import WatchlistEntry
from tests.unit.alert_rules.builders import sighting

ASKED = (("l",), None, False)


def test_a_change_of_the_lists_counts_for_a_sighting_that_was_looked_up_before() -> None:
    """Put, removed, withdrawn: the same sighting is looked up anew."""
    lists, seen = Watchlists(), sighting("e", plate_text="AB12")
    assert Facts(seen, lists).watchlist_hit(*ASKED) is None
    key = lists.put(WatchlistEntry(list_id="l", entry_id="1", plate="AB12"))
    found = Facts(seen, lists).watchlist_hit(*ASKED)
    assert found is not None and Facts(seen, lists).watchlist_hit(*ASKED) is found
    lists.withdraw(key)
    assert Facts(seen, lists).watchlist_hit(*ASKED) is None


def test_another_object_with_the_same_id_is_another_sighting() -> None:
    """A revision has the event's id and other reads."""
    recent = RecentHits()
    first, second = sighting("e", plate_text="AB12"), sighting("e", plate_text="XY9")
    assert recent.of(first).reads.texts == ("AB12",) and recent.of(second).reads.texts == ("XY9",)
    assert recent.of(first) is recent.of(first)


def test_memory_is_bounded() -> None:
    """Of many sightings the latest are kept."""
    recent = RecentHits()
    kept = [recent.of(sighting(f"e{n}", plate_text="AB12")) for n in range(REMEMBERED + 5)]
    assert recent.of(kept[-1].sighting) is kept[-1] and recent.of(kept[0].sighting) is not kept[0]
