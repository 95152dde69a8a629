"""MQTT: an alert as a message on a topic."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, cast

from agents.channels.cloud_events import STRUCTURED, alert_event
from agents.channels.message import Messages
from agents.channels.mqtt_connection import Broker, MqttBrokers, Publication, Qos
from agents.channels.port import Address, Notification
from agents.channels.redaction import redact
from agents.channels.settings import NotifySettings
from agents.channels.variables import first, resolve, resolve_all, variable_values
from schemas.endpoints import Endpoints
from schemas.errors import ConfigError, SinkRejected

MAX_TOPIC_BYTES = 65_535  # MQTT 5.0, 1.5.4: a UTF-8 string's length is two bytes
_TRUE = frozenset({"true", "yes", "on", "1"})


class MqttChannel:
    """Publishes an alert.

    Action parameters: ``topic`` and ``payload`` (templates), ``qos``, ``retain``, ``host``, ``port``, ``username``,
    ``password``, ``tls``, ``ca_file``, ``protocol``. Without a payload the message is a CloudEvent in structured form
    (CloudEvents MQTT binding 1.0.2). With MQTT 5 the user property ``notification_id`` lets a receiver drop repeats.

    Args:
        settings: of the notifier.
        endpoints: default broker.
        messages: renders.
        brokers: keeps the connections.
    """

    name: ClassVar[str] = "mqtt"

    def __init__(
        self, settings: NotifySettings, endpoints: Endpoints, messages: Messages, brokers: MqttBrokers
    ) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._messages = messages
        self._brokers = brokers

    def addresses(self, params: Mapping[str, str], environment: Mapping[str, str]) -> tuple[Address, ...]:
        """See `Channel.addresses`: one, the topic as written."""
        written = {"topic": self._settings.mqtt_topic, **params}
        return (broker_address(written, self._endpoints, environment),)

    async def send(self, notification: Notification) -> str:
        """See `Channel.send`."""
        params = notification.address.params
        own = params.get("payload")
        payload = (
            self._messages.text(own, notification, "the action's payload")
            if own
            else json.dumps(alert_event(notification, self._messages), ensure_ascii=False, separators=(",", ":"))
        )
        publication = Publication(
            topic=rendered_topic(notification, self._messages),
            payload=payload.encode("utf-8", "replace"),
            qos=qos_of(params),
            retain=params.get("retain", "").lower() in _TRUE,
            content_type="text/plain" if own else STRUCTURED,
            properties=(("notification_id", notification.notification_id),),
        )
        answer = await self._brokers.publish(broker_of(params), publication)
        return redact(answer, notification.address.secrets)

    async def close(self) -> None:
        """The connections are shared; their owner closes them."""


def broker_address(written: Mapping[str, str], endpoints: Endpoints, environment: Mapping[str, str]) -> Address:
    """The address of a topic; what the action does not say of the broker is the endpoints'.

    Raises:
        SettingMissing: a variable is not set.
        ConfigError: there is no such broker, or no such way of sending.
    """
    resolved = resolve_all(written, environment)
    host = resolved.get("host") or endpoints.mqtt_host
    sent = {**resolved, "host": host, "port": resolved.get("port") or str(endpoints.mqtt_port)}
    if "host" not in resolved:  # the endpoints' login goes to the endpoints' broker alone
        password = endpoints.mqtt_password.get_secret_value() if endpoints.mqtt_password is not None else ""
        own = {
            "username": resolve(endpoints.mqtt_username or "", environment),
            "password": resolve(password, environment),
            "tls": str(endpoints.mqtt_tls),
            "ca_file": str(endpoints.mqtt_ca_file or ""),
        }
        sent = {**{name: value for name, value in own.items() if value}, **sent}
    broker = broker_of(sent)
    qos_of(sent)
    variables = variable_values({name: text for name, text in written.items() if name != "topic"}, environment)
    secrets = (sent.get("password", ""), *variables.values())
    shown = redact(f"{broker.shown}/{written['topic']}", secrets)
    identity = f"{written.get('host', '')}|{written['topic']}"
    return Address(identity, shown, broker.shown, sent["topic"], sent, tuple(filter(None, secrets)))


def broker_of(params: Mapping[str, str]) -> Broker:
    """The broker that parameters name.

    Raises:
        ConfigError: the port is none, or the protocol is unknown.
    """
    port = params["port"]
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError("port is no port number")
    version = params.get("protocol", "5").removesuffix(".0")
    if version not in {"5", "3.1.1"}:
        raise ConfigError("protocol must be 5 or 3.1.1")
    ca_file = first(params, "ca_file")
    return Broker(
        host=params["host"],
        port=int(port),
        username=params.get("username", ""),
        password=params.get("password", ""),
        tls=params.get("tls", "").lower() in _TRUE,
        ca_file=Path(ca_file) if ca_file else None,
        version=version,
    )


def qos_of(params: Mapping[str, str]) -> Qos:
    """Quality of service; 1 where the action does not say.

    Raises:
        ConfigError: there is no such one.
    """
    qos = params.get("qos", "1")
    if qos not in {"0", "1", "2"}:
        raise ConfigError("qos must be 0, 1 or 2")
    return cast(Literal[0, 1, 2], int(qos))


def rendered_topic(notification: Notification, messages: Messages) -> str:
    """The topic of a notification. What stands in for a variable never adds a level or a wildcard.

    Raises:
        SinkRejected: it is no topic to publish to (MQTT 5.0, 4.7).
    """
    topic = messages.topic(notification.address.target, notification)
    if not topic or set(topic) & set("+#\0") or len(topic.encode("utf-8", "replace")) > MAX_TOPIC_BYTES:
        raise SinkRejected("the topic is empty, too long, or holds a wildcard")
    return topic
