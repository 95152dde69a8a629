"""Ports in memory, with the conduct of the real ones; the conformance tests hold them to it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from query_api.errors import InvalidQuery
from query_api.ports import Ports
from query_api.stores.highlights import highlights
from query_api.values import (
    EVENT_NAMES,
    ActionRow,
    AlertFilter,
    AlertRow,
    CameraRow,
    EventFilter,
    EventRow,
    Hit,
    ImageLink,
    Position,
    ReceiptRow,
    SilenceRow,
    Stats,
    TextQuery,
    Totals,
)
from query_api.visit_values import VISIT_NAMES, OccupancyRow, VisitFilter, VisitRow
from schemas.aliases import flatten
from schemas.clock import to_datetime
from schemas.errors import SchemaError, Unavailable
from schemas.events import Alert, AlertAction, DeadLetter, Detection, Receipt, Sighting, Visit
from schemas.identity import fold, normalise
from schemas.records import to_json_record

Anything = Detection | Sighting | Alert | AlertAction | Receipt | DeadLetter | Visit
_TIMES = {"captured_at", "first_seen_at", "last_seen_at"}


class Switch:
    """A dependency that can be away."""

    def __init__(self) -> None:
        self.away = False
        self.opened = False

    async def open(self) -> None:
        """Ready."""
        self.opened = True

    async def close(self) -> None:
        """Closed."""
        self.opened = False

    async def ping(self) -> None:
        """Answers unless it is away."""
        self.check()

    def check(self) -> None:
        """Raises where it is away."""
        if self.away:
            raise Unavailable(f"{type(self).__name__} is away", retry_after_s=7)


class MemoryStore(Switch):
    """An `EventStore` of lists."""

    def __init__(self) -> None:
        super().__init__()
        self._sightings: dict[str, EventRow] = {}
        self._vehicles: dict[str, EventRow] = {}
        self._alerts: dict[str, Alert] = {}
        self._actions: dict[str, AlertAction] = {}
        self._receipts: dict[str, Receipt] = {}
        self._letters: dict[str, DeadLetter] = {}
        self._visits: dict[str, Visit] = {}

    async def seed(self, *items: Anything) -> None:
        """Take events in as the sink would."""
        for item in items:
            match item:
                case Sighting():
                    known = self._sightings.get(item.event_id)
                    if known is None or (known.revision or 0) < item.revision:
                        self._sightings[item.event_id] = event_row(item)
                case Detection():
                    self._vehicles[item.event_id] = event_row(item)
                case Alert():
                    self._alerts[item.alert_id] = item
                case AlertAction():
                    self._actions.setdefault(item.action_id, item)
                case Receipt():
                    self._receipts[item.notification_id] = item
                case Visit():
                    known_visit = self._visits.get(item.visit_id)
                    if known_visit is None or known_visit.revision < item.revision:
                        self._visits[item.visit_id] = item
                case DeadLetter():
                    self._letters[item.dead_letter_id] = item

    async def events(self, wanted: EventFilter, after: Position | None, limit: int) -> list[EventRow]:
        """See the port."""
        self.check()
        rows = [row for row in self._sightings.values() if _event_fits(row, wanted)]
        rows.sort(key=lambda row: (row.captured_at, row.event_id), reverse=True)
        if after is not None:
            rows = [row for row in rows if (row.captured_at, row.event_id) < (after.at, after.id)]
        return rows[:limit]

    async def event(self, event_id: str) -> EventRow | None:
        """See the port."""
        self.check()
        return self._sightings.get(event_id) or self._vehicles.get(event_id)

    async def alerts(self, wanted: AlertFilter, after: Position | None, limit: int) -> list[AlertRow]:
        """See the port."""
        self.check()
        rows = [self._alert(item) for item in self._alerts.values()]
        rows = [row for row in rows if _alert_fits(row, wanted)]
        rows.sort(key=lambda row: (row.fired_at, row.alert_id), reverse=True)
        if after is not None:
            rows = [row for row in rows if (row.fired_at, row.alert_id) < (after.at, after.id)]
        return rows[:limit]

    async def alert(self, alert_id: str) -> AlertRow | None:
        """See the port."""
        self.check()
        found = self._alerts.get(alert_id)
        if found is None:
            return None
        receipts = sorted((r for r in self._receipts.values() if r.alert_id == alert_id), key=lambda r: r.settled_at)
        return self._alert(found, tuple(map(_receipt_row, receipts)))

    async def silences(self, now: datetime) -> list[SilenceRow]:
        """See the port."""
        self.check()
        ended = {item.silence_id for item in self._actions.values() if item.action == "unsilence"}
        rows = [
            SilenceRow(
                silence_id=item.action_id,
                alert_id=item.alert_id,
                matcher=None if item.matcher is None else to_json_record(item.matcher),
                starts_at=to_datetime(item.acted_at if item.starts_at is None else item.starts_at),
                until=to_datetime(item.until),
                author=item.actor,
                comment=item.note,
            )
            for item in self._actions.values()
            if item.action == "silence" and item.until is not None and item.action_id not in ended
        ]
        return sorted((row for row in rows if row.until > now), key=lambda row: (row.until, row.silence_id))

    async def visits(self, wanted: VisitFilter, after: Position | None, limit: int) -> list[VisitRow]:
        """See the port."""
        self.check()
        rows = [visit_row(item) for item in self._visits.values()]
        rows = [row for row in rows if _visit_fits(row, wanted)]
        rows.sort(key=lambda row: (row.started_at, row.visit_id), reverse=True)
        if after is not None:
            rows = [row for row in rows if (row.started_at, row.visit_id) < (after.at, after.id)]
        return rows[:limit]

    async def visit(self, visit_id: str) -> VisitRow | None:
        """See the port."""
        self.check()
        found = self._visits.get(visit_id)
        return None if found is None else visit_row(found)

    async def occupancy(self, site_id: str) -> OccupancyRow | None:
        """See the port."""
        self.check()
        mine = [item for item in self._visits.values() if item.site_id == site_id]
        if not mine:
            return None
        inside = [item.started_at for item in mine if item.outcome == "open"]
        newest = max(mine, key=lambda item: item.updated_at)
        return OccupancyRow(
            site_id=site_id,
            occupancy=len(inside),
            capacity=newest.capacity,
            oldest_entry_at=to_datetime(min(inside)) if inside else None,
            updated_at=to_datetime(newest.updated_at),
        )

    async def stats(self, since: datetime) -> Stats:
        """See the port."""
        self.check()
        recent = [row for row in self._sightings.values() if row.captured_at >= since]
        return Stats(
            totals=Totals(
                events=len(self._sightings),
                vehicles=len(self._vehicles),
                alerts=len(self._alerts),
                dead_letters=len(self._letters),
            ),
            recent=Totals(
                events=len(recent),
                vehicles=sum(row.captured_at >= since for row in self._vehicles.values()),
                alerts=sum(to_datetime(item.fired_at) >= since for item in self._alerts.values()),
                dead_letters=sum(to_datetime(item.failed_at) >= since for item in self._letters.values()),
                plates=len({row.resolved_text or row.plate_normalized_text for row in recent} - {None}),
            ),
            cameras=tuple(await self.cameras(since)),
            alerts_by_severity=dict(Counter(item.severity for item in self._alerts.values())),
            dead_letters_by_error=dict(Counter(item.error_type for item in self._letters.values())),
        )

    async def cameras(self, since: datetime) -> list[CameraRow]:
        """See the port."""
        self.check()
        rows = [*self._sightings.values(), *self._vehicles.values()]
        rows = sorted((row for row in rows if row.captured_at >= since), key=lambda row: row.captured_at)
        return [
            _camera(camera_id, [row for row in rows if row.camera_id == camera_id], self._vehicles)
            for camera_id in sorted({row.camera_id for row in rows})
        ]

    def _alert(self, item: Alert, receipts: tuple[ReceiptRow, ...] = ()) -> AlertRow:
        done = sorted((a for a in self._actions.values() if a.alert_id == item.alert_id), key=lambda a: a.acted_at)
        return AlertRow(
            alert_id=item.alert_id,
            fired_at=to_datetime(item.fired_at),
            captured_at=to_datetime(item.captured_at),
            rule_id=item.rule.id,
            rule_name=item.rule.name,
            rule_version=item.rule.version,
            severity=item.severity,
            key=item.key,
            message=item.message,
            camera_id=item.camera_id,
            site_id=item.site_id,
            plate_text=item.plate_text,
            likelihood=item.proof.likelihood,
            matched_plate=item.proof.matched_plate,
            suppressed=item.proof.suppressed,
            event_ids=item.proof.event_ids,
            proof=to_json_record(item.proof),
            images=to_json_record(item.images),
            context=item.context,
            done=tuple(map(_action_row, done)),
            receipts=receipts,
        )


class MemoryIndex(Switch):
    """A `SearchIndex` that looks for whole words and for the plate."""

    def __init__(self) -> None:
        super().__init__()
        self._documents: dict[str, Sighting] = {}

    async def seed(self, *items: Sighting) -> None:
        """Take sightings in as the sink would."""
        self._documents.update({item.event_id: item for item in items})

    async def search(self, query: TextQuery, after: tuple[float, int, str] | None, limit: int) -> list[Hit]:
        """See the port."""
        self.check()
        if query.text == "!refused!":
            raise InvalidQuery("refused")
        hits = [hit for item in self._documents.values() if (hit := _hit(item, query)) is not None]
        hits.sort(key=lambda hit: hit.after, reverse=True)
        return [hit for hit in hits if after is None or hit.after < after][:limit]


class MemoryImages(Switch):
    """An `ImageStore` whose signature is a word."""

    def link(self, url: str | None) -> ImageLink | None:
        """See the port."""
        if not url:
            return None
        if url.startswith(("http://", "https://")):
            return ImageLink(url, None)
        prefix = "s3://alpr-plate-images/"
        if not url.startswith(prefix) or url == prefix or "/../" in url:
            return None
        expires_at = datetime.now(UTC) + timedelta(hours=1)
        return ImageLink(f"http://images.test/{url[len('s3://') :]}?signature=test", expires_at)


class MemoryPublisher(Switch):
    """A `Publisher` that keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.detections: list[Detection] = []
        self.actions: list[AlertAction] = []

    async def publish_detections(self, detections: Sequence[Detection]) -> None:
        """See the port."""
        self.check()
        if any(detection.reads >= 2**31 for detection in detections):
            raise SchemaError("reads does not fit")
        self.detections += detections

    async def publish_action(self, action: AlertAction) -> None:
        """See the port."""
        self.check()
        self.actions.append(action)


