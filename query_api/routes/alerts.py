"""Alerts, and what people do about them."""

from glob import escape
from typing import Annotated, Any
from uuid import uuid4, uuid5

from fastapi import APIRouter, Header, Path, Query

from query_api import models
from query_api.context import Api
from query_api.cursors import alert_cursor, read_alert_cursor
from query_api.errors import FieldProblem, Invalid, NotFound
from query_api.parameters import AlertActionBody, AlertSearch, Text
from query_api.values import AlertRow, Position
from schemas.clock import from_datetime
from schemas.events import AlertAction, AlertMatcher
from schemas.keys import NAMESPACE

router = APIRouter(tags=["alerts"])
_NO_ALERT: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such alert"}}


@router.get("/alerts", summary="Search alerts")
async def search(api: Api, query: Annotated[AlertSearch, Query()]) -> models.Page[models.Alert]:
    """Alerts that fit all filters, newest first, with what was done about each."""
    rows = await api.ports.store.alerts(query.wanted(), read_alert_cursor(query.cursor), query.limit + 1)
    page = rows[: query.limit]
    cursor = alert_cursor(Position(page[-1].fired_at, page[-1].alert_id)) if len(rows) > query.limit else None
    now = api.now
    return models.Page(items=[api.present.alert(row, now) for row in page], next_cursor=cursor)


@router.get("/alerts/{alert_id}", summary="One alert", responses=_NO_ALERT)
async def single(api: Api, alert_id: Annotated[Text, Path()]) -> models.AlertDetail:
    """An alert with its proof, what was done about it, and what became of its notifications."""
    return api.present.alert_detail(await _existing(api, alert_id), api.now)


@router.post(
    "/alerts/{alert_id}/actions",
    status_code=202,
    summary="Act on an alert",
    responses={**_NO_ALERT, 400: {"description": "The body is not JSON"}},
)
async def act(
    api: Api,
    alert_id: Annotated[Text, Path()],
    body: AlertActionBody,
    idempotency_key: Annotated[
        Text | None, Header(description="The same key for the same alert is the same action, however often it is sent")
    ] = None,
) -> models.ActionAccepted:
    """Acknowledge, resolve, silence or label an alert. It shows in `/alerts` a moment later.

    A silence also holds back what the alert's rule raises for the same group; `/silences` lists it and ends it.
    """
    now = api.now
    if body.until is not None and body.until <= now:
        raise Invalid("until lies in the past", (FieldProblem("until", "must lie in the future"),))
    row = await _existing(api, alert_id)
    if idempotency_key is None:
        action_id = str(uuid4())
    else:
        action_id = str(uuid5(NAMESPACE, f"http-action|{len(alert_id)}:{alert_id}|{idempotency_key}"))
    action = AlertAction(
        action_id=action_id,
        alert_id=alert_id,
        action=body.action,
        actor=body.actor,
        acted_at=from_datetime(now),
        label=body.label,
        note=body.note,
        until=None if body.until is None else from_datetime(body.until),
        matcher=alike(row) if body.action == "silence" else None,
    )
    await api.ports.publisher.publish_action(action)
    return models.ActionAccepted(action_id=action_id)


def alike(row: AlertRow) -> AlertMatcher:
    """The alerts that a silence of this one holds back: those of its rule for its group."""
    return AlertMatcher(rules=(escape(row.rule_id),), keys=(escape(row.key),) if row.key else ())


async def _existing(api: Api, alert_id: str) -> AlertRow:
    row = await api.ports.store.alert(alert_id)
    if row is None:
        raise NotFound(f"there is no alert {alert_id!r:.80}")
    return row
