"""How each event becomes a row: the tables of ``sql/`` as data."""

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from agents.sinks.storable import moment
from schemas.aliases import FLAT_NAMES, SIGHTING_NAMES, value_at
from schemas.events import Alert, AlertAction, DeadLetter, Detection, Metric, Receipt, Sighting, Visit
from schemas.records import to_json_record

Event = TypeVar("Event")
TIMES = frozenset({"captured_at", "first_seen_at", "last_seen_at", "watermark"})
_TYPES = {
    **dict.fromkeys(TIMES, "timestamptz"),
    **dict.fromkeys(("reads", "detections", "revision"), "int8"),
    **dict.fromkeys(
        ("plate_confidence", "resolved_confidence", "vehicle_confidence", "latitude", "longitude", "latency_ms"),
        "float8",
    ),
    "is_final": "bool",
}


@dataclass(frozen=True, slots=True)
class Column(Generic[Event]):
    """A column of a table.

    Attributes:
        name: in the table.
        type: SQL type; ``jsonb`` and ``text[]`` values travel as JSON text.
        value: gives it, from the event.
    """

    name: str
    type: str
    value: Callable[[Event], Any]


@dataclass(frozen=True, slots=True)
class SqlTable(Generic[Event]):
    """A table with its rule of replacement.

    Attributes:
        name: of the table.
        columns: what is written.
        key: columns that tell rows apart: the conflict target.
        key_of: the same, from an event.
        version: column that must be higher to replace a row; None: a row never changes.
        version_of: the same, from an event.
    """

    name: str
    columns: tuple[Column[Event], ...]
    key: tuple[str, ...]
    key_of: Callable[[Event], Hashable]
    version: str | None = None
    version_of: Callable[[Event], int] = lambda _event: 0

    def row(self, event: Event) -> tuple[Any, ...]:
        """Values in the order of the columns.

        Raises:
            SinkRejected: a time outside of the calendar.
        """
        return tuple([column.value(event) for column in self.columns])


@cache
def plate_events() -> SqlTable[Sighting]:
    """Sightings, by revision."""
    return SqlTable(
        "plate_events",
        (*(_flat(name, path) for name, path in SIGHTING_NAMES.items()), _node(), _characters(), _extras()),
        key=("event_id", "captured_at"),
        key_of=lambda event: (event.event_id, event.captured_at),
        version="revision",
        version_of=lambda event: event.revision,
    )


@cache
def vehicle_events() -> SqlTable[Detection]:
    """Vehicles without a plate: the early message, then the final one."""
    columns = (_flat(name, path) for name, path in FLAT_NAMES.items() if not name.startswith("plate_"))
    return SqlTable(
        "vehicle_events",
        (*columns, Column("revision", "int8", stage), _node(), _extras()),
        key=("event_id", "captured_at"),
        key_of=lambda event: (event.event_id, event.captured_at),
        version="revision",
        version_of=stage,
    )


def stage(detection: Detection) -> int:
    """Which of the edge's two messages about a track it is: 1 early, 2 final."""
    return 2 if detection.is_final else 1


@cache
def camera_metrics() -> SqlTable[Metric]:
    """Measurements; a row never changes."""
    return SqlTable(
        "camera_metrics",
        (
            _time("measured_at"),
            Column("camera_id", "text", lambda metric: metric.camera_id or ""),
            Column("name", "text", lambda metric: metric.name),
            Column("value", "float8", lambda metric: float(metric.value)),
            Column("unit", "text", lambda metric: metric.unit),
            Column("tags", "jsonb", lambda metric: as_json(metric.tags)),
        ),
        key=("name", "camera_id", "measured_at"),
        key_of=lambda metric: (metric.name, metric.camera_id or "", metric.measured_at),
    )


@cache
def alerts() -> SqlTable[Alert]:
    """Alerts; the same id is the same alert."""
    return SqlTable(
        "alerts",
        (
            Column("alert_id", "text", lambda alert: alert.alert_id),
            _time("fired_at"),
            _time("captured_at"),
            Column("rule_id", "text", lambda alert: alert.rule.id),
            Column("rule_name", "text", lambda alert: alert.rule.name),
            Column("rule_version", "text", lambda alert: alert.rule.version),
            *(_text(name) for name in ("severity", "key", "message", "camera_id", "site_id", "plate_text")),
            Column("likelihood", "float8", lambda alert: _float(alert.proof.likelihood)),
            Column("matched_plate", "text", lambda alert: alert.proof.matched_plate),
            Column("suppressed", "int8", lambda alert: alert.proof.suppressed),
            Column("event_ids", "text[]", lambda alert: as_json(alert.proof.event_ids)),
            Column("proof", "jsonb", lambda alert: as_json(to_json_record(alert.proof))),
            Column("images", "jsonb", lambda alert: as_json(to_json_record(alert.images))),
            Column("actions", "jsonb", lambda alert: as_json([to_json_record(action) for action in alert.actions])),
            Column("context", "jsonb", lambda alert: as_json(alert.context)),
        ),
        key=("alert_id", "fired_at"),
        key_of=lambda alert: (alert.alert_id, alert.fired_at),
    )


