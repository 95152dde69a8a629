"""Connections to MQTT brokers: one for each, kept open, so that a message is one round trip.

paho-mqtt runs the connection in a thread of its own. Its answers come back to the event loop. A connection that is lost
is thrown away with what was under way on it: nothing is sent again behind the caller's back, so the caller alone
decides about a repeat.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agents.channels.port import NotSent
from schemas.errors import SinkRejected, SinkUnavailable

NO_SUBSCRIBERS = "No matching subscribers"
Qos = Literal[0, 1, 2]
_KEEPALIVE_S = 30
# MQTT 5.0, 2.4: reason codes that another try does not change
_REFUSED_FOR_GOOD = frozenset({
    0x82, 0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x90, 0x95, 0x99, 0x9A, 0x9B,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Broker:
    """An MQTT broker and how to log in.

    Attributes:
        version: of the protocol: ``5`` or ``3.1.1``. Only 5 tells why a message was refused, and lets it expire.
        ca_file: PEM file of the authorities that the broker is checked against; None: the system's.
    """

    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    tls: bool = False
    ca_file: Path | None = None
    version: str = "5"

    @property
    def shown(self) -> str:
        """Address for people."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Publication:
    """A message.

    Attributes:
        expires_in_s: whole seconds for which the broker keeps it for subscribers that are away; None: for ever.
        properties: MQTT 5 user properties.
    """

    topic: str
    payload: bytes
    qos: Qos = 1
    retain: bool = False
    content_type: str = "application/json"
    expires_in_s: int | None = None
    properties: tuple[tuple[str, str], ...] = ()


class MqttBrokers:
    """Publishes to any broker. Belongs to one event loop.

    Args:
        connect_timeout_s: for the connection and the login.
        attempt_timeout_s: for the broker's word that it has a message.
        client_id: prefix of the client ids.
    """

    def __init__(self, connect_timeout_s: float, attempt_timeout_s: float, client_id: str = "alpr-notify") -> None:
        self._connect_timeout_s = connect_timeout_s
        self._attempt_timeout_s = attempt_timeout_s
        self._client_id = client_id
        self._connections: dict[Broker, _Connection] = {}
        self._locks: dict[Broker, asyncio.Lock] = {}

    async def publish(self, broker: Broker, message: Publication) -> str:
        """Send a message and wait until the broker has it (with QoS 0: until it is on the wire).

        Returns:
            What the broker said, such as ``Success`` or `NO_SUBSCRIBERS`.

        Raises:
            NotSent: the broker cannot be reached now, or refuses messages now. It has nothing.
            SinkUnavailable: it was lost, or kept silent, after the message had been sent: nobody knows.
            SinkRejected: it refuses us or the message for good.
        """
        connection = await self._connection(broker)
        return await connection.publish(message, self._attempt_timeout_s)

    async def close(self) -> None:
        """Say goodbye to all brokers."""
        connections, self._connections = list(self._connections.values()), {}
        await asyncio.gather(*(asyncio.to_thread(connection.close) for connection in connections))

    async def _connection(self, broker: Broker) -> "_Connection":
        async with self._locks.setdefault(broker, asyncio.Lock()):
            known = self._connections.get(broker)
            if known is not None and known.is_up:
                return known
            if known is not None:
                del self._connections[broker]
                await asyncio.to_thread(known.close)
            made = _Connection(broker, self._client_id, self._connect_timeout_s)
            try:
                await made.open(self._connect_timeout_s)
            except BaseException:
                made.abandon()
                raise
            self._connections[broker] = made
            return made


