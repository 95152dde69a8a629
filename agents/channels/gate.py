"""Gates: an alert opens a barrier, over MQTT or a webhook. Once or not at all; in doubt it stays shut."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar

from agents.channels.cloud_events import STRUCTURED, event_of
from agents.channels.message import Messages
from agents.channels.mqtt import broker_address, broker_of, qos_of, rendered_topic
from agents.channels.mqtt_connection import NO_SUBSCRIBERS, MqttBrokers, Publication
from agents.channels.port import Address, AtMostOnce, Notification, NotSent, Refused
from agents.channels.redaction import redact
from agents.channels.settings import NotifySettings
from agents.channels.webhook import WebhookChannel
from agents.decisions.gate_command import GatePolicy, command, reasons_to_refuse
from schemas.clock import MICROS_PER_S, Micros, now_us
from schemas.endpoints import Endpoints
from schemas.errors import SinkRejected, SinkUnavailable

COMMAND_TYPE = "alpr.gate.open.v1"
REMEMBERED = 10_000


class GateChannel(AtMostOnce):
    """Tells a gate controller to open.

    Action parameters: ``gate`` (its name), ``topic`` (MQTT; template) or ``url`` (webhook) with what `MqttChannel` or
    `WebhookChannel` take besides, ``payload`` (template, for controllers that do not read JSON), and the policy:
    ``min_likelihood``, ``min_margin``, ``max_age_ms``. What it says is `agents.decisions.gate_command.command`; over a
    webhook as a CloudEvent. A message is never retained, and expires with the read where the broker speaks MQTT 5.

    A try whose end is not known (no answer) is not repeated: it may have opened. One that certainly did not arrive is,
    for as long as the read is young enough.

    Args:
        settings: of the notifier.
        endpoints: default broker.
        messages: renders.
        brokers: keeps the MQTT connections.
        webhook: posts. Its connections must not be kept open: one that is found closed leaves the end unknown.
        now: wall clock in microseconds.
    """

    name: ClassVar[str] = "gate"

    def __init__(
        self,
        settings: NotifySettings,
        endpoints: Endpoints,
        messages: Messages,
        brokers: MqttBrokers,
        webhook: WebhookChannel,
        now: Callable[[], Micros] = now_us,
    ) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._messages = messages
        self._brokers = brokers
        self._webhook = webhook
        self._now = now
        self._revisions: OrderedDict[str, int] = OrderedDict()

    def addresses(self, params: Mapping[str, str], environment: Mapping[str, str]) -> tuple[Address, ...]:
        """See `Channel.addresses`: one gate."""
        GatePolicy.of(params)
        if params.get("url"):
            address = self._webhook.addresses(params, environment)[0]
        else:
            address = broker_address({"topic": self._settings.gate_topic, **params}, self._endpoints, environment)
        gate = params.get("gate", "")
        identity = f"{gate}|{address.identity}"
        return (replace(address, identity=identity, shown=f"{gate} ({address.shown})" if gate else address.shown),)

    def refusal(self, notification: Notification, now: Micros) -> str:
        """See `AtMostOnce.refusal`."""
        alert = notification.alert
        reasons = reasons_to_refuse(alert, GatePolicy.of(notification.address.params), now)
        newest = self._newest_revision(notification)
        if newest > _revision(notification):
            reasons = (*reasons, f"superseded: revision {newest} of the read is known")
        return "; ".join(reasons)

    def valid_until(self, notification: Notification) -> Micros:
        """See `AtMostOnce.valid_until`."""
        return GatePolicy.of(notification.address.params).valid_until(notification.alert)

    async def send(self, notification: Notification) -> str:
        """See `Channel.send`; the last look at the clock is here.

        Raises:
            Refused: it must not be opened (any more).
        """
        now = self._now()
        reasons = self.refusal(notification, now)
        if reasons:
            raise Refused(reasons)
        send = self._post if notification.address.params.get("url") else self._publish
        try:
            async with asyncio.timeout((self.valid_until(notification) - now) / MICROS_PER_S):
                answer = await send(notification, now)
        except NotSent:
            raise
        except (TimeoutError, SinkUnavailable) as error:
            raise SinkRejected(f"not repeated, since it may have opened: {error or 'no answer in time'}") from error
        return redact(f"open: {answer}", notification.address.secrets)

    async def close(self) -> None:
        """The connections are shared; their owner closes them."""

    async def _publish(self, notification: Notification, now: Micros) -> str:
        params, command_text = notification.address.params, self._command(notification, now)
        own = params.get("payload")
        text = self._messages.text(own, notification, "the action's payload") if own else json.dumps(command_text)
        left_s = (self.valid_until(notification) - now) // MICROS_PER_S
        publication = Publication(
            topic=rendered_topic(notification, self._messages),
            payload=text.encode("utf-8", "replace"),
            qos=qos_of(params),
            retain=False,  # a retained command would open at every reconnection of the controller
            content_type="text/plain" if own else "application/json",
            expires_in_s=max(1, left_s),
            properties=(("command_id", notification.notification_id),),
        )
        answer = await self._brokers.publish(broker_of(params), publication)
        if answer == NO_SUBSCRIBERS:
            raise SinkRejected("the broker took the command, but no gate controller listens to the topic")
        return answer

    async def _post(self, notification: Notification, now: Micros) -> str:
        own = notification.address.params.get("payload")
        if own:
            body = self._messages.text(own, notification, "the action's payload").encode("utf-8", "replace")
            return await self._webhook.post(notification, body, "text/plain; charset=utf-8")
        event = event_of(notification, COMMAND_TYPE, self._command(notification, now))
        return await self._webhook.post(notification, json.dumps(event).encode("utf-8", "replace"), STRUCTURED)

    def _command(self, notification: Notification, now: Micros) -> dict[str, object]:
        params = notification.address.params
        gate = params.get("gate") or params.get("topic") or notification.address.shown
        policy = GatePolicy.of(params)
        return command(notification.alert, notification.notification_id, gate, policy, now)

    def _newest_revision(self, notification: Notification) -> int:
        """The newest revision of the alert's trigger that any alert has brought; this one included from now on."""
        events = notification.alert.proof.event_ids
        if not events:
            return 0
        newest = max(_revision(notification), self._revisions.pop(events[-1], 0))
        self._revisions[events[-1]] = newest
        while len(self._revisions) > REMEMBERED:
            self._revisions.popitem(last=False)
        return newest


def _revision(notification: Notification) -> int:
    text = notification.alert.context.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
