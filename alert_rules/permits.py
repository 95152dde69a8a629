"""Whether a vehicle is permitted: the entries of kind ``permit`` that its reads may mean, weighed and judged.

A permit asks for more than an alert does: a wrong alert costs a look, a wrong permit opens a gate. So

- the read must be the permitted plate by `MIN_PERMIT`, and `MIN_ODDS` times as likely as any other plate;
- plates that differ by OCR confusables alone are one plate here, as everywhere (`schemas.identity.fold`), unless the
  other one is listed too: a read that is sure of the other form has a likelihood below the default;
- a read that may be two plates is no refusal either: it is unknown, until a later read says more.

An entry of kind ``deny`` in the same lists goes before every permit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alert_rules.permit_terms import PERMIT, Quota, Terms, period_of, terms_of
from alert_rules.plate_patterns import PlateHit
from alert_rules.plate_reads import PlateReads
from alert_rules.watchlists import WatchlistHit, Watchlists, applies, objection
from alert_rules.weekdays import TIME_ZONE
from schemas.clock import to_datetime
from schemas.events import Sighting, WatchlistEntry
from schemas.identity import fold

MIN_PERMIT = 0.5
"""Least likelihood of a permitted plate; one sure confusion (.03 to .09) does not reach it."""
MIN_ODDS = 3.0
"""So many times as likely as the next plate it must be."""


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """What a sighting would use of a quota.

    Attributes:
        use: which permit, and whose plate.
        period: first day of the period, ISO.
        over_us: when the period is over.
    """

    use: str
    quota: Quota
    period: str
    over_us: int

    def words(self) -> str:
        """For people."""
        return f"{self.quota.entries}/{self.quota.per}, {self.quota.per} of {self.period}"


@dataclass(frozen=True, slots=True)
class Grant:
    """A permit that holds, as long as its quota does.

    Attributes:
        use: of the quota; None: any number.
    """

    entry: WatchlistEntry
    hit: PlateHit
    use: QuotaUse | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the lists say of a sighting.

    Attributes:
        grants: permits that hold, those without a quota first, then the most likely.
        refusals: why others do not, the most likely first.
        doubts: why it cannot be told whether others do.
        denied: an entry of kind ``deny`` was hit: no grant counts.
    """

    grants: tuple[Grant, ...] = ()
    refusals: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    denied: bool = False


def judge(
    watchlists: Watchlists,
    list_ids: Iterable[str],
    sighting: Sighting,
    reads: PlateReads,
    likelihood: float | None = None,
    odds: float = MIN_ODDS,
) -> Verdict:
    """What lists say of a sighting with a readable plate; quotas are left to the rule, which counts.

    Args:
        watchlists: the lists in force.
        list_ids: those that are asked.
        sighting: whose capture decides on validity, days and hours.
        reads: of the sighting.
        likelihood: least one; None for the entry's own, or `MIN_PERMIT`.
        odds: see `MIN_ODDS`.
    """
    found = sorted(watchlists.hits(list_ids, reads), key=lambda each: each.rank)
    for each in found:
        if each.entry.kind != PERMIT and applies(each.entry, sighting):
            reason = f" ({each.entry.reason})" if each.entry.reason else ""
            return Verdict(refusals=(f"{each.entry.list_id} denies {each.hit.listed}{reason}",), denied=True)
    grants: list[Grant] = []
    refusals: list[str] = []
    doubts: list[str] = []
    listed = [each.hit.plate for each in found]
    for each in found:
        if each.entry.kind != PERMIT:
            continue
        name = f"{each.entry.list_id}: {each.hit.listed}"
        refusal = _refusal(each, sighting, likelihood)
        if refusal is not None:
            refusals.append(f"{name} {refusal}")
            continue
        doubt = _rival(each.hit, reads, listed, odds)
        terms, zone = terms_of(each.entry), None
        if doubt is None and terms.ask_for_time:
            zone = _zone(terms, sighting)
            doubt = "the site's time zone is unknown" if zone is None else None
        if doubt is not None:
            doubts.append(f"{name} {doubt}")
            continue
        closed, use = (None, None) if zone is None else _in_time(each, terms, zone, sighting)
        if closed is not None:
            refusals.append(f"{name} {closed}")
        else:
            grants.append(Grant(each.entry, each.hit, use))
    grants.sort(key=lambda grant: grant.use is not None)
    return Verdict(tuple(grants), tuple(refusals), tuple(doubts))


def _refusal(found: WatchlistHit, sighting: Sighting, likelihood: float | None) -> str | None:
    least = likelihood
    if least is None:
        least = found.entry.likelihood if found.entry.likelihood is not None else MIN_PERMIT
    if found.hit.likelihood < least:
        return f"is not what was read: likelihood {found.hit.likelihood:.2g}, at least {least:g}"
    return objection(found.entry, sighting)


def _rival(hit: PlateHit, reads: PlateReads, listed: Iterable[str], odds: float) -> str | None:
    """The plate that the read may be as well; None where it is far behind."""
    key = fold(hit.plate)
    others = {text for text in (*reads.texts, *reads.one_off(hit.plate)) if fold(text) != key}
    others |= {plate for plate in listed if plate != hit.plate}
    rivals = sorted((-reads.likelihood(plate), plate) for plate in others)
    if rivals and hit.likelihood < odds * -rivals[0][0]:
        return f"is ambiguous: likelihood {hit.likelihood:.2g}, {rivals[0][1]} {-rivals[0][0]:.2g}"
    return None


def _zone(terms: Terms, sighting: Sighting) -> str | None:
    """The time zone that counts; None where it is unknown."""
    zone = terms.zone or sighting.extras.get(TIME_ZONE)
    try:
        return zone if zone is not None and ZoneInfo(zone) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # what a producer wrote may be anything
        return None


def _in_time(found: WatchlistHit, terms: Terms, zone: str, sighting: Sighting) -> tuple[str | None, QuotaUse | None]:
    """Why a permit does not hold at the capture, and what is used of its quota."""
    local = to_datetime(sighting.captured_at).astimezone(ZoneInfo(zone))
    closed = terms.closed(local.weekday(), local.hour * 60 + local.minute)
    if closed is not None or terms.quota is None:
        return closed, None
    if fold(found.hit.plate) != sighting.match_key:
        # quotas are counted where the plate's sightings are; this one came as another plate's
        return f"has a quota, which does not count for the read {sighting.match_key}", None
    period, over_us = period_of(local.date().isoformat(), terms.quota.per, zone)
    entry = found.entry
    use = f"{len(entry.list_id)}:{entry.list_id}{entry.entry_id}|{found.hit.plate}"
    return None, QuotaUse(use, terms.quota, period, over_us)
