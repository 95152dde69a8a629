"""The events that travel on the topics: frozen dataclasses with the names of ``avro/*.avsc``.

All times are microseconds since the epoch (`schemas.clock.Micros`), confidences and probabilities lie in 0..1,
coordinates are WGS 84 degrees. A field that a producer did not know is None, never an invented value.
"""

from dataclasses import dataclass, field
from typing import Literal

from schemas.clock import Micros


@dataclass(frozen=True, slots=True)
class CharacterAlternative:
    """One reading of one character with its probability."""

    char: str
    probability: float


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate as it was read. What was observed is never overwritten by what was concluded.

    Attributes:
        text: as the reader gave it.
        normalized_text: `schemas.identity.normalise` of it.
        confidence: of the whole read.
        region: country or country-region such as ``de`` or ``us-ca``.
        characters: for each position the alternatives, most probable first; their probabilities sum to 1 at most.
            Empty when the producer gives none.
    """

    text: str
    normalized_text: str
    confidence: float
    region: str | None = None
    characters: tuple[tuple[CharacterAlternative, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What is known of the vehicle."""

    type: str | None = None
    make: str | None = None
    model: str | None = None
    color: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Images:
    """Where the images are: ``s3://bucket/key`` or http(s) URLs."""

    plate_url: str | None = None
    vehicle_url: str | None = None
    frame_url: str | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """A place on earth, WGS 84."""

    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Node:
    """The edge agent that made a detection."""

    agent_id: str
    host: str | None = None
    models: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A vehicle at a camera, as the edge sees it.

    The edge sends it early and at most once more, final, with the same `event_id`.

    Attributes:
        event_id: uuid5 of camera, start of the stream and track.
        captured_at: event time: the frame of the first read.
        track_id: track within the camera's stream.
        direction: ``in``, ``out``, or as the camera names it.
        reads: how many readings were voted into the plate.
        latency_ms: from the capture of the frame to the publication.
        is_final: nothing more follows for this track.
        extras: whatever else a producer wants to carry.
    """

    event_id: str
    captured_at: Micros
    camera_id: str
    site_id: str | None = None
    track_id: str | None = None
    plate: Plate | None = None
    vehicle: Vehicle | None = None
    images: Images = Images()
    location: Location | None = None
    direction: str | None = None
    first_seen_at: Micros
    last_seen_at: Micros
    reads: int = 1
    latency_ms: float | None = None
    node: Node | None = None
    is_final: bool = True
    extras: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The plate that the reads of a pass add up to, beside what each of them observed.

    Attributes:
        text: normalised text.
        confidence: probability of it.
        previous_text: what the revision before had concluded, where that was something else.
    """

    text: str
    confidence: float
    previous_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting(Detection):
    """A pass of a vehicle at a camera: the detections of it, deduplicated.

    `event_id`, `captured_at` and `match_key` are frozen at revision 1. A later identity is a new revision of the
    same event. Consumers upsert by revision and count an `event_id` once.

    Attributes:
        revision: 1, 2, ...
        match_key: Kafka key: folded plate, or the camera for an unreadable plate.
        resolved: the identity; None for an unreadable plate.
        detections: how many detections the pass has taken in.
        watermark: event time up to which the camera's reads are complete.
        visit_id: site visit that the pass belongs to.
        merged_into: event_id of the older sighting that this one turned out to be a part of. Such a revision is the
            last one of its event: its reads are counted in the other sighting, and it is no pass of its own any more.
    """

    revision: int
    match_key: str
    resolved: Resolved | None = None
    detections: int = 1
    watermark: Micros | None = None
    visit_id: str | None = None
    merged_into: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time, as a record of a partition's log: a replay sees the same time at the same place.

    Attributes:
        at: wall clock of the worker that wrote it.
    """

    at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """How far the cameras of one partition of detections are: what was seen before these times has been said.

    Attributes:
        partition: of ``alpr.plates.routed``.
        at: clock of that partition's log.
        watermark: lowest watermark of its cameras.
        rest: watermark of each of its cameras that is not in `cameras`.
        cameras: camera_id to watermark, where it is not `rest`; all cameras of the partition where `is_full`.
        is_full: whether all cameras are listed.
    """

    partition: int
    at: Micros
    watermark: Micros
    rest: Micros
    cameras: dict[str, int] = field(default_factory=dict)
    is_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A measurement by an edge agent or camera (fps, latency_ms, dropped_frames, gpu_util, service_health, ...)."""

    name: str
    value: float
    measured_at: Micros
    unit: str | None = None
    camera_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleRef:
    """A rule as it stood when it fired: `version` is the hash of its meaning."""

    id: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class ConditionProof:
    """A condition of a rule with the value that it saw, both as text."""

    field: str
    operator: str
    expected: str
    observed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Why an alert fired.

    Attributes:
        event_ids: the sightings that made it fire; the last one is the trigger.
        conditions: each condition that held, with the value it saw.
        likelihood: probability that the reads came from the watchlisted plate, where one was matched.
        matched_plate: the plate or pattern of the rule or watchlist that was hit.
        suppressed: how many matches were held back by this rule and key since its last alert.
    """

    event_ids: tuple[str, ...]
    conditions: tuple[ConditionProof, ...] = ()
    likelihood: float | None = None
    matched_plate: str | None = None
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class Action:
    """One notification that an alert asks for.

    Attributes:
        type: channel: email, slack, webhook, sms, ...
        params: the channel's parameters (``to``, ``url``, ...). ``${NAME}`` stands for a setting of the notifier:
            secrets never travel on a topic.
    """

    type: str
    params: dict[str, str] = field(default_factory=dict)


HISTORICAL = "historical"
"""Name in an alert's context: it was found by a search of the past. Its value is ``true``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule fired.

    Attributes:
        alert_id: uuid5 of rule id, group and trigger: the same input gives the same alert.
        severity: info, low, medium, high or critical.
        fired_at: event time.
        key: the group that it fired for: a plate, a camera, ...
        captured_at: event time of the trigger sighting; the freshness gate measures from here.
        actions: the notifications that it asks for.
        context: the trigger's flat fields as text (`schemas.aliases`), for messages and lists.
    """

    alert_id: str
    rule: RuleRef
    severity: str
    fired_at: Micros
    key: str
    message: str
    captured_at: Micros
    camera_id: str | None = None
    site_id: str | None = None
    plate_text: str | None = None
    proof: Proof
    images: Images = Images()
    actions: tuple[Action, ...] = ()
    freshness_s: float | None = None
    context: dict[str, str] = field(default_factory=dict)

    @property
    def is_historical(self) -> bool:
        """Whether it was found by a search of the past: it is kept and shown, and tells nobody."""
        return self.context.get(HISTORICAL) == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMatcher:
    """Which alerts a silence holds back: each field that is given must fit, by any of its patterns.

    Patterns are globs (``?`` one character, ``*`` any run, ``[ab]`` one of), without regard to case.

    Attributes:
        rules: rule ids.
        severities: info, low, medium, high, critical.
        plates: the observed text, its normalised form, or the plate of the rule or watchlist that was hit.
        keys: the groups that alerts fired for.
    """

    rules: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    plates: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertAction:
    """What a person did with an alert, or with all alerts that a matcher names.

    Attributes:
        action_id: of a silence: also the silence's id.
        alert_id: the alert; for a silence by matcher, and for the end of one, the silence's id.
        action: acknowledge, resolve, silence, unsilence or label.
        label: with ``label``: false_positive, true_positive or free text.
        until: with ``silence``: the end of it.
        starts_at: with ``silence``: its beginning; None: at once.
        matcher: with ``silence``: which alerts; None: this alert alone.
        silence_id: with ``unsilence``: which silence ends.
    """

    action_id: str
    alert_id: str
    action: str
    actor: str
    acted_at: Micros
    label: str | None = None
    note: str | None = None
    until: Micros | None = None
    starts_at: Micros | None = None
    matcher: AlertMatcher | None = None
    silence_id: str | None = None


Outcome = Literal["delivered", "failed", "stale", "suppressed", "silenced", "inhibited", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one notification.

    Attributes:
        notification_id: uuid5 of alert, channel and recipient.
        outcome: delivered, failed (after all retries), stale (older than the freshness gate), suppressed, or refused
            (a barrier that was not opened; the detail has the reasons).
        recipient: address or URL, without secrets.
        attempts: tries that were made.
        detail: the other side's answer, or why not.
        captured_at: event time of the trigger.
        settled_at: wall clock when the outcome was known.
    """

    notification_id: str
    alert_id: str
    rule_id: str
    channel: str
    recipient: str
    outcome: str
    attempts: int
    detail: str | None = None
    captured_at: Micros
    settled_at: Micros


