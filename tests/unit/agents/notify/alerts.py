"""Alerts for the tests of the notifier."""

from dataclasses import replace
from typing import Any

from agents.channels.port import Notification
from agents.decisions.notification import addresses, notify
from schemas.clock import MICROS_PER_S, now_us
from schemas.events import Action, Alert, ConditionProof, Images, Proof, RuleRef

HOSTILE_TEXTS = {
    "emoji": "🚓🇩🇪 plate 👨‍👩‍👧 seen",
    "rtl": "שלום مرحبا 12-345-67",
    "bidi_override": "safe \u202egnp.exe\u202c",
    "header_injection": "hit\r\nBcc: victim@example.org\r\n\r\nbody",
    "nul_and_controls": "a\x00b\x1bc\x85d\u2028e",
    "long": "x" * 10_000,
    "long_words": "Kennzeichen gesichtet " * 500,
    "markup": "<script>alert(1)</script> & <!channel> {{ 7*7 }} {% raw %}",
    "empty": "",
}


def alert(age_s: float = 1.0, actions: tuple[Action, ...] = (), **changes: Any) -> Alert:
    """An alert whose trigger was captured `age_s` ago."""
    captured_at = now_us() - round(age_s * MICROS_PER_S)
    made = Alert(
        alert_id="7c3e2a9e-6b1d-5d63-9d1a-6a2f6a9b8c01",
        rule=RuleRef("stolen", "Stolen vehicles", "abc123"),
        severity="high",
        fired_at=captured_at,
        key="ABC123",
        message="Stolen vehicle ABC123 seen at gate-1",
        captured_at=captured_at,
        camera_id="gate-1",
        site_id="depot",
        plate_text="ABC123",
        proof=Proof(
            event_ids=("11111111-1111-5111-8111-111111111111",),
            conditions=(ConditionProof("plate_text", "watchlist", "stolen", "ABC123"),),
            likelihood=0.974,
            matched_plate="A8C123",
            suppressed=3,
        ),
        images=Images(plate_url="s3://alpr-plate-images/gate-1/1/plate.jpg"),
        actions=actions,
        context={"vehicle_color": "red", "vehicle_make": "Volvo", "vehicle_type": "car"},
    )
    return replace(made, **changes)


def notification(
    channel: Any, params: dict[str, str], environment: dict[str, str] | None = None, **changes: Any
) -> Notification:
    """The notification of an alert for the first recipient of an action."""
    action = Action(channel.name, params)
    made = alert(actions=(action,), **changes)
    return notify(made, channel.name, addresses(action, {channel.name: channel}, environment or {})[0])