class _Connection:
    """One connection, from its beginning to its end. paho's thread calls back; everything else is the loop's."""

    def __init__(self, broker: Broker, client_id: str, connect_timeout_s: float) -> None:
        self._what = f"MQTT broker {broker.shown}"
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._greeted: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._answers: dict[int, asyncio.Future[str]] = {}
        self.is_up = False
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{client_id}-{uuid4().hex[:12]}" if broker.version == "5" else "",
            protocol=MQTTv5 if broker.version == "5" else MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = connect_timeout_s
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        if broker.username:
            client.username_pw_set(broker.username, broker.password or None)
        self._client = client

    async def open(self, timeout_s: float) -> None:
        """Connect and log in.

        Raises:
            NotSent: no answer, or one that may change.
            SinkRejected: the broker does not want us.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.to_thread(self._dial)
                self._client.loop_start()
                greeting = await self._greeted
        except TimeoutError as error:
            raise NotSent(f"{self._what} did not answer within {timeout_s:g} s") from error
        except (OSError, ValueError) as error:  # TLS errors are OSErrors
            raise NotSent(f"{self._what} does not answer: {error}") from error
        if greeting.is_failure:
            raise _refusal(f"{self._what} refused the connection", greeting)
        self.is_up = True

    async def publish(self, message: Publication, timeout_s: float) -> str:
        """See `MqttBrokers.publish`."""
        try:
            sent = self._client.publish(
                message.topic, message.payload, message.qos, message.retain, self._properties(message)
            )
        except ValueError as error:  # a topic that is none, a payload that is too long
            raise SinkRejected(f"{self._what}: the message cannot be sent: {error}") from error
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.is_up = False
            raise NotSent(f"{self._what} is not connected: {sent.rc.name}")
        # answers are handed to this loop, so none can come before the next await
        answer: asyncio.Future[str] = self._loop.create_future()
        self._answers[sent.mid] = answer
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError as error:
            self.is_up = False
            raise SinkUnavailable(f"{self._what} did not answer within {timeout_s:g} s") from error
        finally:
            self._answers.pop(sent.mid, None)

    def close(self) -> None:
        """Disconnect and end the thread; blocks until it has ended."""
        self.is_up = False
        self._client.disconnect()
        self._client.loop_stop()

    def abandon(self) -> None:
        """Let go of a connection that never came up, without waiting for its thread."""
        self._greeted.cancel()
        self._loop.run_in_executor(None, self.close)

    def _dial(self) -> None:
        if self._broker.tls:
            ca_file = self._broker.ca_file
            context = ssl.create_default_context(cafile=str(ca_file) if ca_file is not None else None)
            self._client.tls_set_context(context)
        self._client.connect(self._broker.host, self._broker.port, keepalive=_KEEPALIVE_S)

    def _properties(self, message: Publication) -> Properties | None:
        if self._broker.version != "5":
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's is not annotated
        properties.ContentType = message.content_type
        properties.PayloadFormatIndicator = 1  # UTF-8
        if message.properties:
            properties.UserProperty = list(message.properties)
        if message.expires_in_s is not None:
            properties.MessageExpiryInterval = message.expires_in_s
        return properties

    # -- in paho's thread

    def _on_connect(self, _: Client, __: Any, ___: ConnectFlags, code: ReasonCode, ____: Properties | None) -> None:
        self._tell(self._set_greeting, code)

    def _on_disconnect(
        self, _: Client, __: Any, ___: DisconnectFlags, code: ReasonCode, ____: Properties | None
    ) -> None:
        self._tell(self._lost, str(code))

    def _on_publish(self, _: Client, __: Any, mid: int, code: ReasonCode, ___: Properties) -> None:
        self._tell(self._answered, mid, code)

    def _tell(self, what: Any, *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *arguments)

    # -- in the loop again

    def _set_greeting(self, code: ReasonCode) -> None:
        if not self._greeted.done():
            self._greeted.set_result(code)

    def _lost(self, why: str) -> None:
        self.is_up = False
        if not self._greeted.done():
            self._greeted.set_exception(NotSent(f"{self._what} closed the connection: {why}"))
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(SinkUnavailable(f"{self._what} was lost before it answered: {why}"))

    def _answered(self, mid: int, code: ReasonCode) -> None:
        answer = self._answers.get(mid)
        if answer is None or answer.done():
            return
        if code.is_failure:
            answer.set_exception(_refusal(f"{self._what} refused the message", code))
        else:
            answer.set_result(str(code))


def _refusal(what: str, code: ReasonCode) -> NotSent | SinkRejected:
    text = f"{what}: {code}"
    return SinkRejected(text) if code.value in _REFUSED_FOR_GOOD else NotSent(text)
