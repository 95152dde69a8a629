"""The documents of visits, and how rows become them."""

from datetime import UTC, datetime

from pydantic import Field

from query_api.models import Document
from query_api.visit_values import OccupancyRow, VisitRow


class Absence(Document):
    """The vehicle was away for a short while."""

    left_at: datetime
    returned_at: datetime
    exit_event_id: str
    entry_event_id: str


class Gate(Document):
    """How a vehicle entered or left."""

    at: datetime
    event_id: str | None = Field(description="The sighting; `/events/{event_id}` has it with its images")
    camera_id: str | None
    plate_text: str | None = Field(description="Normalised plate, as it was identified there")


class Visit(Document):
    """A vehicle's stay at a site, from entry to exit."""

    visit_id: str
    revision: int
    site_id: str
    outcome: str = Field(
        description="`open`, `completed`, `exit_missed` (it entered again), `exit_only` (nobody saw it enter), "
        "`expired` (open for too long) or `withdrawn` (later news showed that there was none)",
        examples=["completed"],
    )
    is_open: bool
    plate_text: str | None = Field(examples=["AB123C"])
    plate_region: str | None
    started_at: datetime
    entry: Gate | None
    exit: Gate | None
    ended_at: datetime | None
    match: str | None = Field(description="How the exit was matched: `exact`, `confusable` or `likelihood`")
    match_score: float | None = Field(description="Probability that the exit's read came from the visit's plate")
    dwell_s: float | None = Field(description="From entry to exit, absences included")
    absent_s: float
    absences: list[Absence]


class Occupancy(Document):
    """How many vehicles are at a site, as its gates tell."""

    site_id: str
    occupancy: int = Field(description="Vehicles that entered and have not left")
    capacity: int | None = Field(description="Places, where they are set")
    free: int | None = Field(description="Places left, never below 0")
    oldest_entry_at: datetime | None = Field(description="When the vehicle came that is inside for longest")
    updated_at: datetime = Field(description="Newest event time of the site's gates")


def visit(row: VisitRow) -> Visit:
    """A visit."""
    return Visit(
        visit_id=row.visit_id,
        revision=row.revision,
        site_id=row.site_id,
        outcome=row.outcome,
        is_open=row.outcome == "open",
        plate_text=row.plate_text,
        plate_region=row.plate_region,
        started_at=row.started_at.astimezone(UTC),
        entry=_gate(row.entered_at, row.entry_event_id, row.entry_camera_id, row.plate_text),
        exit=_gate(row.exited_at, row.exit_event_id, row.exit_camera_id, row.exit_plate_text),
        ended_at=None if row.ended_at is None else row.ended_at.astimezone(UTC),
        match=row.match,
        match_score=row.match_score,
        dwell_s=row.dwell_s,
        absent_s=row.absent_s,
        absences=[Absence(**item) for item in row.absences],
    )


def occupancy(row: OccupancyRow) -> Occupancy:
    """What a site holds."""
    return Occupancy(
        site_id=row.site_id,
        occupancy=row.occupancy,
        capacity=row.capacity,
        free=None if row.capacity is None else max(0, row.capacity - row.occupancy),
        oldest_entry_at=None if row.oldest_entry_at is None else row.oldest_entry_at.astimezone(UTC),
        updated_at=row.updated_at.astimezone(UTC),
    )


def _gate(at: datetime | None, event_id: str | None, camera_id: str | None, plate_text: str | None) -> Gate | None:
    if at is None:
        return None
    return Gate(at=at.astimezone(UTC), event_id=event_id, camera_id=camera_id, plate_text=plate_text)
