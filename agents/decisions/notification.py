"""What an alert asks the notifier to do: whom to tell, what is too late, what can never work. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isnan

from agents.channels.port import Address, AtMostOnce, Channel, Notification
from schemas.clock import MICROS_PER_S, Micros
from schemas.errors import AlprError, ConfigError
from schemas.events import Action, Alert, Outcome, Receipt
from schemas.keys import notification_id

DELIVERED: Outcome = "delivered"
FAILED: Outcome = "failed"
STALE: Outcome = "stale"
SILENCED: Outcome = "silenced"
INHIBITED: Outcome = "inhibited"
REFUSED: Outcome = "refused"
_TARGET_NAMES = ("to", "url", "webhook_url", "channel", "recipients", "phone")


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of one notification.

    Attributes:
        outcome: as in `Receipt`.
        attempts: tries that were made.
        detail: the answer, or why not; without secrets.
        settled_at: wall clock.
        error: for a failure that is kept as a dead letter: trying again later may help.
    """

    outcome: Outcome
    attempts: int
    detail: str
    settled_at: Micros
    error: AlprError | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one alert.

    Attributes:
        notifications: to be sent.
        receipts: of what is settled already: stale, or impossible with the settings as they are.
    """

    notifications: tuple[Notification, ...]
    receipts: tuple[Receipt, ...]


def fresh_until(alert: Alert, default_s: float) -> Micros:
    """The end of the time in which an alert may be sent: its rule's freshness, or the default, from the capture."""
    freshness_s = default_s if alert.freshness_s is None else alert.freshness_s
    if isnan(freshness_s):
        freshness_s = default_s
    return alert.captured_at + round(min(max(freshness_s, 0.0), 1e9) * MICROS_PER_S)


def retry_until(alert: Alert, first_tried_at: Micros, total_s: float, default_freshness_s: float) -> Micros:
    """When a notification that does not get through is given up."""
    return min(first_tried_at + round(total_s * MICROS_PER_S), fresh_until(alert, default_freshness_s))


def plan(
    alert: Alert,
    *,
    now: Micros,
    freshness_s: float,
    channels: Mapping[str, Channel],
    environment: Mapping[str, str],
) -> Plan:
    """Decide about each recipient of an alert.

    Args:
        alert: as it came.
        now: wall clock, or the alert's Kafka timestamp where that is later.
        freshness_s: default gate.
        channels: by name.
        environment: where ``${NAME}`` is looked up.

    Returns:
        Each recipient once, in the order of the actions. An action that cannot be addressed becomes a failed receipt
        and does not hold the others up.
    """
    notifications: dict[str, Notification] = {}
    receipts: dict[str, Receipt] = {}
    too_old = now > fresh_until(alert, freshness_s)
    for action in alert.actions:
        try:
            addressed = addresses(action, channels, environment)
        except ConfigError as error:
            receipt = unaddressed(alert, action, str(error), now)
            receipts.setdefault(receipt.notification_id, receipt)
            continue
        for address in addressed:
            notification = notify(alert, action.type, address)
            if alert.is_historical:  # before any channel is asked: a barrier stays shut, a page is not sent
                settled = Settled(REFUSED, 0, "historical: found by a search of the past, never sent", now)
                receipts.setdefault(notification.notification_id, receipt_of(notification, settled))
            elif too_old and not isinstance(channels[action.type], AtMostOnce):  # that one refuses it itself
                age_s = (now - alert.captured_at) // MICROS_PER_S
                settled = Settled(STALE, 0, f"captured {age_s} s ago, not sent", now)
                receipts.setdefault(notification.notification_id, receipt_of(notification, settled))
            else:
                notifications.setdefault(notification.notification_id, notification)
    return Plan(tuple(notifications.values()), tuple(receipts.values()))


def addresses(action: Action, channels: Mapping[str, Channel], environment: Mapping[str, str]) -> tuple[Address, ...]:
    """The recipients of one action.

    Raises:
        ConfigError: there is no such channel, a setting is missing or wrong.
    """
    channel = channels.get(action.type)
    if channel is None:
        raise ConfigError(f"there is no channel {action.type[:40]!r}; known: {', '.join(sorted(channels))}")
    return channel.addresses(action.params, environment)


def notify(alert: Alert, channel: str, address: Address) -> Notification:
    """The notification of an alert for an address, with its deterministic id."""
    return Notification(notification_id(alert.alert_id, channel, address.identity), channel, address, alert)


def find(
    wanted: str, alert: Alert, channels: Mapping[str, Channel], environment: Mapping[str, str], key: str | None = None
) -> Notification | None:
    """The notification of an alert that has the id; None when its recipient cannot be found any more.

    Args:
        wanted: the id.
        alert: what is told.
        channels: by name.
        environment: where ``${NAME}`` is looked up.
        key: what the id is made of; None: the alert's own id.
    """
    for action in alert.actions:
        try:
            found: Iterable[Address] = addresses(action, channels, environment)
        except ConfigError:
            continue
        for address in found:
            found_id = notification_id(key or alert.alert_id, action.type, address.identity)
            if found_id == wanted:
                return Notification(found_id, action.type, address, alert)
    return None


def receipt_of(notification: Notification, settled: Settled) -> Receipt:
    """The receipt of a notification."""
    alert = notification.alert
    return Receipt(
        notification_id=notification.notification_id,
        alert_id=alert.alert_id,
        rule_id=alert.rule.id,
        channel=notification.channel,
        recipient=notification.address.shown,
        outcome=settled.outcome,
        attempts=settled.attempts,
        detail=settled.detail,
        captured_at=alert.captured_at,
        settled_at=settled.settled_at,
    )


def unaddressed(alert: Alert, action: Action, reason: str, now: Micros) -> Receipt:
    """The receipt of an action without a usable address. Its recipient is what the rule wrote, if it is a name."""
    written = next((action.params[name] for name in _TARGET_NAMES if action.params.get(name)), "")
    # what is written may hold a secret; the name of a variable, a mail address or a Slack channel does not
    shown = written if "/" not in written and len(written) <= 80 else "(not shown)"
    address = Address(written, shown or "(none)", "", "")
    channel = action.type[:40]
    return receipt_of(notify(alert, channel, address), Settled(FAILED, 0, reason, now))
