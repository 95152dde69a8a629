"""What conditions ask about one sighting, computed once for all rules."""

from typing import Protocol
from zoneinfo import ZoneInfo

from alert_rules.permits import QuotaUse, Verdict, judge
from alert_rules.plate_reads import PlateReads
from alert_rules.recent_hits import Lookups
from alert_rules.watchlists import WatchlistHit, Watchlists
from schemas.clock import to_datetime
from schemas.events import Sighting


class Quotas(Protocol):
    """Says what is left of quotas."""

    def left(self, use: QuotaUse) -> bool:
        """Whether a sighting may use a quota."""

    def words(self, use: QuotaUse) -> str:
        """How much of it is used, for people."""


class NotCounted:
    """Supposes that every quota is left: where nothing is remembered."""

    def left(self, use: QuotaUse) -> bool:  # noqa: ARG002 - whatever it is
        """True."""
        return True

    def words(self, use: QuotaUse) -> str:
        """The quota alone."""
        return f"quota {use.words()}, not counted here"


class Facts:
    """A sighting together with the lists that are in force.

    Attributes:
        quotas: whether a permit's quota is left; what the engine remembers, or supposes.
    """

    def __init__(self, sighting: Sighting, watchlists: Watchlists) -> None:
        self.sighting = sighting
        self.watchlists = watchlists
        self._lookups: Lookups | None = None
        self.quotas: Quotas = NotCounted()
        self._verdicts: dict[tuple[tuple[str, ...], float | None, float], Verdict] = {}
        self._local: dict[str, tuple[int, int, str]] = {}

    @property
    def reads(self) -> PlateReads:
        """The plate's texts and evidence."""
        return (self._lookups or self._look_up()).reads

    def watchlist_hit(self, list_ids: tuple[str, ...], threshold: float | None, exact: bool) -> WatchlistHit | None:
        """`Watchlists.best_hit`, remembered: many rules ask for the same lists."""
        key = (list_ids, threshold, exact)
        hits = (self._lookups or self._look_up()).hits
        if key not in hits:
            hits[key] = self.watchlists.best_hit(list_ids, self.sighting, self.reads, threshold, exact)
        return hits[key]

    def _look_up(self) -> Lookups:
        self._lookups = self.watchlists.recent.of(self.sighting)
        return self._lookups

    def permit(self, list_ids: tuple[str, ...], likelihood: float | None, odds: float) -> Verdict:
        """`alert_rules.permits.judge`, remembered."""
        key = (list_ids, likelihood, odds)
        if key not in self._verdicts:
            self._verdicts[key] = judge(self.watchlists, list_ids, self.sighting, self.reads, likelihood, odds)
        return self._verdicts[key]

    def local_time(self, zone: str) -> tuple[int, int, str]:
        """Weekday (Monday is 0), minute of the day and ISO date of the capture in a time zone."""
        found = self._local.get(zone)
        if found is None:
            moment = to_datetime(self.sighting.captured_at).astimezone(ZoneInfo(zone))
            found = (moment.weekday(), moment.hour * 60 + moment.minute, moment.date().isoformat())
            self._local[zone] = found
        return found
