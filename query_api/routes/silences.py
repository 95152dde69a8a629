"""Silences: alerts whose notifications are held back for a while."""

from typing import Annotated, Any
from uuid import uuid4, uuid5

from fastapi import APIRouter, Header, Path, Query

from query_api import models
from query_api.context import Api
from query_api.errors import FieldProblem, Invalid, NotFound
from query_api.parameters import MAX_SILENCE, Note, SilenceBody, Text
from schemas.clock import from_datetime
from schemas.events import AlertAction
from schemas.keys import NAMESPACE

router = APIRouter(tags=["alerts"])
_BAD: dict[int | str, dict[str, Any]] = {400: {"description": "The body is not JSON"}}
_NONE: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such silence, or it is over"}}


@router.get("/silences", summary="Silences in force")
async def silences(api: Api) -> models.Silences:
    """The silences that are in force or still to come, the first to end first."""
    now = api.now
    rows = await api.ports.store.silences(now)
    return models.Silences(items=[api.present.silence(row, now) for row in rows])


@router.post("/silences", status_code=202, summary="Silence alerts", responses=_BAD)
async def silence(
    api: Api,
    body: SilenceBody,
    idempotency_key: Annotated[
        Text | None, Header(description="The same key is the same silence, however often it is sent")
    ] = None,
) -> models.SilenceAccepted:
    """Hold the notifications of alerts back that fit the matcher. The alerts are raised and kept all the same."""
    now = api.now
    starts_at = body.starts_at or now
    if body.until <= max(now, starts_at):
        raise Invalid("it would be over before it begins", (FieldProblem("until", "must lie after its beginning"),))
    if body.until - now > MAX_SILENCE:
        raise Invalid("a silence ends within a year", (FieldProblem("until", "at most a year ahead"),))
    silence_id = str(uuid4()) if idempotency_key is None else str(uuid5(NAMESPACE, f"http-silence|{idempotency_key}"))
    action = AlertAction(
        action_id=silence_id,
        alert_id=silence_id,
        action="silence",
        actor=body.author,
        acted_at=from_datetime(now),
        note=body.comment,
        until=from_datetime(body.until),
        starts_at=from_datetime(starts_at),
        matcher=body.matcher.as_event(),
    )
    await api.ports.publisher.publish_action(action)
    return models.SilenceAccepted(silence_id=silence_id)


@router.delete("/silences/{silence_id}", status_code=202, summary="End a silence", responses=_NONE)
async def unsilence(
    api: Api,
    silence_id: Annotated[Text, Path()],
    actor: Annotated[Text, Query(description="Who does it")],
    note: Annotated[Note | None, Query(description="Why")] = None,
) -> models.ActionAccepted:
    """End a silence before its time. A silence that was made a moment ago may not be known yet."""
    now = api.now
    found = next((row for row in await api.ports.store.silences(now) if row.silence_id == silence_id), None)
    if found is None:
        raise NotFound(f"there is no silence {silence_id!r:.80} in force or to come")
    action = AlertAction(
        # ended twice is ended once
        action_id=str(uuid5(NAMESPACE, f"http-unsilence|{silence_id}")),
        alert_id=found.alert_id,  # its partition: the end must stand behind the beginning
        action="unsilence",
        actor=actor,
        acted_at=from_datetime(now),
        note=note,
        silence_id=silence_id,
    )
    await api.ports.publisher.publish_action(action)
    return models.ActionAccepted(action_id=action.action_id)