class MemoryPorts:
    """The four together, by their own types."""

    def __init__(self) -> None:
        self.store, self.index = MemoryStore(), MemoryIndex()
        self.images, self.publisher = MemoryImages(), MemoryPublisher()

    @property
    def ports(self) -> Ports:
        """As an app takes them."""
        return Ports(self.store, self.index, self.images, self.publisher)


def event_row(item: Detection | Sighting) -> EventRow:
    """The row that the sink would write."""
    flat: dict[str, Any] = {name: value for name, value in flatten(item).items() if name in EVENT_NAMES}
    for name in _TIMES:
        flat[name] = to_datetime(flat[name])
    record = to_json_record(item)
    characters = (record["plate"] or {}).get("characters")
    flat |= {"node": record["node"], "extras": record["extras"], "characters": characters}
    return EventRow(**flat)


def _event_fits(row: EventRow, wanted: EventFilter) -> bool:
    confidence = row.resolved_confidence if row.resolved_confidence is not None else row.plate_confidence
    same_text = (
        (row.plate_region, wanted.region),
        (row.direction, wanted.direction),
        (row.vehicle_type, wanted.vehicle_type),
        (row.vehicle_make, wanted.vehicle_make),
        (row.vehicle_model, wanted.vehicle_model),
        (row.vehicle_color, wanted.vehicle_color),
    )
    return (
        (wanted.plate is None or wanted.plate.matches(row.plate_normalized_text, row.resolved_text))
        and (not wanted.camera_ids or row.camera_id in wanted.camera_ids)
        and (not wanted.site_ids or row.site_id in wanted.site_ids)
        and (wanted.start is None or row.captured_at >= wanted.start)
        and (wanted.end is None or row.captured_at < wanted.end)
        and (wanted.min_confidence is None or (confidence is not None and confidence >= wanted.min_confidence))
        and all(want is None or (have or "").lower() == want.lower() for have, want in same_text)
    )


