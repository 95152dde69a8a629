"""Whether an alert may open a barrier, and the command that does. Pure; what is not known keeps the barrier shut.

A barrier differs from a message: a late one lets the wrong car in, a second one lets the car behind in, and there is no
taking back. So each check is a reason to refuse, and all that hold are told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from schemas.clock import MICROS_PER_MS, MICROS_PER_S, Micros, to_iso
from schemas.errors import ConfigError
from schemas.events import Alert

MIN_LIKELIHOOD = 0.9
MIN_MARGIN = 0.3
MAX_AGE_MS = 5000
LONGEST_AGE_MS = 60_000
AHEAD_US = MICROS_PER_S
"""A capture this far in the future is a clock that is wrong, so its age is not known."""


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """What a read must be for a barrier to open.

    Attributes:
        min_likelihood: least probability that the read came from the listed plate (`Proof.likelihood`); for a rule
            without a list, least confidence in the plate.
        min_margin: how much more likely than the next plate that the reads allow it must be.
        max_age_ms: oldest capture, at the time of the command.
    """

    min_likelihood: float = MIN_LIKELIHOOD
    min_margin: float = MIN_MARGIN
    max_age_ms: float = MAX_AGE_MS

    @classmethod
    def of(cls, params: Mapping[str, str]) -> "GatePolicy":
        """The policy of an action.

        Raises:
            ConfigError: a value is no number, or out of bounds.
        """
        return cls(
            _number(params, "min_likelihood", MIN_LIKELIHOOD, 0.0, 1.0),
            _number(params, "min_margin", MIN_MARGIN, 0.0, 1.0),
            _number(params, "max_age_ms", MAX_AGE_MS, 1.0, LONGEST_AGE_MS),
        )

    def valid_until(self, alert: Alert) -> Micros:
        """When an alert has become too old, wall clock."""
        return alert.captured_at + round(self.max_age_ms * MICROS_PER_MS)


def reasons_to_refuse(alert: Alert, policy: GatePolicy, now: Micros) -> tuple[str, ...]:
    """All that speaks against opening; empty where nothing does.

    Args:
        alert: that asks for it.
        policy: of the action.
        now: wall clock.
    """
    return (*_of_time(alert, policy, now), *_of_revision(alert), *_of_likelihood(alert, policy))


def command(alert: Alert, command_id: str, gate: str, policy: GatePolicy, now: Micros) -> dict[str, Any]:
    """What a gate controller is told.

    ``command_id`` is the same for the same alert, whoever sends it, so that a controller can drop a repeat;
    after ``expires_at`` it must not act.
    """
    return {
        "command": "open",
        "command_id": command_id,
        "gate": gate,
        "issued_at": to_iso(now),
        "expires_at": to_iso(policy.valid_until(alert)),
        "alert_id": alert.alert_id,
        "rule_id": alert.rule.id,
        "event_id": alert.proof.event_ids[-1] if alert.proof.event_ids else None,
        "plate": alert.plate_text,
        "listed_as": alert.proof.matched_plate,
        "likelihood": alert.proof.likelihood,
        "camera_id": alert.camera_id,
        "site_id": alert.site_id,
        "captured_at": to_iso(alert.captured_at),
    }


def _of_time(alert: Alert, policy: GatePolicy, now: Micros) -> list[str]:
    age_us = now - alert.captured_at
    reasons = []
    if now >= policy.valid_until(alert):
        reasons.append(f"stale: captured {age_us / MICROS_PER_S:.1f} s ago, at most {policy.max_age_ms / 1000:g} s")
    if age_us < -AHEAD_US:
        reasons.append(f"captured {-age_us / MICROS_PER_S:.1f} s from now: the camera's clock is wrong")
    return reasons


def _of_revision(alert: Alert) -> list[str]:
    context = alert.context
    reasons = []
    if alert.is_historical:
        reasons.append("historical: found by a search of the past")
    if context.get("merged_into"):
        reasons.append("merged: the read is a part of an older pass")
    resolved, observed = context.get("resolved_text"), context.get("plate_normalized_text")
    # the likelihood is the better one of both texts: without this, a read that the pass has outvoted would open
    if resolved and observed and resolved != observed and alert.proof.matched_plate == observed:
        reasons.append(f"superseded: the pass was resolved as {resolved}")
    return reasons


def _of_likelihood(alert: Alert, policy: GatePolicy) -> list[str]:
    context, listed = alert.context, alert.proof.likelihood
    likelihood = listed
    if likelihood is None:
        likelihood = _share(context.get("resolved_confidence"), _share(context.get("plate_confidence"), None))
    reasons = []
    if policy.min_likelihood > 0:
        if likelihood is None or not isfinite(likelihood):
            reasons.append("uncertain: no likelihood is known")
        elif likelihood < policy.min_likelihood:
            reasons.append(f"uncertain: likelihood {likelihood:.2f}, at least {policy.min_likelihood:g}")
    if policy.min_margin > 0:
        rival = _share(context.get("next_plate_likelihood"), None)
        if rival is None:
            reasons.append("ambiguous: the next plate is not known")
        elif (1.0 if listed is None else listed) - rival < policy.min_margin:
            reasons.append(
                f"ambiguous: {context.get('next_plate') or 'another plate'} is as likely as {rival:.2f}, "
                f"a margin of {policy.min_margin:g} is asked for"
            )
    return reasons


def _share(text: str | None, default: float | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return default
    return value if value is not None and isfinite(value) else default


def _number(params: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    written = params.get(name)
    if written is None:
        return default
    value = _share(written, None)
    if value is None or not low <= value <= high:
        raise ConfigError(f"{name} must be a number between {low:g} and {high:g}")
    return value
