"""An alert with its proof, made of a rule and the sighting that fired it."""

from typing import Any

from alert_rules.facts import Facts
from alert_rules.fields import find_field
from alert_rules.plate_patterns import PlateHit
from alert_rules.rule import Rule
from alert_rules.runner_up import runner_up
from schemas import keys
from schemas.aliases import SIGHTING_NAMES
from schemas.events import Alert, Proof, RuleRef, Sighting

GATE = "gate"
"""Type of the action that opens a barrier."""
_CONTEXT_FIELDS = tuple(find_field(name) for name in SIGHTING_NAMES)


def build_alert(rule: Rule, facts: Facts, suppressed: int) -> Alert:
    """The alert that a rule raises for a sighting.

    Args:
        rule: holds for the sighting.
        facts: the sighting.
        suppressed: matches held back since the last alert.
    """
    sighting = facts.sighting
    finding = rule.match.explain(facts)
    hit = min(finding.hits(), key=lambda hit: (-hit.likelihood, hit.listed), default=None)
    group = rule.group_by.of(sighting)
    alert_id = keys.alert_id(rule.id, group, sighting.event_id)
    values = {
        **alert_values(rule, alert_id, group, suppressed),
        "matched_plate": hit.listed if hit else None,
        "likelihood": hit.likelihood if hit else None,
    }
    message = rule.message.render(sighting, values) if rule.message else default_message(rule, sighting, hit)
    return Alert(
        alert_id=alert_id,
        rule=RuleRef(rule.id, rule.name, rule.version),
        severity=rule.severity,
        fired_at=sighting.captured_at,
        key=group,
        message=message,
        captured_at=sighting.captured_at,
        camera_id=sighting.camera_id,
        site_id=sighting.site_id,
        plate_text=sighting.plate.text if sighting.plate is not None else None,
        proof=Proof(
            event_ids=(sighting.event_id,),
            conditions=tuple(finding.proofs()),
            likelihood=hit.likelihood if hit else None,
            matched_plate=hit.listed if hit else None,
            suppressed=suppressed,
        ),
        images=sighting.images,
        actions=rule.actions,
        freshness_s=rule.freshness_s,
        context=flat_context(rule, sighting) | _next_plate(rule, facts, hit),
    )


def _next_plate(rule: Rule, facts: Facts, hit: PlateHit | None) -> dict[str, str]:
    """For barriers, which must not open on an ambiguous read; nobody else needs it."""
    if not any(action.type == GATE for action in rule.actions):
        return {}
    found = runner_up(facts.reads, facts.sighting.plate, hit.listed if hit else None)
    return {} if found is None else {"next_plate": found[0], "next_plate_likelihood": f"{found[1]:.6g}"}


def flat_context(rule: Rule, sighting: Sighting) -> dict[str, str]:
    """The trigger's flat fields as text, with the rule's words for people."""
    context = {
        field.name: field.show(value) for field in _CONTEXT_FIELDS if (value := field.read(sighting)) is not None
    }
    words = (("rule_description", rule.description), ("runbook", rule.runbook))
    return context | {name: text for name, text in words if text}


def alert_values(rule: Rule, alert_id: str, group: str, suppressed: int) -> dict[str, Any]:
    """What a message may say beside the fields of the sighting, as far as every alert has it."""
    return {
        "alert_id": alert_id,
        "rule.id": rule.id,
        "rule_id": rule.id,
        "rule.name": rule.name,
        "rule_name": rule.name,
        "severity": rule.severity,
        "description": rule.description,
        "runbook": rule.runbook,
        "key": group,
        "suppressed": suppressed,
    }


def default_message(rule: Rule, sighting: Sighting, hit: PlateHit | None) -> str:
    """Rule, plate, place; for a plate that was not read exactly, how sure it is."""
    plate = sighting.plate.text if sighting.plate is not None and sighting.plate.text else "no plate"
    words = f"{rule.name}: {plate} at {sighting.camera_id}"
    if sighting.site_id:
        words += f" ({sighting.site_id})"
    if hit is not None and not hit.exact:
        words += f"; listed {hit.listed}, likelihood {hit.likelihood:.2g} ({hit.differing})"
    return words


def alert_key(alert: Alert) -> bytes:
    """Kafka key of an alert: rule id and group, so that the alerts of one thing stay in order."""
    return f"{alert.rule.id}|{alert.key}".encode()
