"""An alert as a CloudEvent 1.0 (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)."""

import re
from typing import Any
from urllib.parse import quote

from agents.channels.message import Messages
from agents.channels.port import Notification
from schemas.clock import to_iso
from schemas.events import Alert
from schemas.records import to_json_record

ALERT_TYPE = "alpr.alert.v1"
# in a header everything is percent-encoded but printable ASCII without space, quote and percent (3.1.3.2)
_UNSAFE = re.compile(r"[^!#$&-~]")
STRUCTURED = "application/cloudevents+json; charset=utf-8"


def alert_event(notification: Notification, messages: Messages) -> dict[str, Any]:
    """The alert with its proof, in structured form."""
    alert = notification.alert
    return event_of(notification, ALERT_TYPE, {**_shareable(alert), "link": messages.link(alert)})


def event_of(notification: Notification, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """An event about an alert, in structured form. Source and id are the same for the same notification."""
    alert = notification.alert
    return {
        "specversion": "1.0",
        "id": notification.notification_id,
        "source": f"/alpr/rules/{quote(alert.rule.id, safe='')}",
        "type": kind,
        "subject": alert.alert_id,
        "time": to_iso(alert.fired_at),
        "datacontenttype": "application/json",
        "data": data,
    }


def binary_headers(event: dict[str, Any]) -> dict[str, str]:
    """The attributes as HTTP headers; the body is the data alone (CloudEvents HTTP binding 1.0.2, 3.1)."""
    return {
        f"ce-{name}": _UNSAFE.sub(
            lambda match: quote(match[0], safe=""), str(value).encode("utf-8", "replace").decode()
        )
        for name, value in event.items()
        if name not in {"data", "datacontenttype"}
    }


def _shareable(alert: Alert) -> dict[str, Any]:
    """The alert without its actions: they name the other recipients."""
    record = to_json_record(alert)
    del record["actions"]
    return record
