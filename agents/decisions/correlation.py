"""From the sightings of a run to alerts: the rules' engine over many sightings, with memory read once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from alert_rules.engine import Decision, Engine, Match
from alert_rules.entry_table import EntryId
from alert_rules.memory import COUNTED, EXPIRY, USED, expiry_range, forgotten_by
from alert_rules.watchlists import Watchlists
from schemas.codec import EventCodec
from schemas.errors import AlprError, Unavailable
from schemas.events import Sighting, WatchlistEntry
from schemas.topics import WATCHLISTS
from telemetry.log import get_logger

FORGET_EVERY_US = 3_600_000_000
"""Event time between two looks for what may be forgotten."""
SETTLE_AT_ONCE = 2_000
"""Watchlist changes between two looks at what else the worker has to do: heartbeats must not wait for a million."""
log = get_logger(__name__)


@dataclass(slots=True)
class MemoryOfRun:
    """The rules' memory while a run is worked through.

    Attributes:
        known: what was read, with the changes applied.
        changes: what is to be written with the run.
    """

    known: dict[bytes, bytes | None] = field(default_factory=dict)
    changes: dict[bytes, bytes | None] = field(default_factory=dict)

    def apply(self, decision: Decision) -> None:
        """Take a decision's changes in."""
        self.known.update(decision.changes)
        self.changes.update(decision.changes)


def touched_keys(matches: Iterable[Match]) -> list[bytes]:
    """Keys of memory that the matches of a run touch, each once."""
    return list(dict.fromkeys(key for match in matches for key in match.keys))  # an attribute


def match_all(engine: Engine, sightings: Iterable[Sighting]) -> list[Match | None]:
    """What each sighting matches; most match nothing and touch no memory."""
    return [engine.match(sighting) for sighting in sightings]


def forgettable(keys_between: Callable[[bytes, bytes], Iterable[bytes]], now_us: int) -> Mapping[bytes, None]:
    """Deletions of memory that no sighting can ask for any more.

    Args:
        keys_between: lists keys of memory in a range, a bounded number at once.
        now_us: event time.
    """
    old = [key for kind in (COUNTED, USED, EXPIRY) for key in keys_between(*expiry_range(kind, now_us))]
    return dict.fromkeys(gone for key in old for gone in forgotten_by(key))


class WatchlistFeed:
    """Takes the entries of ``alpr.watchlists`` into the lists in force.

    The topic's listener only notes what came; decoding may need the registry, and waits for it with the next run
    (`settle`), so that no entry is lost while the registry is away.

    Args:
        watchlists: of the engine.
        codec: for the values.
    """

    def __init__(self, watchlists: Watchlists, codec: EventCodec) -> None:
        self._watchlists = watchlists
        self._codec = codec
        self._waiting: dict[bytes, bytes | None] = {}
        self._taken: dict[bytes, EntryId] = {}

    def note(self, key: bytes, value: bytes | None) -> None:
        """Remember a change until `settle`; the last one of a key counts."""
        self._waiting[key] = value

    def settle(self, at_once: int | None = None) -> bool:
        """Take in what waits. An entry that cannot be read is logged and passed over: the others must not suffer.

        Args:
            at_once: so many changes at most; None: all.

        Returns:
            Whether changes are left.

        Raises:
            Unavailable: the registry does not answer; everything that is left goes on waiting.
        """
        for key, value in list(islice(self._waiting.items(), at_once)):
            entry = self._decode(key, value) if value is not None else None
            del self._waiting[key]
            if key in self._taken:
                self._watchlists.withdraw(self._taken.pop(key))
            if entry is not None:
                self._put(key, entry)
        return bool(self._waiting)

    def _decode(self, key: bytes, value: bytes) -> WatchlistEntry | None:
        try:
            entry: WatchlistEntry = self._codec.decode(WATCHLISTS, value)
        except Unavailable:
            raise
        except AlprError as error:
            log.error("watchlist entry cannot be read", key=key.decode(errors="replace"), error=str(error))
            return None
        return entry

    def _put(self, key: bytes, entry: WatchlistEntry) -> None:
        try:
            self._taken[key] = self._watchlists.put(entry)
        except ValueError as error:
            log.error("watchlist entry has no plate", key=key.decode(errors="replace"), error=str(error))
