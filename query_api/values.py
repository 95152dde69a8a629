"""What the ports speak: filters, positions in a list, and the rows that come back.

Field names are the flat names of `schemas.aliases` (the columns of the database and the fields of the index). Times are
aware datetimes in UTC, as the drivers give and take them.
"""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from query_api.plates import PlateQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which sightings; what is None or empty does not restrict.

    Attributes:
        start: captured at this time or later.
        end: captured before this time.
        min_confidence: of the resolved plate, or of the read where nothing was resolved.
    """

    plate: PlateQuery | None = None
    camera_ids: tuple[str, ...] = ()
    site_ids: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    min_confidence: float | None = None
    region: str | None = None
    direction: str | None = None
    vehicle_type: str | None = None
    vehicle_make: str | None = None
    vehicle_model: str | None = None
    vehicle_color: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts; times are those of `fired_at`. Acknowledged is also what was resolved."""

    rule_ids: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    plate: PlateQuery | None = None
    camera_ids: tuple[str, ...] = ()
    site_ids: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    acknowledged: bool | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended in a list that is ordered by time and id, both descending."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """A sighting, or a vehicle without a plate, as stored."""

    event_id: str
    captured_at: datetime
    camera_id: str
    revision: int | None = None
    site_id: str | None = None
    track_id: str | None = None
    plate_text: str | None = None
    plate_normalized_text: str | None = None
    plate_confidence: float | None = None
    plate_region: str | None = None
    resolved_text: str | None = None
    resolved_confidence: float | None = None
    previous_text: str | None = None
    match_key: str | None = None
    vehicle_type: str | None = None
    vehicle_make: str | None = None
    vehicle_model: str | None = None
    vehicle_color: str | None = None
    vehicle_confidence: float | None = None
    plate_image_url: str | None = None
    vehicle_image_url: str | None = None
    frame_url: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    direction: str | None = None
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    reads: int | None = None
    detections: int | None = None
    latency_ms: float | None = None
    is_final: bool | None = None
    visit_id: str | None = None
    merged_into: str | None = None
    node: dict[str, Any] | None = None
    characters: list[Any] | None = None
    extras: dict[str, Any] | None = None

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """A row of a mapping; names that it does not know are left out."""
        return cls(**{name: values[name] for name in EVENT_NAMES if name in values})


EVENT_NAMES = tuple(item.name for item in fields(EventRow))


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow:
    """What a person did with an alert."""

    action_id: str
    acted_at: datetime
    action: str
    actor: str
    label: str | None = None
    note: str | None = None
    until: datetime | None = None
    silence_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceRow:
    """A silence that is not over.

    Attributes:
        alert_id: the one alert that it is for, where there is no matcher.
        matcher: lists of globs by field; None: for the one alert.
    """

    silence_id: str
    alert_id: str
    matcher: dict[str, Any] | None
    starts_at: datetime
    until: datetime
    author: str
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """What became of a notification."""

    channel: str
    recipient: str
    outcome: str
    attempts: int
    detail: str | None
    settled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """An alert as stored, with what was done about it (oldest first); receipts come with a single alert only."""

    alert_id: str
    fired_at: datetime
    captured_at: datetime
    rule_id: str
    rule_name: str | None = None
    rule_version: str | None = None
    severity: str
    key: str | None = None
    message: str | None = None
    camera_id: str | None = None
    site_id: str | None = None
    plate_text: str | None = None
    likelihood: float | None = None
    matched_plate: str | None = None
    suppressed: int | None = None
    event_ids: tuple[str, ...] = ()
    proof: dict[str, Any] | None = None
    images: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    done: tuple[ActionRow, ...] = ()
    receipts: tuple[ReceiptRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts of stored things.

    Attributes:
        plates: distinct plates; None where that was not counted.
    """

    events: int
    vehicles: int
    alerts: int
    dead_letters: int
    plates: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraRow:
    """A camera as its events show it, since some time.

    Attributes:
        site_id: the latest that is known.
        events: sightings.
        vehicles: vehicles without a plate.
        confidence: mean confidence of the sightings' plates.
        latitude, longitude: the latest place that is known.
    """

    camera_id: str
    site_id: str | None
    events: int
    vehicles: int
    confidence: float | None
    first_at: datetime
    last_at: datetime
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Totals, the same since a time, and breakdowns since that time."""

    totals: Totals
    recent: Totals
    cameras: tuple[CameraRow, ...]
    alerts_by_severity: dict[str, int]
    dead_letters_by_error: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextQuery:
    """A full-text search: words, plates, parts of either."""

    text: str
    camera_ids: tuple[str, ...] = ()
    site_ids: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A document that a full-text search found.

    Attributes:
        event: as far as the index holds it.
        score: relevance.
        highlights: field name to fragments, in which ``<em>`` marks what matched. The text around it is escaped HTML.
        after: sort values, for the next page.
    """

    event: EventRow
    score: float
    highlights: dict[str, list[str]] = field(default_factory=dict)
    after: tuple[float, int, str]


@dataclass(frozen=True, slots=True)
class ImageLink:
    """A link that works without credentials until it expires (None: it is not ours to let expire)."""

    url: str
    expires_at: datetime | None
