"""The order of the sightings at a site's gates: visits are what they are in order of event time, however they arrive.

Sightings of the last `settle_s` are kept with the rows that each one changed. One that comes out of order, or that says
something else in a new revision, is put in its place: what came after it is taken back, newest first, and applied
again. So the visits are at any time those of the sightings so far in order of event time, and nobody waits for them.
(The idea is that of optimistic simulation: D. Jefferson, "Virtual Time", ACM TOPLAS 7(3), 1985, rollback of states.)

A visit that was told of and has changed is sent as a new revision; one that has vanished is sent once more, withdrawn.
What has settled is corrected where it stands: a new identity changes the texts of its visit and matches nothing anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agents.decisions.visits import VisitFold, VisitSettings
from schemas.clock import MICROS_PER_S, Micros
from schemas.events import Metric, Visit
from tables.site_book import SiteBook
from tables.visits import (
    WITHDRAWN,
    GateRead,
    KnownEvent,
    LogEntry,
    Published,
    SiteHead,
    VisitState,
    without_times,
)

OCCUPANCY = "site_occupancy"
"""Name of the measurement on ``alpr.metrics``; the site is a tag."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands, and where the sighting in it stood.

    Attributes:
        offset: in the partition of sightings by site.
        recorded_at_ms: Kafka's timestamp of it.
        source: partition, offset and timestamp on the sightings' topic.
    """

    offset: int
    recorded_at_ms: int
    source: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a record led to.

    Attributes:
        visits: revisions that are due.
        occupancy: number of open visits, where that has changed. Its time is the newest event time of the site, or a
            little later: no two of a site have the same.
        replayed: the record had been applied before; nothing happened.
        too_late: a revision of a sighting that is no longer remembered; nothing happened.
    """

    visits: tuple[Visit, ...] = ()
    occupancy: Metric | None = None
    replayed: bool = False
    too_late: bool = False


