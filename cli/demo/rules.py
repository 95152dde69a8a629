"""The rule file of the demo: written for the plates that are about to drive by."""

from pathlib import Path
from typing import Any

import yaml

MAIL_TO = "gate@example.org"


def write_rules(path: Path, watchlisted: list[str], webhook_url: str) -> None:
    """Write the demo's rules.

    Args:
        path: the file.
        watchlisted: plates to alert on; empty for a source whose plates nobody knows: then every plate alerts, once
            in ten minutes for each.
        webhook_url: where the webhook goes.
    """
    actions: list[dict[str, str]] = [{"type": "email", "to": MAIL_TO}, {"type": "webhook", "url": webhook_url}]
    rule: dict[str, Any]
    if watchlisted:
        rule = {"name": "Watchlisted vehicle", "type": "plate_match", "plates": watchlisted, "actions": actions}
    else:
        rule = {
            "name": "Any plate",
            "type": "threshold",
            "field": "plate_confidence",
            "operator": ">=",
            "value": 0.0,
            "actions": actions,
        }
    path.write_text(yaml.safe_dump({"rules": [rule]}, sort_keys=False))
