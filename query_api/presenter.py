"""From stored rows to the API's documents: nested objects, presigned images, the state of an alert. No I/O."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from query_api import models
from query_api.plates import PlateQuery
from query_api.ports import ImageStore
from query_api.values import ActionRow, AlertRow, CameraRow, EventRow, Hit, ImageLink, SilenceRow
from schemas import events, identity


class Presenter:
    """Makes documents.

    Args:
        images: signs the links.
    """

    def __init__(self, images: ImageStore) -> None:
        self._images = images

    def event(self, row: EventRow, query: PlateQuery | None = None, whole: bool = False) -> models.Event:
        """An event.

        Args:
            row: as stored.
            query: the plate that was looked for, for `match_likelihood`.
            whole: with the alternatives of each character.
        """
        characters = _characters(row.characters)
        has_plate = row.plate_text is not None or row.plate_normalized_text is not None
        vehicle = (row.vehicle_type, row.vehicle_make, row.vehicle_model, row.vehicle_color, row.vehicle_confidence)
        return models.Event(
            event_id=row.event_id,
            captured_at=_utc(row.captured_at),
            camera_id=row.camera_id,
            site_id=row.site_id,
            track_id=row.track_id,
            revision=row.revision,
            plate=models.Plate(
                text=row.plate_text,
                normalized_text=row.plate_normalized_text,
                confidence=row.plate_confidence,
                region=row.plate_region,
                characters=[
                    [models.Alternative(char=item.char, probability=item.probability) for item in position]
                    for position in characters
                ]
                if whole
                else None,
            )
            if has_plate
            else None,
            resolved=models.Resolved(
                text=row.resolved_text, confidence=row.resolved_confidence, previous_text=row.previous_text
            )
            if row.resolved_text is not None
            else None,
            match_likelihood=_likelihood(row, characters, query),
            vehicle=models.Vehicle(
                type=vehicle[0], make=vehicle[1], model=vehicle[2], color=vehicle[3], confidence=vehicle[4]
            )
            if any(value is not None for value in vehicle)
            else None,
            images=self._pictures(row.plate_image_url, row.vehicle_image_url, row.frame_url),
            location=_location(row.latitude, row.longitude),
            direction=row.direction,
            first_seen_at=_utc(row.first_seen_at),
            last_seen_at=_utc(row.last_seen_at),
            reads=row.reads,
            detections=row.detections,
            latency_ms=row.latency_ms,
            is_final=row.is_final,
            visit_id=row.visit_id,
            merged_into=row.merged_into,
            node=row.node,
            extras=row.extras or {},
        )

    def hit(self, hit: Hit) -> models.SearchHit:
        """A full-text hit."""
        return models.SearchHit(event=self.event(hit.event), score=hit.score, highlights=hit.highlights)

    def alert(self, row: AlertRow, now: datetime) -> models.Alert:
        """An alert in a list."""
        return models.Alert(**self._alert(row, now))

    def alert_detail(self, row: AlertRow, now: datetime) -> models.AlertDetail:
        """A single alert."""
        receipts = [models.Receipt.model_validate(receipt) for receipt in row.receipts]
        return models.AlertDetail(**self._alert(row, now), receipts=receipts)

    def _alert(self, row: AlertRow, now: datetime) -> dict[str, Any]:
        pictures = row.images or {}
        return {
            "alert_id": row.alert_id,
            "fired_at": _utc(row.fired_at),
            "captured_at": _utc(row.captured_at),
            "rule": models.Rule(id=row.rule_id, name=row.rule_name, version=row.rule_version),
            "severity": row.severity,
            "state": _state(row.done),
            "key": row.key,
            "message": row.message,
            "camera_id": row.camera_id,
            "site_id": row.site_id,
            "plate_text": row.plate_text,
            "likelihood": row.likelihood,
            "matched_plate": row.matched_plate,
            "suppressed": row.suppressed,
            "event_ids": list(row.event_ids),
            "proof": row.proof or {},
            "images": self._pictures(pictures.get("plate_url"), pictures.get("vehicle_url"), pictures.get("frame_url")),
            "context": row.context or {},
            "silenced_until": _silenced_until(row.done, now),
            "labels": list(dict.fromkeys(item.label for item in row.done if item.action == "label" and item.label)),
            "actions": [models.AlertActionDone.model_validate(item) for item in row.done],
        }

    @staticmethod
    def silence(row: SilenceRow, now: datetime) -> models.Silence:
        """A silence."""
        return models.Silence(
            silence_id=row.silence_id,
            state="active" if row.starts_at <= now else "pending",
            alert_id=row.alert_id if row.matcher is None else None,
            matcher=None if row.matcher is None else models.Matcher.model_validate(row.matcher),
            starts_at=row.starts_at.astimezone(UTC),
            until=row.until.astimezone(UTC),
            author=row.author,
            comment=row.comment,
        )

    def _pictures(self, plate: str | None, vehicle: str | None, frame: str | None) -> models.Images:
        return models.Images(
            plate=_image(self._images.link(plate)),
            vehicle=_image(self._images.link(vehicle)),
            frame=_image(self._images.link(frame)),
        )


def camera(row: CameraRow) -> models.Camera:
    """A camera."""
    return models.Camera(
        camera_id=row.camera_id,
        site_id=row.site_id,
        events=row.events,
        vehicles=row.vehicles,
        mean_confidence=row.confidence,
        first_event_at=row.first_at,
        last_event_at=row.last_at,
        location=_location(row.latitude, row.longitude),
    )


def _image(link: ImageLink | None) -> models.Image | None:
    return None if link is None else models.Image(url=link.url, expires_at=link.expires_at)


def _location(lat: float | None, lon: float | None) -> models.Location | None:
    return None if lat is None or lon is None else models.Location(lat=lat, lon=lon)


def _utc(moment: datetime | None) -> Any:
    return None if moment is None else moment.astimezone(UTC)


def _state(done: Iterable[ActionRow]) -> models.AlertState:
    actions = {item.action for item in done}
    if "resolve" in actions:
        return "resolved"
    return "acknowledged" if "acknowledge" in actions else "open"


def _silenced_until(done: Iterable[ActionRow], now: datetime) -> datetime | None:
    """The latest silence that nobody has ended decides; one that is over is none."""
    done = list(done)
    ended = {item.silence_id for item in done if item.action == "unsilence"}
    ends = [item.until for item in done if item.action == "silence" and item.action_id not in ended]
    return ends[-1] if ends and ends[-1] is not None and ends[-1] > now else None


def _characters(stored: list[Any] | None) -> tuple[tuple[events.CharacterAlternative, ...], ...]:
    """The alternatives; stored JSON of another shape counts as none."""
    try:
        return tuple(
            tuple(events.CharacterAlternative(str(item["char"]), float(item["probability"])) for item in position)
            for position in stored or ()
        )
    except (TypeError, KeyError, ValueError):
        return ()


def _likelihood(
    row: EventRow, characters: tuple[tuple[events.CharacterAlternative, ...], ...], query: PlateQuery | None
) -> float | None:
    if query is None or query.is_pattern or row.plate_normalized_text is None:
        return None
    plate = events.Plate(
        row.plate_text or "", row.plate_normalized_text, row.plate_confidence or 0.0, row.plate_region, characters
    )
    return identity.likelihood(plate, query.typed)