def _alert_fits(row: AlertRow, wanted: AlertFilter) -> bool:
    shown = normalise(row.plate_text or "")
    acknowledged = any(item.action in ("acknowledge", "resolve") for item in row.done)
    return (
        (not wanted.rule_ids or row.rule_id in wanted.rule_ids)
        and (not wanted.severities or row.severity in wanted.severities)
        and (wanted.plate is None or wanted.plate.matches(shown, row.matched_plate))
        and (not wanted.camera_ids or row.camera_id in wanted.camera_ids)
        and (not wanted.site_ids or row.site_id in wanted.site_ids)
        and (wanted.start is None or row.fired_at >= wanted.start)
        and (wanted.end is None or row.fired_at < wanted.end)
        and (wanted.acknowledged is None or wanted.acknowledged == acknowledged)
    )


def _action_row(item: AlertAction) -> ActionRow:
    return ActionRow(
        action_id=item.action_id,
        acted_at=to_datetime(item.acted_at),
        action=item.action,
        actor=item.actor,
        label=item.label,
        note=item.note,
        until=None if item.until is None else to_datetime(item.until),
        silence_id=item.silence_id,
    )


def _receipt_row(item: Receipt) -> ReceiptRow:
    return ReceiptRow(
        channel=item.channel,
        recipient=item.recipient,
        outcome=item.outcome,
        attempts=item.attempts,
        detail=item.detail,
        settled_at=to_datetime(item.settled_at),
    )


