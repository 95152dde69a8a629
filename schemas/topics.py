"""The topic catalogue: what every topic is called, carries, is keyed by and keeps."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from schemas import events

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MIB = 1024 * 1024


class Cleanup(StrEnum):
    """Kafka's ``cleanup.policy``."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as ``alpr topics apply`` creates it.

    Attributes:
        name: Kafka name.
        event: class of its values; None for a topic whose values are not Avro (rules: YAML text).
        key: what the key is, in words for the docs.
        partitions: fixed for the topic's life: RocksDB tables and co-partitioning hang on it.
        retention_ms: how long records stay; None for compacted topics.
        max_message_bytes: largest record that the broker takes.
        doc: what it is for.
        extra: more Kafka settings.
        by_record: the values stand beside the topic's own: their subject is named after their class too.
    """

    name: str
    event: type | None
    key: str
    doc: str
    partitions: int = 8
    cleanup: Cleanup = Cleanup.DELETE
    retention_ms: int | None = 7 * DAY_MS
    max_message_bytes: int = 2 * MIB
    extra: dict[str, str] = field(default_factory=dict)
    by_record: bool = False

    @property
    def subject(self) -> str:
        """Registry subject of the values: Confluent's TopicNameStrategy, or TopicRecordNameStrategy."""
        if self.by_record and self.event is not None:
            return f"{self.name}-alpr.{self.event.__name__}"
        return f"{self.name}-value"

    @property
    def config(self) -> dict[str, str]:
        """Kafka topic settings."""
        config = {
            "cleanup.policy": self.cleanup.value,
            "max.message.bytes": str(self.max_message_bytes),
            **self.extra,
        }
        if self.retention_ms is not None:
            config["retention.ms"] = str(self.retention_ms)
        return config


