"""Groups: alerts that are told in one message, as Alertmanager groups them. Pure.

The first alert of a group waits ``group_wait`` for others (0: it goes at once); what comes after a message waits until
``group_interval`` after it. A group that has been quiet for so long begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.decisions.alert_matching import labels_of
from agents.decisions.inhibition import rank
from agents.decisions.notify_policy import Grouping
from agents.decisions.told import Part, Told
from schemas.clock import MICROS_PER_S, Micros, to_iso
from schemas.events import Action, Alert, Proof, RuleRef
from schemas.keys import message_id

MOST_LINES = 25
MOST_EVENTS = 100
_LINE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Group:
    """Where a group stands.

    Attributes:
        due: when its waiting alerts are told; None: none waits.
        quiet_until: until then alerts wait for the next message.
        interval: from one message to the next.
    """

    due: Micros | None
    quiet_until: Micros
    interval: Micros

    @property
    def next_at(self) -> Micros:
        """When it must be looked at again: to be told, or to be forgotten."""
        return self.quiet_until if self.due is None else self.due


def group_name(grouping: Grouping, alert: Alert) -> str:
    """What the alerts of a group have in common, as one text."""
    return "|".join(f"{name}={len(value)}:{value}" for name, value in labels_of(alert, grouping.by))


def joined(group: Group | None, grouping: Grouping, now: Micros) -> tuple[Group, bool]:
    """A group after an alert, and whether that alert goes at once."""
    if group is not None and group.due is not None:
        return group, False
    if group is not None and now < group.quiet_until:
        return replace(group, due=group.quiet_until, interval=grouping.interval), False
    if grouping.wait <= 0:
        return Group(None, now + grouping.interval, grouping.interval), True
    return Group(now + grouping.wait, now + grouping.wait, grouping.interval), False


def told_at(group: Group, now: Micros) -> Group:
    """A group after its message."""
    return Group(None, now + group.interval, group.interval)


def in_one_message(parts: Sequence[Part], action: Action, *, lasting_s: float, now: Micros) -> Told:
    """Several alerts as one message.

    Args:
        parts: at least one; a single one that was an alert as it is stays that.
        action: how it is sent.
        lasting_s: how long it may be retried, from now.
        now: wall clock.
    """
    if len(parts) == 1:
        part = parts[0]
        return Told(part.key, prolonged(replace(part.alert, actions=(action,)), now, lasting_s), (part,))
    ordered = tuple(sorted(parts, key=lambda part: (part.alert.fired_at, part.alert.alert_id)))
    key = message_id("group", [part.key for part in ordered])
    alerts = [part.alert for part in ordered]
    return Told(key, prolonged(summary(key, alerts, action, f"{len(alerts)} alerts"), now, lasting_s), ordered)


def summary(key: str, alerts: Sequence[Alert], action: Action, title: str) -> Alert:
    """An alert that speaks for several: what they share stays, the gravest gives its severity, the message lists them.

    Args:
        key: its id.
        alerts: oldest first.
        action: how it is sent.
        title: how it begins.
    """
    newest = alerts[-1]
    names = sorted({alert.rule.name for alert in alerts})
    rules = {alert.rule.id: alert.rule for alert in alerts}
    rule = next(iter(rules.values()))
    named = names[0] if len(names) == 1 else f"{len(names)} rules"
    lines = [f"- {to_iso(a.captured_at)[:19]}Z [{a.severity}] {a.message[:_LINE_CHARS]}" for a in alerts]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"... and {len(lines) - MOST_LINES} more"]
    events = list(dict.fromkeys(event for alert in alerts for event in alert.proof.event_ids))
    shared = dict(set(newest.context.items()).intersection(*(alert.context.items() for alert in alerts)))
    ids = [alert.alert_id for alert in alerts[:MOST_EVENTS]]
    return Alert(
        alert_id=key,
        rule=RuleRef(
            rule.id if len(rules) == 1 else "several-rules",
            f"{title}: {named}",
            rule.version if len(rules) == 1 else "",
        ),
        severity=max((alert.severity for alert in alerts), key=rank),
        fired_at=newest.fired_at,
        key=_shared(alerts, "key") or "",
        message="\n".join([f"{title}: {', '.join(names[:5])}", *lines]),
        captured_at=max(alert.captured_at for alert in alerts),
        camera_id=_shared(alerts, "camera_id"),
        site_id=_shared(alerts, "site_id"),
        plate_text=_shared(alerts, "plate_text"),
        proof=Proof(event_ids=tuple(events[-MOST_EVENTS:])),
        images=newest.images,
        actions=(action,),
        context={**dict(sorted(shared.items())), "alerts": str(len(alerts)), "alert_ids": ",".join(ids)},
    )


def prolonged(alert: Alert, now: Micros, lasting_s: float) -> Alert:
    """The alert with a freshness that ends so long after now: what waited on purpose is not stale for it."""
    return replace(alert, freshness_s=max(0.0, (now - alert.captured_at) / MICROS_PER_S) + lasting_s)


def _shared(alerts: Sequence[Alert], name: str) -> str | None:
    values = {getattr(alert, name) for alert in alerts}
    return values.pop() if len(values) == 1 else None
