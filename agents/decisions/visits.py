"""What a sighting at a gate does to the visits of its site. The order of sightings is `agents.decisions.visit_log`'s.

Everything is event time. An entry opens a visit; an exit closes the open visit of its plate. Plates are equal here when
they are equal up to OCR confusables; an exit without such a visit closes the open one whose plate its read most likely
was, if that one is likely enough and no other is nearly as likely. What no rule explains is kept as what it is: an exit
that nobody saw enter is a visit of its own, a second entry ends a visit whose exit was missed. No plate is made up.
"""

from dataclasses import replace

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.clock import MICROS_PER_S, Micros
from schemas.events import Absence, Plate
from schemas.identity import MAX_LENGTH_DIFFERENCE, fold, likelihood
from schemas.keys import visit_id
from tables.site_book import SiteBook
from tables.visits import (
    COMPLETED,
    ENTRY,
    EXIT,
    EXIT_MISSED,
    EXIT_ONLY,
    EXPIRED,
    OPEN,
    WITHDRAWN,
    GateRead,
    VisitState,
)

EXACT, CONFUSABLE, LIKELIHOOD = "exact", "confusable", "likelihood"
_MAX_DIFFERENCES = 3
"""Characters that a read may differ in before its likelihood is not worth computing."""


class VisitSettings(BaseSettings):
    """How sightings at gates become visits (environment prefix ``ALPR_VISITS_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_VISITS_", frozen=True, extra="ignore")

    settle_s: float = Field(
        600.0, ge=0, description="How long after newer sightings of the site one may still come and be put in its order"
    )
    repeat_s: float = Field(
        60.0, ge=0, description="A plate at a second camera of the same gate within this is the same entry or exit"
    )
    absence_s: float = Field(
        300.0, ge=0, description="A plate that enters again so soon after its exit goes on with its visit; 0: never"
    )
    max_stay_s: float = Field(86_400.0, gt=0, description="A visit that is open for longer is ended as expired")
    remember_s: float = Field(
        3600.0, ge=0, description="How long a visit that is over is remembered, for corrections and very late exits"
    )
    min_likelihood: float = Field(
        0.005, gt=0, le=1, description="An exit closes the visit of another plate if its read is at least this likely"
    )
    min_margin: float = Field(
        4.0, ge=1, description="... and so many times more likely than the read of any other plate inside"
    )
    capacities: dict[str, int] = Field(
        default_factory=dict, description='Places of sites, as JSON: {"north": 120}; they are shown, not enforced'
    )


class VisitFold:
    """Applies sightings in their order. It has no state of its own.

    Args:
        settings: spans and thresholds.

    Attributes:
        remembered: how long a visit that is over can be asked for, microseconds.
    """

    def __init__(self, settings: VisitSettings) -> None:
        self._settings = settings
        self._repeat = _micros(settings.repeat_s)
        self._absence = _micros(settings.absence_s)
        self._max_stay = _micros(settings.max_stay_s)
        # what may still be taken back must be remembered, and so must what may be gone on with
        self.remembered = max(_micros(s) for s in _remembered(settings))

    def apply(self, site: SiteBook, read: GateRead, settled_at: Micros, now: Micros) -> str | None:
        """Apply a sighting.

        Args:
            site: its site's rows; changed.
            read: the sighting.
            settled_at: place in the order up to which nothing is due any more.
            now: its place in the order: its time, or later for one that came too late.

        Returns:
            The visit that it belongs to; None: it is part of none.
        """
        self.expire(site, settled_at, now)
        if read.gone:
            return None
        return self._enter(site, read, now) if read.gate == ENTRY else self._leave(site, read, now)

    def expire(self, site: SiteBook, since: Micros, now: Micros) -> None:
        """End the visits that have become due in a time."""
        for visit in site.due(since, now):
            site.change(visit, self._over(visit, now, outcome=EXPIRED, ended_at=visit.due_at))

    def withdrawn(self, visit: VisitState, now: Micros) -> VisitState:
        """The visit, once it is known that it never was."""
        return self._over(visit, now, outcome=WITHDRAWN, ended_at=None)

    # -- entries

    def _enter(self, site: SiteBook, read: GateRead, now: Micros) -> str:
        for visit in site.with_plate(read.text) if read.text else ():
            if visit.is_open:
                if abs(read.at - visit.inside_since) <= self._repeat:
                    return visit.visit_id
                if visit.inside_since <= read.at:
                    site.change(visit, self._over(visit, now, outcome=EXIT_MISSED, ended_at=read.at))
            elif self._goes_on(visit, read):
                back = self._back(visit, read, now)
                site.change(visit, back)
                return back.visit_id
        opened = VisitState(
            visit_id=visit_id(site.site_id, ENTRY, read.event_id),
            outcome=OPEN,
            started_at=read.at,
            plate_text=read.text or None,
            plate_region=read.region,
            entered_at=read.at,
            entry_event_id=read.event_id,
            entry_camera_id=read.camera_id,
            due_at=self._due_at(read, now),
        )
        site.change(site.visit(opened.visit_id), opened)
        return opened.visit_id

    def _goes_on(self, visit: VisitState, read: GateRead) -> bool:
        if self._absence <= 0 or visit.outcome != COMPLETED or visit.exited_at is None:
            return False
        return fold(visit.plate_text or "") == fold(read.text) and 0 <= read.at - visit.exited_at <= self._absence

    def _back(self, visit: VisitState, read: GateRead, now: Micros) -> VisitState:
        assert visit.exited_at is not None
        assert visit.exit_event_id is not None
        away = Absence(visit.exited_at, read.at, visit.exit_event_id, read.event_id)
        return replace(
            visit,
            outcome=OPEN,
            absences=(*visit.absences, away),
            exited_at=None, exit_event_id=None, exit_camera_id=None, exit_plate_text=None, ended_at=None,
            match=None, match_score=None, due_at=self._due_at(read, now), forget_at=None,
        )  # fmt: skip

    # -- exits

    def _leave(self, site: SiteBook, read: GateRead, now: Micros) -> str:
        same = site.with_plate(read.text) if read.text else []
        for visit in same:
            if visit.exited_at is not None and abs(read.at - visit.exited_at) <= self._repeat:
                return visit.visit_id
        candidates = [visit for visit in same if self._may_leave(visit, read)]
        if candidates:
            exact = [visit for visit in candidates if visit.plate_text == read.text]
            visit = (exact or candidates)[0]
            return self._close(site, visit, read, now, EXACT if exact else CONFUSABLE, _likelihood(read, visit))
        found = self._likeliest(site, read) if read.text else None
        if found is not None:
            return self._close(site, found[0], read, now, LIKELIHOOD, found[1])
        alone = VisitState(
            visit_id=visit_id(site.site_id, EXIT, read.event_id),
            outcome=EXIT_ONLY,
            started_at=read.at,
            plate_text=read.text or None,
            plate_region=read.region,
            exited_at=read.at,
            exit_event_id=read.event_id,
            exit_camera_id=read.camera_id,
            exit_plate_text=read.text or None,
            ended_at=read.at,
        )
        site.change(site.visit(alone.visit_id), self._over(alone, now, outcome=EXIT_ONLY, ended_at=read.at))
        return alone.visit_id

    def _may_leave(self, visit: VisitState, read: GateRead) -> bool:
        if fold(visit.plate_text or "") != fold(read.text) or visit.inside_since > read.at:
            return False
        if visit.is_open:
            return True
        # it stayed for longer than visits last, and was given up too soon
        return visit.outcome == EXPIRED and read.at - (visit.ended_at or 0) <= self.remembered

    def _likeliest(self, site: SiteBook, read: GateRead) -> tuple[VisitState, float] | None:
        folded = fold(read.text)
        scored = sorted(
            (
                (likelihood(_plate(read), entry.text), entry.since, entry.visit_id)
                for entry in site.open_plates()
                if entry.since <= read.at and _is_near(folded, fold(entry.text))
            ),
            reverse=True,
        )
        if not scored or scored[0][0] < self._settings.min_likelihood:
            return None
        if len(scored) > 1 and scored[0][0] < self._settings.min_margin * scored[1][0]:
            return None  # either may have left: neither is said to have
        visit = site.visit(scored[0][2])
        return None if visit is None else (visit, scored[0][0])

    def _close(self, site: SiteBook, visit: VisitState, read: GateRead, now: Micros, match: str, score: float) -> str:
        left = replace(
            visit, exited_at=read.at, exit_event_id=read.event_id, exit_camera_id=read.camera_id,
            exit_plate_text=read.text or None, match=match, match_score=score,
        )  # fmt: skip
        site.change(visit, self._over(left, now, outcome=COMPLETED, ended_at=read.at))
        return visit.visit_id

    def _due_at(self, read: GateRead, now: Micros) -> Micros:
        return max(read.at + self._max_stay, now)  # never in what is settled: nobody looks there again

    def _over(self, visit: VisitState, now: Micros, *, outcome: str, ended_at: Micros | None) -> VisitState:
        forget_at = max(now, ended_at or now) + self.remembered
        return replace(visit, outcome=outcome, ended_at=ended_at, due_at=None, forget_at=forget_at)


def _remembered(settings: VisitSettings) -> tuple[float, ...]:
    return settings.remember_s, settings.settle_s, settings.absence_s, settings.repeat_s


def _micros(seconds: float) -> Micros:
    return round(seconds * MICROS_PER_S)


def _plate(read: GateRead) -> Plate:
    return Plate(read.text, read.text, read.confidence, characters=read.characters)


def _likelihood(read: GateRead, visit: VisitState) -> float:
    return likelihood(_plate(read), visit.plate_text or "")


def _is_near(a: str, b: str) -> bool:
    """Whether the likelihood of two folded texts can be worth its price: a car park has thousands of others."""
    difference = len(a) - len(b)
    if abs(difference) > MAX_LENGTH_DIFFERENCE or not a or not b:
        return False
    if difference == 0:
        return sum(x != y for x, y in zip(a, b, strict=True)) <= _MAX_DIFFERENCES
    shorter, longer = sorted((a, b), key=len)
    start = next((i for i, char in enumerate(shorter) if char != longer[i]), len(shorter))
    end = next((i for i in range(len(shorter)) if shorter[-1 - i] != longer[-1 - i]), len(shorter))
    return start + end >= len(shorter) - MAX_LENGTH_DIFFERENCE
