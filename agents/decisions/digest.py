"""The digest: alerts that came too late to be sent are told together, once per recipient and interval. Pure."""

from collections.abc import Sequence

from agents.decisions.alert_groups import prolonged, summary
from agents.decisions.told import Part, Told
from schemas.clock import Micros
from schemas.events import Action, Alert
from schemas.keys import message_id


def digest(alerts: Sequence[Alert], action: Action, recipient: str, *, now: Micros, lasting_s: float) -> Told:
    """One message about alerts that are stale.

    It has one receipt, its own: those of the alerts say ``stale`` already, and stay so.

    Args:
        alerts: at least one, in any order.
        action: how it is sent.
        recipient: name of the recipient, for the id.
        now: wall clock.
        lasting_s: how long it may be retried, from now.
    """
    ordered = sorted(alerts, key=lambda alert: (alert.fired_at, alert.alert_id))
    key = message_id("digest", [recipient, *(alert.alert_id for alert in ordered)])
    title = f"{len(ordered)} late alert{'s' if len(ordered) != 1 else ''}"
    said = prolonged(summary(key, ordered, action, title), now, lasting_s)
    return Told(key, said, (Part(key, said, None),))
