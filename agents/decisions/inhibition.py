"""Inhibition: a grave alert mutes the lesser ones of the same key for a while, as in Alertmanager. Pure.

Both are judged in event time, so a replay mutes the same ones. A lesser alert that was sent before the graver one came
cannot be called back.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agents.decisions.alert_matching import labels_of
from agents.decisions.notify_policy import Inhibition, is_for
from alert_rules.rule import SEVERITIES
from schemas.clock import Micros
from schemas.events import Alert

MOST_SOURCES = 20
"""Sources that are kept for a group: the newest; they mute the same alerts, so more add nothing."""
_KEY = "key"


@dataclass(frozen=True, slots=True)
class Source:
    """An alert that mutes others, as far as it must be remembered."""

    alert_id: str
    rule_id: str
    severity: str
    fired_at: Micros

    @property
    def words(self) -> str:
        """What a receipt says of it."""
        return f"muted by {self.severity} alert {self.alert_id} of rule {self.rule_id}"


def group_of(inhibition: Inhibition, alert: Alert) -> tuple[tuple[str, str], ...]:
    """What source and target must have in common; the key always."""
    return labels_of(alert, (_KEY, *(name for name in inhibition.equal if name != _KEY)))


def is_concerned(inhibitions: Iterable[Inhibition], alert: Alert) -> bool:
    """Whether an alert could mute or be muted."""
    return any(is_for(each.source, alert) or is_for(each.target, alert) for each in inhibitions)


def with_source(inhibition: Inhibition, known: tuple[Source, ...], alert: Alert) -> tuple[Source, ...]:
    """The sources of a group after an alert, oldest first; those that no longer mute anything are left out."""
    if not is_for(inhibition.source, alert):
        return known
    found = {source.alert_id: source for source in known}
    found[alert.alert_id] = Source(alert.alert_id, alert.rule.id, alert.severity, alert.fired_at)
    newest = max(source.fired_at for source in found.values())
    kept = [source for source in found.values() if source.fired_at >= newest - 2 * inhibition.lasting]
    return tuple(sorted(kept, key=lambda source: (source.fired_at, source.alert_id))[-MOST_SOURCES:])


def inhibitor(inhibition: Inhibition, known: Iterable[Source], alert: Alert) -> Source | None:
    """The gravest source that mutes an alert: graver than it, and near enough in event time."""
    if not is_for(inhibition.target, alert):
        return None
    found = [
        source
        for source in known
        if source.alert_id != alert.alert_id
        and rank(source.severity) > rank(alert.severity)
        and abs(source.fired_at - alert.fired_at) <= inhibition.lasting
    ]
    return max(found, key=lambda source: (rank(source.severity), source.fired_at, source.alert_id), default=None)


def rank(severity: str) -> int:
    """Graver is higher; a word that is none of ours is the least."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1