@dataclass(frozen=True, slots=True)
class Header:
    """A Kafka record header."""

    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that could not be handled, whole: replaying it needs nothing else.

    Attributes:
        dead_letter_id: uuid5 of topic, partition, offset and agent: the same failure is the same letter.
        topic, partition, offset: where it stood.
        recorded_at: Kafka timestamp of the original record.
        key, value, headers: its original bytes.
        agent: who could not handle it.
        error_type: one of `schemas.errors.ErrorType`.
        message: what was wrong, in words.
        stack: traceback for unexpected errors.
        retry_count: how often it has been replayed.
        failed_at: wall clock of the failure.
    """

    dead_letter_id: str
    topic: str
    partition: int
    offset: int
    recorded_at: Micros
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    agent: str
    error_type: str
    message: str
    stack: str | None = None
    retry_count: int = 0
    failed_at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterAction:
    """What a person did with a dead letter; it is settled from then on.

    Attributes:
        action: ``replayed`` (Kafka has acknowledged the record) or ``discarded``.
        actor: who did it.
        acted_at: wall clock.
        topic, partition, offset: where the record stood; the letter itself may be gone before this is.
        agent: who could not handle it.
        error_type: why.
        retry_count: how often the record had been replayed before.
        reason: in words.
    """

    dead_letter_id: str
    action: str
    actor: str
    acted_at: Micros
    topic: str
    partition: int
    offset: int
    agent: str
    error_type: str
    retry_count: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """A vehicle was away from the site for a short while during a visit: left, and came back."""

    left_at: Micros
    returned_at: Micros
    exit_event_id: str
    entry_event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A vehicle's stay at a site, from entry to exit. Consumers upsert by revision.

    Attributes:
        visit_id: uuid5 of the site and the sighting that started it.
        revision: 1, 2, ...
        outcome: ``open``, ``completed`` (entry and exit are known), ``exit_missed`` (the plate entered again),
            ``exit_only`` (nobody saw it enter), ``expired`` (open for longer than a visit lasts) or ``withdrawn``
            (later news showed that there was no such visit).
        started_at: event time of the sighting that started it: the entry, or the exit where no entry is known. Frozen.
        plate_text: normalised identity, as the entry tells it; None for an unreadable plate.
        exit_plate_text: the same as the exit tells it.
        ended_at: event time at which it ceased to be open.
        match: how the exit was matched: ``exact``, ``confusable`` (equal up to OCR confusables) or ``likelihood``.
        match_score: probability that the exit's read came from the visit's plate.
        dwell_s: seconds from entry to exit, absences included.
        absent_s: seconds of the absences.
        occupancy: open visits of the site after this change.
        capacity: places of the site, where that is known.
        updated_at: newest event time of the site's gates at this change.
    """

    visit_id: str
    revision: int
    site_id: str
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
    dwell_s: float | None = None
    absent_s: float = 0.0
    absences: tuple[Absence, ...] = ()
    occupancy: int = 0
    capacity: int | None = None
    updated_at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera of the registry.

    Attributes:
        role: ``entry``, ``exit`` or ``both`` (the direction of each sighting decides) for cameras at the gates of a
            site; None: no gate.
        lateness_s: how late reads of this camera may arrive.
        max_rate_per_s: detections a second above which it is sampled; None: no cap.
        country: where it stands, ``de`` or ``us-ca``; a plate without a region is checked against its formats.
    """

    camera_id: str
    site_id: str | None = None
    name: str | None = None
    location: Location | None = None
    zone: str | None = None
    direction: str | None = None
    role: str | None = None
    time_zone: str | None = None
    lateness_s: float | None = None
    max_rate_per_s: float | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchlistEntry:
    """An entry of a watchlist.

    Attributes:
        plate: normalised plate, or a pattern with ``?`` (one character) and ``*`` (any run).
        kind: ``deny`` (alert on it) or ``permit``.
        days, hours: of a permit, such as ``mon-fri`` and ``08:00-18:00``; None: always.
        time_zone: IANA zone of the days, hours and the quota; None: the site's own.
        quota: entries of one plate that a permit allows, such as ``2/day`` or ``5/week``; None: any number.
        likelihood: least likelihood at which a read counts as a permit's plate; None: the default.
    """

    list_id: str
    entry_id: str
    plate: str
    kind: str = "deny"
    region: str | None = None
    vehicle_make: str | None = None
    vehicle_color: str | None = None
    reason: str | None = None
    priority: str = "medium"
    valid_from: Micros | None = None
    valid_until: Micros | None = None
    sites: tuple[str, ...] = ()
    days: str | None = None
    hours: str | None = None
    time_zone: str | None = None
    quota: str | None = None
    likelihood: float | None = None
