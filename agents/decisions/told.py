"""What the notifier tells, and on whose behalf: one message may stand for several alerts, or for one a second time."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.channels.port import Channel, Notification
from agents.decisions.notification import addresses
from schemas.errors import ConfigError
from schemas.events import Alert
from schemas.keys import notification_id
from tables.notifications import KeptRecord


@dataclass(frozen=True, slots=True)
class Part:
    """An alert that a message stands for; it gets a receipt of its own.

    Attributes:
        key: what its notification id is made of: the alert's id, unless it is told a second time.
        alert: as it was raised.
        record: its record, for a dead letter; None where a failure is kept in its receipt alone.
    """

    key: str
    alert: Alert
    record: KeptRecord | None


@dataclass(frozen=True, slots=True)
class Told:
    """A message before it is addressed.

    Attributes:
        key: what its notification ids are made of.
        alert: what the message says.
        parts: what it stands for.
    """

    key: str
    alert: Alert
    parts: tuple[Part, ...]

    @classmethod
    def plainly(cls, alert: Alert, record: KeptRecord) -> "Told":
        """An alert as it is, by itself."""
        return cls(alert.alert_id, alert, (Part(alert.alert_id, alert, record),))

    @property
    def is_plain(self) -> bool:
        """Whether it is an alert as it is: its record says all that there is to know."""
        return len(self.parts) == 1 and self.parts[0].alert is self.alert and self.parts[0].record is not None

    def notifications(self, channels: Mapping[str, Channel], environment: Mapping[str, str]) -> list[Notification]:
        """One for each recipient that the message's actions name and that can be addressed."""
        found: dict[str, Notification] = {}
        for action in self.alert.actions:
            try:
                addressed = addresses(action, channels, environment)
            except ConfigError:
                continue
            for address in addressed:
                wanted = notification_id(self.key, action.type, address.identity)
                found.setdefault(wanted, Notification(wanted, action.type, address, self.alert))
        return list(found.values())

    def of_parts(self, notification: Notification) -> list[tuple[Part, Notification]]:
        """The notification as each part's own, for its receipt."""
        channel, address = notification.channel, notification.address
        return [
            (part, Notification(notification_id(part.key, channel, address.identity), channel, address, part.alert))
            for part in self.parts
        ]