class VisitKeeper:
    """Applies records to the rows of their site. It has no state of its own.

    Args:
        settings: spans and thresholds.
    """

    def __init__(self, settings: VisitSettings) -> None:
        self._fold = VisitFold(settings)
        self._settle_us = round(settings.settle_s * MICROS_PER_S)
        self._capacities: Mapping[str, int] = settings.capacities

    def take(self, site: SiteBook, read: GateRead, place: Place) -> Outcome:
        """Apply a sighting.

        Args:
            site: its site's rows; changed.
            read: the sighting.
            place: where its record stands.
        """
        head = site.head()
        if _is_replay(head, place):
            return Outcome(replayed=True)
        _advance(head, place)
        before = site.occupancy
        known = site.known(read.event_id)
        touched: set[str] = set()
        too_late = known is None and read.revision > 1 and read.at < head.horizon
        if known is None and not too_late:
            touched = self._insert(site, head, max(read.at, head.horizon), read)
        elif known is not None and read.revision > known.revision:
            touched = self._revise(site, head, known, read)
        head.newest_at = max(head.newest_at, read.at)
        head.camera_id = read.camera_id
        outcome = self._outcome(site, head, touched, before, too_late)
        self._settle(site, head, head.newest_at - self._settle_us)
        site.put_head(head)
        return outcome

    def tick(self, site: SiteBook, complete_to: Micros) -> Outcome:
        """Event time has gone on at a site where nothing happened: end what has been open for too long.

        Args:
            site: the site's rows; changed.
            complete_to: time before which no sighting is expected any more.
        """
        head = site.head()
        horizon = complete_to - self._settle_us
        if horizon <= head.horizon:
            return Outcome()
        before = site.occupancy
        self._settle(site, head, horizon)
        site.put_head(head)
        if site.entries(horizon):  # the newest of them has ended what was due
            return Outcome()
        touched = {visit.visit_id for visit in site.due(head.settled_at, horizon)}
        self._fold.expire(site, head.settled_at, horizon)
        head.settled_at = horizon
        head.newest_at = max(head.newest_at, horizon)
        outcome = self._outcome(site, head, touched, before, too_late=False)
        site.put_head(head)
        return outcome

    # -- order

    def _insert(self, site: SiteBook, head: SiteHead, order: Micros, read: GateRead) -> set[str]:
        site.put_known(read.event_id, KnownEvent(read.revision, order))
        later = site.entries(order, after=read.event_id)
        touched = self._take_back(site, later)
        return touched | self._apply(site, head, [LogEntry(order, read, None, {}), *later])

    def _revise(self, site: SiteBook, head: SiteHead, known: KnownEvent, read: GateRead) -> set[str]:
        site.put_known(read.event_id, replace(known, revision=read.revision))
        if known.order is None:
            return self._correct(site, head, known.visit_id, read)
        entry = site.entry(known.order, read.event_id)
        assert entry is not None, "a known sighting that is not settled is in the log"
        if replace(read, revision=0) == replace(entry.read, revision=0):
            return set()
        later = site.entries(known.order, after=read.event_id)
        touched = self._take_back(site, [entry, *later])
        return touched | self._apply(site, head, [entry._replace(read=read), *later])

    def _take_back(self, site: SiteBook, entries: list[LogEntry]) -> set[str]:
        touched: set[str] = set()
        for entry in reversed(entries):
            site.rows.undo(entry.journal)
            touched |= site.visits_in(entry.journal)
        return touched

    def _apply(self, site: SiteBook, head: SiteHead, entries: list[LogEntry]) -> set[str]:
        touched: set[str] = set()
        for entry in entries:
            site.rows.begin()
            visit_id = self._fold.apply(site, entry.read, head.settled_at, entry.order)
            journal = site.rows.end()
            site.put_entry(LogEntry(entry.order, entry.read, visit_id, journal))
            touched |= site.visits_in(journal)
        return touched

    # -- what has settled

    def _settle(self, site: SiteBook, head: SiteHead, horizon: Micros) -> None:
        if horizon <= head.horizon:
            return
        since, head.horizon = head.horizon, horizon
        for entry in site.entries(since, horizon):
            head.settled_at = max(head.settled_at, entry.order)
            site.drop_entry(entry)
            event_id = entry.read.event_id
            known = site.known(event_id)
            visit = None if entry.visit_id is None else site.visit(entry.visit_id)
            if known is None or visit is None or event_id not in visit.event_ids:
                site.put_known(event_id, None)
            else:
                site.put_known(event_id, KnownEvent(known.revision, None, visit.visit_id))
        for at, visit_id in site.forgettable(since, horizon):
            site.forget(visit_id, at)

    def _correct(self, site: SiteBook, head: SiteHead, visit_id: str | None, read: GateRead) -> set[str]:
        """A sighting that has settled says something else now."""
        visit = None if visit_id is None else site.visit(visit_id)
        if visit is None:
            return set()
        changed = visit
        if read.gone:
            if visit.entry_event_id == read.event_id and visit.is_open:
                changed = self._fold.withdrawn(visit, head.newest_at)
        elif read.event_id == visit.exit_event_id:
            text = read.text or None
            changed = replace(visit, exit_plate_text=text)
            if visit.entry_event_id is None:
                changed = replace(changed, plate_text=text, plate_region=read.region)
        elif read.event_id == visit.entry_event_id:
            changed = replace(visit, plate_text=read.text or None, plate_region=read.region)
        if changed == visit:
            return set()
        site.change(visit, changed)
        return {visit.visit_id}

    # -- what is sent

    def _outcome(self, site: SiteBook, head: SiteHead, touched: set[str], before: int, too_late: bool) -> Outcome:
        occupancy = site.occupancy
        due = []
        for visit_id in touched:
            published = site.published(visit_id)
            visit = site.visit(visit_id)
            if visit is None:
                if published is None or published.visit.outcome == WITHDRAWN:
                    continue
                visit = replace(published.visit, outcome=WITHDRAWN, ended_at=None)
                site.forget_later(visit_id, head.newest_at + self._fold.remembered)
            shown = without_times(visit)
            if published is not None and published.visit == shown:
                continue
            revision = 1 if published is None else published.revision + 1
            site.put_published(visit_id, Published(revision, shown))
            due.append(self._event(site, shown, revision, occupancy, head.newest_at))
        due.sort(key=lambda visit: (visit.started_at, visit.visit_id))
        measured = None
        if occupancy != before:
            head.measured_at = max(head.newest_at, head.measured_at + 1)
            measured = Metric(
                name=OCCUPANCY, value=float(occupancy), measured_at=head.measured_at, camera_id=head.camera_id,
                tags={"site_id": site.site_id},
            )  # fmt: skip
        return Outcome(tuple(due), measured, too_late=too_late)

    def _event(self, site: SiteBook, visit: VisitState, revision: int, occupancy: int, updated_at: Micros) -> Visit:
        dwell_s = None
        if visit.entered_at is not None and visit.exited_at is not None:
            dwell_s = (visit.exited_at - visit.entered_at) / MICROS_PER_S
        return Visit(
            visit_id=visit.visit_id,
            revision=revision,
            site_id=site.site_id,
            outcome=visit.outcome,
            started_at=visit.started_at,
            plate_text=visit.plate_text,
            plate_region=visit.plate_region,
            entered_at=visit.entered_at,
            entry_event_id=visit.entry_event_id,
            entry_camera_id=visit.entry_camera_id,
            exited_at=visit.exited_at,
            exit_event_id=visit.exit_event_id,
            exit_camera_id=visit.exit_camera_id,
            exit_plate_text=visit.exit_plate_text,
            ended_at=visit.ended_at,
            match=visit.match,
            match_score=visit.match_score,
            dwell_s=dwell_s,
            absent_s=sum(item.returned_at - item.left_at for item in visit.absences) / MICROS_PER_S,
            absences=visit.absences,
            occupancy=occupancy,
            capacity=self._capacities.get(site.site_id),
            updated_at=updated_at,
        )


def _is_replay(head: SiteHead, place: Place) -> bool:
    """Whether this record, or one that was made of the same record of the sightings' topic, was applied before."""
    if place.offset <= head.offset and place.recorded_at_ms <= head.recorded_at_ms:
        return True
    if place.source is None:
        return False
    partition, offset, recorded_at_ms = place.source
    last = head.sources.get(str(partition))
    return last is not None and offset <= last[0] and recorded_at_ms <= last[1]


def _advance(head: SiteHead, place: Place) -> None:
    head.offset = place.offset
    head.recorded_at_ms = max(head.recorded_at_ms, place.recorded_at_ms)
    if place.source is not None:
        partition, offset, recorded_at_ms = place.source
        newest_ms = head.sources.get(str(partition), (-1, -1))[1]
        head.sources[str(partition)] = (offset, max(recorded_at_ms, newest_ms))