def _camera(camera_id: str, rows: Sequence[EventRow], vehicles: Iterable[str]) -> CameraRow:
    plates = [row for row in rows if row.event_id not in vehicles]
    site = next((row.site_id for row in reversed(rows) if row.site_id is not None), None)
    place = next(((row.latitude, row.longitude) for row in reversed(rows) if row.latitude is not None), (None, None))
    scores = [row.resolved_confidence or row.plate_confidence or 0.0 for row in plates]
    return CameraRow(
        camera_id=camera_id,
        site_id=site,
        events=len(plates),
        vehicles=len(rows) - len(plates),
        confidence=sum(scores) / len(scores) if scores else None,
        first_at=rows[0].captured_at,
        last_at=rows[-1].captured_at,
        latitude=place[0],
        longitude=place[1],
    )


def _hit(item: Sighting, query: TextQuery) -> Hit | None:
    row = event_row(item)
    period = EventFilter(camera_ids=query.camera_ids, site_ids=query.site_ids, start=query.start, end=query.end)
    if not _event_fits(row, period):
        return None
    source = {name: getattr(row, name) for name in EVENT_NAMES}
    words = " ".join(str(value) for value in (*source.values(), *item.extras.values())).casefold().split()
    plate = normalise(query.text)
    texts = {row.plate_normalized_text, row.resolved_text}
    if plate and plate in texts:
        score = 10.0
    elif plate and fold(plate) in {fold(text) for text in texts if text}:
        score = 5.0
    elif all(word in words for word in query.text.casefold().split()):
        score = 1.0
    else:
        return None
    after = (score, item.captured_at // 1000, item.event_id)
    return Hit(event=row, score=score, highlights=highlights(source, query.text), after=after)


def visit_row(item: Visit) -> VisitRow:
    """The row that the sink would write."""
    values = {name: getattr(item, name) for name in VISIT_NAMES}
    for name in ("started_at", "entered_at", "exited_at", "ended_at"):
        values[name] = None if values[name] is None else to_datetime(values[name])
    values["absences"] = tuple(
        {
            "left_at": to_datetime(away.left_at),
            "returned_at": to_datetime(away.returned_at),
            "exit_event_id": away.exit_event_id,
            "entry_event_id": away.entry_event_id,
        }
        for away in item.absences
    )
    return VisitRow(**values)


def _visit_fits(row: VisitRow, wanted: VisitFilter) -> bool:
    outcomes = wanted.outcomes or ("open", "completed", "exit_missed", "exit_only", "expired")
    return (
        row.outcome in outcomes
        and (not wanted.site_ids or row.site_id in wanted.site_ids)
        and (wanted.start is None or row.started_at >= wanted.start)
        and (wanted.end is None or row.started_at < wanted.end)
        and (wanted.plate is None or wanted.plate.matches(row.plate_text, row.exit_plate_text))
    )
