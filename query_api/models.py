"""What the API answers: the JSON documents, as they stand in the OpenAPI description."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")


class Document(BaseModel):
    """A JSON document of the API."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Page(Document, Generic[Item]):
    """A page of a list, newest or best first."""

    items: list[Item]
    next_cursor: str | None = Field(
        description="Pass it as `cursor` for the next page, with the same filters; null: this is the last page"
    )


class ProblemField(Document):
    """A field that is wrong."""

    field: str = Field(examples=["[3].plate.confidence"])
    message: str


class Problem(Document):
    """RFC 9457 problem details; every error of the API is one."""

    type: str = Field(examples=["urn:alpr:problem:validation"])
    title: str
    status: int
    detail: str | None = None
    errors: list[ProblemField] | None = None


class Alternative(Document):
    """One reading of one character."""

    char: str
    probability: float | None


class Plate(Document):
    """The plate as it was read; what was observed is never overwritten."""

    text: str | None = Field(examples=["AB-123-C"])
    normalized_text: str | None = Field(examples=["AB123C"])
    confidence: float | None = Field(examples=[0.93])
    region: str | None = Field(examples=["nl"])
    characters: list[list[Alternative]] | None = Field(
        None, description="For each position the alternatives that OCR saw; with a single event only"
    )


class Resolved(Document):
    """The plate that the reads of the pass add up to."""

    text: str
    confidence: float | None
    previous_text: str | None = Field(description="What the revision before had concluded, where that was different")


class Vehicle(Document):
    """What is known of the vehicle."""

    type: str | None
    make: str | None
    model: str | None
    color: str | None
    confidence: float | None


class Image(Document):
    """A picture that can be fetched without credentials."""

    url: str
    expires_at: datetime | None = Field(description="When the link stops working; null for a producer's own URL")


class Images(Document):
    """Pictures of an event; null where there is none, or none that this platform keeps."""

    plate: Image | None
    vehicle: Image | None
    frame: Image | None


class Location(Document):
    """A place on earth, WGS 84 degrees."""

    lat: float
    lon: float


class Event(Document):
    """A sighting: a pass of a vehicle at a camera. Without `plate`: a vehicle whose plate was not readable."""

    event_id: str
    captured_at: datetime
    camera_id: str
    site_id: str | None
    track_id: str | None
    revision: int | None
    plate: Plate | None
    resolved: Resolved | None
    match_likelihood: float | None = Field(
        None, description="With a search for a plate without wildcards: probability that the read came from that plate"
    )
    vehicle: Vehicle | None
    images: Images
    location: Location | None
    direction: str | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    reads: int | None = Field(description="Readings that were voted into the plate")
    detections: int | None = Field(description="Detections that the pass took in")
    latency_ms: float | None
    is_final: bool | None
    visit_id: str | None
    merged_into: str | None = Field(
        description="event_id of the older sighting that this one turned out to be a part of; lists leave it out"
    )
    node: dict[str, Any] | None
    extras: dict[str, Any]


class SearchHit(Document):
    """An event that a full-text search found."""

    event: Event
    score: float
    highlights: dict[str, list[str]] = Field(
        description="Field to fragments of HTML in which `<em>` marks what matched",
        examples=[{"vehicle_color": ["<em>white</em>"]}],
    )


class AlertActionDone(Document):
    """What a person did with an alert."""

    action_id: str
    acted_at: datetime
    action: str
    actor: str
    label: str | None
    note: str | None
    until: datetime | None
    silence_id: str | None = Field(description="With `unsilence`: which silence ended")


class Matcher(Document):
    """Which alerts a silence is for: each field that is given must fit, by any of its globs."""

    rules: list[str] = []
    severities: list[str] = []
    sites: list[str] = []
    cameras: list[str] = []
    plates: list[str] = []
    keys: list[str] = []


class Silence(Document):
    """Alerts whose notifications are held back."""

    silence_id: str
    state: Literal["active", "pending"]
    alert_id: str | None = Field(description="The one alert that it is for, where it has no matcher")
    matcher: Matcher | None
    starts_at: datetime
    until: datetime
    author: str
    comment: str | None


class Silences(Document):
    """The silences that are in force or still to come."""

    items: list[Silence]


class SilenceAccepted(Document):
    """A silence on its way."""

    silence_id: str


class Receipt(Document):
    """What became of a notification."""

    channel: str
    recipient: str
    outcome: str
    attempts: int
    detail: str | None
    settled_at: datetime


class Rule(Document):
    """The rule as it stood when it fired."""

    id: str
    name: str | None
    version: str | None


AlertState = Literal["open", "acknowledged", "resolved"]


class Alert(Document):
    """A rule fired."""

    alert_id: str
    fired_at: datetime
    captured_at: datetime = Field(description="When the sighting that triggered it was captured")
    rule: Rule
    severity: str
    state: AlertState
    key: str | None
    message: str | None
    camera_id: str | None
    site_id: str | None
    plate_text: str | None
    likelihood: float | None
    matched_plate: str | None
    suppressed: int | None
    event_ids: list[str]
    proof: dict[str, Any]
    images: Images
    context: dict[str, Any]
    silenced_until: datetime | None
    labels: list[str]
    actions: list[AlertActionDone]


class AlertDetail(Alert):
    """An alert with what became of its notifications."""

    receipts: list[Receipt]


class Accepted(Document):
    """What was taken in; it shows in searches once the platform has processed it."""

    accepted: int
    event_ids: list[str] = Field(description="In the order of the request; repeated ids are one event")


class ActionAccepted(Document):
    """An action on its way."""

    action_id: str


class Camera(Document):
    """A camera as its events show it, over the last days."""

    camera_id: str
    site_id: str | None
    events: int = Field(description="Sightings")
    vehicles: int = Field(description="Vehicles without a plate")
    mean_confidence: float | None
    first_event_at: datetime
    last_event_at: datetime
    location: Location | None


class Cameras(Document):
    """All cameras that have seen something."""

    items: list[Camera]
    since: datetime


class Counts(Document):
    """Counts of everything stored."""

    events: int
    vehicles: int
    alerts: int
    dead_letters: int


class RecentCounts(Counts):
    """Counts of the last 24 hours."""

    plates: int | None = Field(description="Distinct plates")


class Statistics(Document):
    """What is stored and what has been going on."""

    generated_at: datetime
    since: datetime = Field(description="Start of the last 24 hours")
    totals: Counts
    last_24h: RecentCounts
    cameras: list[Camera] = Field(description="Per camera, over the last 24 hours")
    alerts_by_severity: dict[str, int] = Field(examples=[{"high": 3, "low": 11}])
    dead_letters_by_error: dict[str, int] = Field(examples=[{"SCHEMA_VALIDATION": 2}])


class DependencyHealth(Document):
    """A server that the API needs."""

    status: Literal["up", "down"]
    latency_ms: float
    detail: str | None = None


class Health(Document):
    """`ok`: all is up. `degraded`: something is away, the rest works. `down`: the database is away."""

    status: Literal["ok", "degraded", "down"]
    version: str
    dependencies: dict[str, DependencyHealth]
