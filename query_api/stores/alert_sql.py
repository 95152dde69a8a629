"""SQL for alerts, with what people did about them.

Wants the indexes ``alerts (fired_at DESC, alert_id DESC)``, ``alert_actions (alert_id)`` and
``notifications (alert_id)``.
"""

from typing import Any

from psycopg.sql import SQL, Composable, Composed, Identifier

from query_api.stores.event_sql import Conditions
from query_api.values import AlertFilter, Position

# An action that was published twice (a client's retry) has one id and counts once.
_ACTIONS = SQL(
    """coalesce((
        SELECT jsonb_agg(to_jsonb(x) ORDER BY x.acted_at, x.action_id) FROM (
            SELECT DISTINCT ON (action_id) action_id, acted_at, action, actor, label, note, until, silence_id
            FROM alert_actions WHERE alert_actions.alert_id = alerts.alert_id ORDER BY action_id, acted_at
        ) x
    ), '[]'::jsonb)"""
)
_RECEIPTS = SQL(
    """coalesce((
        SELECT jsonb_agg(to_jsonb(x) ORDER BY x.settled_at) FROM (
            SELECT channel, recipient, outcome, attempts, detail, settled_at
            FROM notifications WHERE notifications.alert_id = alerts.alert_id
        ) x
    ), '[]'::jsonb)"""
)
_SELECT = SQL(
    """SELECT alert_id, fired_at, captured_at, rule_id, rule_name, rule_version, severity, key, message, camera_id,
        site_id, plate_text, likelihood, matched_plate, suppressed, event_ids, proof, images, context,
        {actions} AS done, {receipts} AS receipts
    FROM alerts {where} ORDER BY fired_at DESC, alert_id DESC LIMIT %(limit)s"""
)
SILENCES = SQL(
    """SELECT silence_id, alert_id, matcher, starts_at, until, author, comment FROM (
        SELECT DISTINCT ON (action_id) action_id AS silence_id, alert_id, matcher,
            coalesce(starts_at, acted_at) AS starts_at, until, actor AS author, note AS comment
        FROM alert_actions
        WHERE action = 'silence' AND until > %(now)s AND NOT EXISTS (
            SELECT FROM alert_actions AS ended
            WHERE ended.action = 'unsilence' AND ended.silence_id = alert_actions.action_id)
        ORDER BY action_id, acted_at
    ) x ORDER BY until, silence_id"""
)
"""Silences that are not over at ``now``."""
_IS_ACKNOWLEDGED = SQL(
    """EXISTS (SELECT FROM alert_actions WHERE alert_actions.alert_id = alerts.alert_id
        AND alert_actions.action IN ('acknowledge', 'resolve'))"""
)
# An alert carries the plate as it was shown; in upper case, without separators it is normalised (accents apart).
_SHOWN_PLATE = SQL("upper(regexp_replace(plate_text, '[^[:alnum:]]', '', 'g'))")


def alerts(wanted: AlertFilter, after: Position | None, limit: int) -> tuple[Composed, dict[str, Any]]:
    """Alerts that the filter wants, newest first."""
    conditions = Conditions()
    conditions.between("fired_at", wanted)
    conditions.after("fired_at", "alert_id", after)
    conditions.one_of("rule_id", wanted.rule_ids)
    conditions.one_of("severity", wanted.severities)
    conditions.one_of("camera_id", wanted.camera_ids)
    conditions.one_of("site_id", wanted.site_ids)
    conditions.plate(wanted.plate, _SHOWN_PLATE, Identifier("matched_plate"))
    if wanted.acknowledged is not None:
        conditions.add(_IS_ACKNOWLEDGED if wanted.acknowledged else SQL("NOT ") + _IS_ACKNOWLEDGED)
    return _select(conditions.where, SQL("'[]'::jsonb")), {**conditions.values, "limit": limit}


def alert(alert_id: str) -> tuple[Composed, dict[str, Any]]:
    """One alert with its receipts."""
    return _select(SQL("WHERE alert_id = %(alert_id)s"), _RECEIPTS), {"alert_id": alert_id, "limit": 1}


def _select(where: Composable, receipts: Composable) -> Composed:
    return _SELECT.format(actions=_ACTIONS, receipts=receipts, where=where)
