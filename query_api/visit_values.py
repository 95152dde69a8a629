"""Visits as the ports speak of them: filter, row, and what a site holds now."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from query_api.plates import PlateQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitFilter:
    """Which visits; what is None or empty does not restrict.

    Attributes:
        outcomes: one of these; without them every visit that was one, so none that was withdrawn.
        start: began at this time or later.
        end: began before this time.
    """

    site_ids: tuple[str, ...] = ()
    plate: PlateQuery | None = None
    outcomes: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRow:
    """A visit as stored; fields are those of `schemas.events.Visit`."""

    visit_id: str
    revision: int
    site_id: str
    outcome: str
    started_at: datetime
    plate_text: str | None = None
    plate_region: str | None = None
    entered_at: datetime | None = None
    entry_event_id: str | None = None
    entry_camera_id: str | None = None
    exited_at: datetime | None = None
    exit_event_id: str | None = None
    exit_camera_id: str | None = None
    exit_plate_text: str | None = None
    ended_at: datetime | None = None
    match: str | None = None
    match_score: float | None = None
    dwell_s: float | None = None
    absent_s: float = 0.0
    absences: tuple[dict[str, Any], ...] = ()


VISIT_NAMES = tuple(item.name for item in fields(VisitRow))


@dataclass(frozen=True, slots=True, kw_only=True)
class OccupancyRow:
    """What a site holds.

    Attributes:
        occupancy: open visits.
        capacity: places, as the latest visit has it.
        oldest_entry_at: when the vehicle that is inside for longest came.
        updated_at: newest event time of the site's gates.
    """

    site_id: str
    occupancy: int
    capacity: int | None
    oldest_entry_at: datetime | None
    updated_at: datetime
