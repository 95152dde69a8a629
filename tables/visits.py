"""State of visits: what is kept of a site, its visits and the sightings at its gates. See `tables.site_book`."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from schemas.clock import Micros
from schemas.events import Absence, CharacterAlternative
from tables.staged_rows import Journal

ENTRY, EXIT = "entry", "exit"
OPEN, COMPLETED, EXIT_MISSED, EXIT_ONLY = "open", "completed", "exit_missed", "exit_only"
EXPIRED, WITHDRAWN = "expired", "withdrawn"


@dataclass(frozen=True, slots=True)
class GateRead:
    """A sighting at a gate, as far as visits are concerned.

    Attributes:
        at: event time.
        gate: ``entry`` or ``exit``.
        text: normalised identity; empty for an unreadable plate.
        characters: alternatives of the read, at exits.
        gone: the sighting has been merged into another one.
    """

    event_id: str
    revision: int
    at: Micros
    gate: str
    camera_id: str
    text: str = ""
    region: str | None = None
    confidence: float = 1.0
    characters: tuple[tuple[CharacterAlternative, ...], ...] = ()
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitState:
    """A visit. Fields are those of `schemas.events.Visit`, and two times.

    Attributes:
        due_at: when it expires, while it is open.
        forget_at: when it may be forgotten, once it is not.
    """

    visit_id: str
    outcome: str
    started_at: Micros
    plate_text: str | None = None
    plate_region: str | None = None
    entered_at: Micros | None = None
    entry_event_id: str | None = None
    entry_camera_id: str | None = None
    exited_at: Micros | None = None
    exit_event_id: str | None = None
    exit_camera_id: str | None = None
    exit_plate_text: str | None = None
    ended_at: Micros | None = None
    match: str | None = None
    match_score: float | None = None
    absences: tuple[Absence, ...] = ()
    due_at: Micros | None = None
    forget_at: Micros | None = None

    @property
    def is_open(self) -> bool:
        """Whether the vehicle is at the site, as far as is known."""
        return self.outcome == OPEN

    @property
    def inside_since(self) -> Micros:
        """When it came, or came back."""
        return self.absences[-1].returned_at if self.absences else self.started_at

    @property
    def event_ids(self) -> list[str]:
        """Sightings that it names."""
        away = [event_id for item in self.absences for event_id in (item.exit_event_id, item.entry_event_id)]
        return [event_id for event_id in (self.entry_event_id, self.exit_event_id, *away) if event_id is not None]


@dataclass(frozen=True, slots=True)
class PlateEntry:
    """The plate of an open visit: what matching an exit needs, without reading the visit."""

    visit_id: str
    text: str
    since: Micros


@dataclass(slots=True)
class SiteHead:
    """A site's place in its log.

    Attributes:
        newest_at: newest event time of its gates.
        horizon: event time before which the order of sightings is settled.
        settled_at: place of the newest sighting (or tick) that is settled: what was due then has expired for good.
        offset: of the last record that was applied, in the topic of sightings by site.
        recorded_at_ms: newest Kafka timestamp of such records.
        camera_id: gate that was heard of last.
        measured_at: time of the last measurement of its occupancy.
        sources: partition of the sightings' topic -> last offset and newest timestamp that came from there.
    """

    newest_at: Micros = 0
    horizon: Micros = 0
    settled_at: Micros = 0
    offset: int = -1
    recorded_at_ms: int = -1
    camera_id: str | None = None
    measured_at: Micros = 0
    sources: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """What was sent of a visit."""

    revision: int
    visit: VisitState


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """What has been heard of a sighting.

    Attributes:
        revision: the newest.
        order: its place among the others that may still be reordered; None: it is settled.
        visit_id: once settled, the visit that names it.
    """

    revision: int
    order: Micros | None = None
    visit_id: str | None = None


class LogEntry(NamedTuple):
    """A sighting that may still be reordered.

    Attributes:
        order: event time, or the horizon for one that came later than that.
        read: newest revision.
        visit_id: visit that it belongs to.
        journal: rows as they were before it.
    """

    order: Micros
    read: GateRead
    visit_id: str | None
    journal: Journal


def without_times(visit: VisitState) -> VisitState:
    """The visit as others see it: when it will be forgotten is no news."""
    return replace(visit, due_at=None, forget_at=None)