DETECTED = Topic(
    "alpr.plates.detected",
    events.Detection,
    key="camera_id",
    doc="Detections as producers sent them: Avro or JSON, from the edge agent or any other camera.",
    retention_ms=72 * HOUR_MS,  # so that a purge has an end
    max_message_bytes=11 * MIB,
    # the broker's clock: ages of detections are measured from it, and a producer's clock may be as wrong as a camera's
    extra={"message.timestamp.type": "LogAppendTime"},
)
ROUTED = Topic(
    "alpr.plates.routed",
    events.Detection,
    key="camera_id",
    doc="Validated and enriched detections that have a plate, in order per camera.",
    retention_ms=72 * HOUR_MS,
)
SIGHTINGS = Topic(
    "alpr.events.plates",
    events.Sighting,
    key="plate match key, frozen at revision 1 (unreadable plates: camera_id)",
    doc="Sightings: one event per pass of a vehicle at a camera, with revisions.",
    retention_ms=30 * DAY_MS,
)
VEHICLES = Topic(
    "alpr.events.vehicles", events.Detection, key="camera_id", doc="Vehicles that were seen without a plate."
)
REKEYED_SITE = Topic(
    "alpr.rekeyed.site",
    events.Sighting,
    key="site_id",
    doc="Sightings of gate cameras, together per site. The header alpr-gate says entry or exit.",
)
REKEYED_GROUP = Topic(
    "alpr.rekeyed.group",
    None,
    key="group of a correlation rule",
    doc="Events of correlation rules, together by group (camera, site, ...), and their time; JSON of the worker's.",
    retention_ms=72 * HOUR_MS,
)
REKEYED_PAIR = Topic(
    "alpr.rekeyed.pair",
    None,
    key="pair of plates",
    doc="Meetings of two plates at a camera, together by pair, and their time; JSON of the worker's.",
    retention_ms=72 * HOUR_MS,
)
VISITS = Topic(
    "alpr.visits",
    events.Visit,
    key="site_id",
    doc="Visits of vehicles to sites, from entry to exit, with revisions.",
    retention_ms=30 * DAY_MS,
)
METRICS = Topic(
    "alpr.metrics",
    events.Metric,
    key="camera_id or node",
    doc="Health of cameras and edge agents.",
    retention_ms=DAY_MS,
)
ALERTS = Topic(
    "alpr.alerts",
    events.Alert,
    key="rule id and group",
    doc="Alerts with their proof.",
    retention_ms=30 * DAY_MS,
)
ALERT_ACTIONS = Topic(
    "alpr.alerts.actions",
    events.AlertAction,
    key="alert_id, or the silence's id",
    doc="What people did with alerts: acknowledge, resolve, silence, unsilence, label.",
    # longer than a silence may last: one whose action were forgotten would end
    retention_ms=400 * DAY_MS,
)
NOTIFICATIONS = Topic(
    "alpr.notifications",
    events.Receipt,
    key="alert_id",
    doc="A receipt for each notification: delivered, failed, stale, silenced, inhibited.",
    retention_ms=30 * DAY_MS,
)
NOTIFICATION_WAKES = Topic(
    "alpr.notifications.wakes",
    None,
    key="none: the partition of the alert; of alerts that it sends itself: what brings them together",
    doc="The notifier to itself: wakes (empty), and alerts that are inhibited, grouped or told late together.",
    retention_ms=7 * DAY_MS,
)
DLQ = Topic(
    "alpr.dlq",
    events.DeadLetter,
    key="original topic and partition",
    doc="Dead letters: records that could not be handled, with their original bytes.",
    retention_ms=30 * DAY_MS,
    max_message_bytes=12 * MIB,
)
DLQ_ACTIONS = Topic(
    "alpr.dlq.actions",
    events.DeadLetterAction,
    key="dead_letter_id",
    doc="What people did with dead letters: replayed, discarded. The audit trail, and why nothing is sent twice.",
    partitions=1,
    # longer than the letters live: a letter whose action were forgotten would be sent again
    retention_ms=365 * DAY_MS,
)
CAMERAS = Topic(
    "alpr.cameras",
    events.Camera,
    key="camera_id",
    doc="Camera registry (compacted).",
    partitions=1,
    cleanup=Cleanup.COMPACT,
    retention_ms=None,
)
WATCHLISTS = Topic(
    "alpr.watchlists",
    events.WatchlistEntry,
    key="list and entry id",
    doc="Watchlist entries (compacted).",
    partitions=1,
    cleanup=Cleanup.COMPACT,
    retention_ms=None,
)
RULES = Topic(
    "alpr.rules",
    None,
    key="rule file name",
    doc="Rule files as YAML text (compacted); the text is what `alpr rules lint` accepts.",
    partitions=1,
    cleanup=Cleanup.COMPACT,
    retention_ms=None,
)

CATALOGUE: tuple[Topic, ...] = (
    *(DETECTED, ROUTED, SIGHTINGS, VEHICLES, REKEYED_SITE, REKEYED_GROUP, REKEYED_PAIR, VISITS, METRICS),
    *(ALERTS, ALERT_ACTIONS, NOTIFICATIONS, NOTIFICATION_WAKES, DLQ, DLQ_ACTIONS),
    *(CAMERAS, WATCHLISTS, RULES),
)
CLOCKS = replace(ROUTED, event=events.Clock, key="none: every partition has its own", doc="Time.", by_record=True)
"""Clock records among the detections; `schemas.record_kinds` tells them apart."""
TICKS = replace(SIGHTINGS, event=events.Tick, key="none: sent to every partition", doc="Watermarks.", by_record=True)
"""Ticks among the sightings."""
TICK_SOURCES = ROUTED.partitions
"""Partitions whose cameras' time the ticks tell."""
BESIDE: tuple[Topic, ...] = (CLOCKS, TICKS)
"""Records of another class on topics of the catalogue, with schemas of their own."""
BY_NAME: dict[str, Topic] = {topic.name: topic for topic in CATALOGUE}
