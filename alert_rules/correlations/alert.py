"""The alert of a correlation, with its proof."""

from typing import Any

from alert_rules.alerts import alert_values, flat_context
from alert_rules.correlations.event import Seen, plate_of
from alert_rules.correlations.operator import Firing
from alert_rules.correlations.plan import Part
from alert_rules.rule import Rule
from schemas import keys
from schemas.clock import to_iso
from schemas.events import Alert, ConditionProof, Proof, RuleRef, Sighting

MATCHED_PLATE, LIKELIHOOD = "matched_plate", "likelihood"
"""Notes of an event: the listed plate that the rule's match hit, and how likely it is."""


def firing_alert(part: Part, group: str, firing: Firing, suppressed: int) -> Alert:
    """The alert for a firing.

    Args:
        part: operator and rule.
        group: that it fired for.
        firing: the reason.
        suppressed: firings held back since the last alert.
    """
    rule, shown = part.rule, _shown(firing, group)
    notes = firing.event.notes if firing.event is not None else {}
    alert_id = keys.alert_id(rule.id, group, firing.trigger)
    matched, likelihood = notes.get(MATCHED_PLATE), notes.get(LIKELIHOOD)
    values = {
        **alert_values(rule, alert_id, group, suppressed),
        "matched_plate": matched,
        "likelihood": float(likelihood) if likelihood else None,
        **{name: _plain(name, value) for name, value in firing.values.items()},
    }
    count = firing.count if firing.count is not None else len(firing.mentions)
    conditions = firing.conditions
    if count > len(firing.mentions):
        conditions = (*conditions, ConditionProof("events", "count", "", str(count)))
    message = rule.message.render(shown, values) if rule.message else _message(rule, group, firing)
    return Alert(
        alert_id=alert_id,
        rule=RuleRef(rule.id, rule.name, rule.version),
        severity=rule.severity,
        fired_at=firing.at_us,
        key=group,
        message=message,
        captured_at=firing.at_us,
        camera_id=shown.camera_id or None,
        site_id=shown.site_id,
        plate_text=shown.plate.text if shown.plate is not None else None,
        proof=Proof(
            event_ids=tuple(mention.event_id for mention in firing.mentions),
            conditions=conditions,
            likelihood=float(likelihood) if likelihood else None,
            matched_plate=matched,
            suppressed=suppressed,
        ),
        images=shown.images,
        actions=rule.actions,
        freshness_s=rule.freshness_s,
        context=flat_context(rule, shown) if firing.event is not None else {},
    )


def silence_key(rule: Rule, firing: Firing) -> str:
    """What is silent after an alert: the group, or a part of it that ``suppress.by`` names."""
    if rule.suppress is None or rule.suppress.by == rule.group_by or firing.event is None:
        return ""
    return rule.suppress.by.of(firing.event.sighting)


def _shown(firing: Firing, group: str) -> Sighting:
    """The sighting whose fields the alert shows; where nothing was seen, one that knows nothing."""
    if firing.event is not None:
        return firing.event.sighting
    at_us = firing.at_us
    return Sighting(
        event_id="", captured_at=at_us, first_seen_at=at_us, last_seen_at=at_us, camera_id="", revision=1,
        match_key=group,
    )  # fmt: skip


def _message(rule: Rule, group: str, firing: Firing) -> str:
    what = firing.conditions[0] if firing.conditions else None
    words = f"{rule.name}: {_name(firing.event, group)}"
    return f"{words}: {what.observed} ({what.operator} {what.expected})" if what is not None else words


def _name(event: Seen | None, group: str) -> str:
    """The group for people: a plate as it was read and not as its key."""
    if event is not None and group == event.sighting.match_key:
        return plate_of(event.sighting) or group
    return group


def _plain(name: str, value: Any) -> Any:
    return to_iso(value) if name.endswith("_at") else value