@cache
def alert_actions() -> SqlTable[AlertAction]:
    """What people did with alerts."""
    names = ("action_id", "alert_id", "action", "actor", "label", "note", "silence_id")
    return SqlTable(
        "alert_actions",
        (
            *(_text(name) for name in names),
            *(_time(name) for name in ("acted_at", "until", "starts_at")),
            Column("matcher", "jsonb", _matcher),
        ),
        key=("action_id", "acted_at"),
        key_of=lambda action: (action.action_id, action.acted_at),
    )


def _matcher(action: AlertAction) -> str | None:
    return None if action.matcher is None else as_json(to_json_record(action.matcher))


@cache
def notifications() -> SqlTable[Receipt]:
    """The latest receipt of each notification: a replay may deliver what had failed."""
    names = ("notification_id", "alert_id", "rule_id", "channel", "recipient", "outcome", "detail")
    return SqlTable(
        "notifications",
        (
            *(_text(name) for name in names),
            _count("attempts"),
            _time("captured_at"),
            _time("settled_at"),
        ),
        key=("notification_id", "captured_at"),
        key_of=lambda receipt: (receipt.notification_id, receipt.captured_at),
        version="settled_at",
        version_of=lambda receipt: receipt.settled_at,
    )


@cache
def visits() -> SqlTable[Visit]:
    """Visits, by revision."""
    names = (
        *("visit_id", "site_id", "outcome", "plate_text", "plate_region", "entry_event_id", "entry_camera_id"),
        *("exit_event_id", "exit_camera_id", "exit_plate_text", "match"),
    )
    return SqlTable(
        "visits",
        (
            *(_text(name) for name in names),
            *(_time(name) for name in ("started_at", "entered_at", "exited_at", "ended_at", "updated_at")),
            *(_count(name) for name in ("revision", "occupancy", "capacity")),
            Column("match_score", "float8", lambda visit: _float(visit.match_score)),
            Column("dwell_s", "float8", lambda visit: _float(visit.dwell_s)),
            Column("absent_s", "float8", lambda visit: _float(visit.absent_s)),
            Column("absences", "jsonb", lambda visit: as_json([to_json_record(item) for item in visit.absences])),
        ),
        key=("visit_id", "started_at"),
        key_of=lambda visit: (visit.visit_id, visit.started_at),
        version="revision",
        version_of=lambda visit: visit.revision,
    )


@cache
def dead_letters() -> SqlTable[DeadLetter]:
    """Dead letters without their bytes. Their text is made storable: a letter that is refused would write a letter."""
    return SqlTable(
        "dead_letters",
        (
            *(_clean_text(name) for name in ("dead_letter_id", "topic", "agent", "error_type", "message")),
            _time("failed_at"),
            *(_count(name) for name in ("partition", "offset", "retry_count")),
            Column("size_bytes", "int8", lambda letter: len(letter.value or b"")),
        ),
        key=("dead_letter_id",),
        key_of=lambda letter: letter.dead_letter_id,
    )


def as_json(value: Any) -> str:
    """JSON text of a value that has been checked to be storable."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _flat(name: str, path: tuple[str, ...]) -> Column[Any]:
    if name in TIMES:
        return _time(name)
    kind = _TYPES.get(name, "text")
    if kind == "float8":
        return Column(name, kind, lambda event: _float(value_at(event, path)))
    return Column(name, kind, lambda event: value_at(event, path))


def _text(name: str) -> Column[Any]:
    return Column(name, "text", lambda event: getattr(event, name))


def _count(name: str) -> Column[Any]:
    return Column(name, "int8", lambda event: getattr(event, name))


def _clean_text(name: str) -> Column[Any]:
    return Column(name, "text", lambda event: getattr(event, name).replace("\0", "\ufffd"))


def _time(name: str) -> Column[Any]:
    def value(event: Any) -> Any:
        micros = getattr(event, name)
        return None if micros is None else moment(micros, name)

    return Column(name, "timestamptz", value)


def _node() -> Column[Any]:
    return Column("node", "jsonb", lambda event: None if event.node is None else as_json(to_json_record(event.node)))


def _characters() -> Column[Any]:
    def value(event: Any) -> str | None:
        if event.plate is None or not event.plate.characters:
            return None
        return as_json(to_json_record(event.plate)["characters"])

    return Column("characters", "jsonb", value)


def _extras() -> Column[Any]:
    return Column("extras", "jsonb", lambda event: as_json(event.extras))
