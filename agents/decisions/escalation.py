"""Escalation: who is told next when nobody has taken care of an alert. Pure."""

from dataclasses import replace

from agents.decisions.alert_groups import prolonged
from agents.decisions.notify_policy import Escalation
from agents.decisions.told import Part, Told
from alert_rules.expectations import show_duration
from schemas.clock import MICROS_PER_S, Micros
from schemas.events import Alert, RuleRef
from tables.notifications import KeptRecord


def step_due(escalation: Escalation | None, step: int, first_at: Micros) -> Micros | None:
    """When a step is due, counted from the time at which the alert was told first; None where there is no such step."""
    if escalation is None or step >= len(escalation.steps):
        return None
    return first_at + escalation.steps[step].after


def escalated(
    escalation: Escalation, step: int, alert: Alert, record: KeptRecord, *, now: Micros, lasting_s: float
) -> Told:
    """The message of a step. Its ids are the step's own: the same person may be told twice.

    Args:
        escalation: has the step.
        step: counted from 0.
        alert: that is still open.
        record: its record.
        now: wall clock.
        lasting_s: how long it may be retried, from now.
    """
    taken = escalation.steps[step]
    open_for = show_duration(round(taken.after / MICROS_PER_S))
    said = replace(
        alert,
        rule=RuleRef(alert.rule.id, f"Not acknowledged for {open_for}: {alert.rule.name}", alert.rule.version),
        message=f"Nobody has acknowledged this for {open_for}: {alert.message}",
        actions=taken.actions,
    )
    key = f"{alert.alert_id}/escalation-{step + 1}"
    return Told(key, prolonged(said, now, lasting_s), (Part(key, alert, record),))


def is_too_late(due: Micros, now: Micros, freshness_s: float) -> bool:
    """Whether a step lies so far back (the notifier was down) that it is told in the digest only."""
    return now > due + round(freshness_s * MICROS_PER_S)
