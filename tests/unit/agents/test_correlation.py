"""What the correlate agent adds to the engine: memory of a run, forgetting, and the feed of watchlist entries."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agents.decisions.correlation import MemoryOfRun, WatchlistFeed, forgettable, match_all, touched_keys
from alert_rules.engine import Engine
from alert_rules.loading import read_rules
from alert_rules.memory import KEEP_US
from alert_rules.sightings import sighting_from_json
from alert_rules.watchlists import Watchlists
from schemas.codec import EventCodec
from schemas.errors import RegistryUnavailable
from schemas.events import Sighting, WatchlistEntry
from schemas.registry import MemoryRegistry
from schemas.topics import WATCHLISTS

RULES = read_rules({"r": b"rules: [{id: r, match: {plate: [A1, B2]}, suppress: 10m}]"})
START_US = 1_767_571_200_000_000


def sighting(event_id: str, at_s: int, plate: str) -> Sighting:
    """A sighting."""
    at_us = START_US + at_s * 1_000_000
    return sighting_from_json({"event_id": event_id, "camera_id": "c", "captured_at": at_us, "plate_text": plate})


def work(events: list[Sighting], stored: dict[bytes, bytes | None]) -> list[str]:
    """Handle events as one run on a stored memory, which takes the changes; ids of the events that alerted."""
    engine = Engine(RULES)
    matches = [match for match in match_all(engine, events) if match is not None]
    memory = MemoryOfRun({key: stored.get(key) for key in touched_keys(matches)})
    fired = []
    for match in matches:
        decision = engine.decide(match, memory.known)
        memory.apply(decision)
        fired += [alert.proof.event_ids[0] for alert in decision.alerts]
    stored.update(memory.changes)
    return fired


EVENTS = [
    sighting("e1", 0, "A1"), sighting("e2", 1, "X9"), sighting("e3", 2, "A1"), sighting("e4", 3, "B2"),
    sighting("e5", 601, "A1"), sighting("e5", 601, "A1"), sighting("e6", 1200, "A1"), sighting("e7", 1201, "A1"),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_how_records_fall_into_runs_does_not_matter(size: int) -> None:
    """One run or many: the same alerts and the same memory."""
    stored: dict[bytes, bytes | None] = {}
    fired = [name for first in range(0, len(EVENTS), size) for name in work(EVENTS[first : first + size], stored)]
    whole: dict[bytes, bytes | None] = {}
    assert fired == work(EVENTS, whole) == ["e1", "e4", "e5", "e7"]
    assert {key: value for key, value in stored.items() if value is not None} == {
        key: value for key, value in whole.items() if value is not None
    }


def test_forgetting_empties_the_memory_in_the_end() -> None:
    """After the keeping time everything goes; before it nothing does."""
    stored: dict[bytes, bytes | None] = {}
    work(EVENTS, stored)
    stored = {key: value for key, value in stored.items() if value is not None}

    def between(start: bytes, stop: bytes) -> list[bytes]:
        return sorted(key for key in stored if start <= key < stop)

    assert forgettable(between, START_US + 1_201_000_000) == {}
    assert forgettable(between, START_US + KEEP_US + 1_202_000_000).keys() == stored.keys()


class FlakyCodec(EventCodec):
    """A codec whose registry can be away."""

    def __init__(self) -> None:
        super().__init__(MemoryRegistry())
        self.is_away = False

    @contextmanager
    def away(self) -> Iterator[None]:
        """Meanwhile the registry does not answer."""
        self.is_away = True
        yield
        self.is_away = False

    def decode_as(self, cls: type, value: bytes | None) -> object:  # type: ignore[override]  # any event
        """As the codec, or unavailable."""
        if self.is_away:
            raise RegistryUnavailable("away")
        return super().decode_as(cls, value)


def value(codec: EventCodec, plate: str, list_id: str = "stolen") -> bytes:
    """An entry's bytes."""
    return codec.encode(WATCHLISTS, WatchlistEntry(list_id=list_id, entry_id="1", plate=plate))


def plates(lists: Watchlists) -> list[str]:
    """All listed plates."""
    return sorted(entry.plate for entry in lists)


def test_entries_come_change_and_go() -> None:
    """A key's latest value counts; a tombstone takes the entry out; what cannot be read takes nothing else with it."""
    codec, lists = EventCodec(MemoryRegistry()), Watchlists()
    feed = WatchlistFeed(lists, codec)
    feed.note(b"a", value(codec, "A1"))
    feed.note(b"b", b"junk")
    feed.note(b"c", value(codec, "***", "other"))
    feed.note(b"d", value(codec, "D4", "more"))
    assert plates(lists) == []
    feed.settle()
    assert plates(lists) == ["A1", "D4"]
    feed.note(b"a", value(codec, "A2", "moved"))
    feed.note(b"d", b"junk")
    feed.settle()
    assert [(entry.list_id, entry.plate) for entry in lists] == [("moved", "A2")]
    feed.note(b"a", None)
    feed.note(b"never", None)
    feed.settle()
    assert plates(lists) == []


def test_entries_wait_for_the_registry() -> None:
    """While the registry is away nothing is lost; the lists are complete after the next try."""
    codec, lists = FlakyCodec(), Watchlists()
    feed = WatchlistFeed(lists, codec)
    for key, plate in ((b"a", "A1"), (b"b", "B2")):
        feed.note(key, value(codec, plate, plate))
    with codec.away(), pytest.raises(RegistryUnavailable):
        feed.settle()
    feed.settle()
    assert plates(lists) == ["A1", "B2"]


def test_many_entries_are_taken_in_step_by_step() -> None:
    """A long list does not hold the worker up: so many at once, the newest value of each key."""
    codec, lists = EventCodec(MemoryRegistry()), Watchlists()
    feed = WatchlistFeed(lists, codec)
    for number in range(5):
        feed.note(b"%d" % number, value(codec, f"A{number}", str(number)))
    assert feed.settle(2) is True
    assert plates(lists) == ["A0", "A1"]
    feed.note(b"4", value(codec, "B4", "4"))
    feed.note(b"0", None)
    assert feed.settle(3) is True
    assert feed.settle(3) is False
    assert plates(lists) == ["A1", "A2", "A3", "B4"]
