"""The MQTT channel on a real Mosquitto with a login and an access list, and on one with TLS."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agents.channels.message import Messages
from agents.channels.mqtt import MqttChannel
from agents.channels.mqtt_connection import MqttBrokers
from agents.channels.port import Notification, NotSent
from agents.channels.settings import NotifySettings
from schemas.endpoints import Endpoints
from schemas.errors import ConfigError, SinkRejected
from tests.connected.notify.mosquitto import USER, Mosquitto
from tests.connected.security.certificates import Authority
from tests.unit.agents.notify.alerts import notification
from tests.unit.agents.notify.conformance import FAST, SECRET, ChannelConformance

MESSAGES = Messages("http://api.example:8000/")


@pytest.fixture(scope="session")
def program(stack: Any) -> None:
    """The broker's program is there: the stack has fetched it."""
    stack.start("mqtt")


class TestMqtt(ChannelConformance):
    """The conformance suite. Mosquitto's one temporary refusal is to be away."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, program: None) -> None:
        """Where the broker lives."""
        self.broker = Mosquitto(tmp_path, SECRET)

    async def start(self) -> None:
        """Start the broker, and a channel whose endpoints name it."""
        self.topic = "ok/{{ camera_id }}"
        await asyncio.to_thread(self.broker.start)
        self.brokers = MqttBrokers(FAST["connect_timeout_s"], FAST["attempt_timeout_s"])
        endpoints = Endpoints(
            mqtt_host="127.0.0.1", mqtt_port=self.broker.port, mqtt_username=USER, mqtt_password="${BROKER_PASSWORD}"
        )
        self.mqtt = MqttChannel(NotifySettings(**FAST), endpoints, MESSAGES, self.brokers)

    async def stop(self) -> None:
        """Stop it."""
        await asyncio.to_thread(self.broker.stop)

    async def restart(self) -> None:
        """Start it again."""
        await asyncio.to_thread(self.broker.start)

    def channel(self) -> MqttChannel:
        """The MQTT channel."""
        return self.mqtt

    def notification(self, **changes: Any) -> Notification:
        """To the topic of the test; retained, since the subscriber comes back after a restart as late as we do."""
        context = {"camera_id": "gate-1", **changes.pop("context", {})}
        return notification(
            self.mqtt, {"topic": self.topic, "retain": "true"}, {"BROKER_PASSWORD": SECRET}, context=context, **changes
        )

    def delivered(self) -> list[str]:
        """What the subscriber got."""
        return self.broker.texts()

    def refuse_for_now(self) -> None:
        """Go away."""
        self.broker.freeze()

    def accept_again(self) -> None:
        """Be back."""
        self.broker.thaw()

    def be_slow(self) -> None:
        """Silence for a while."""
        self.broker.freeze()
        asyncio.get_running_loop().call_later(0.15, self.broker.thaw)

    def ids(self) -> list[str]:
        """User properties."""
        return [message.properties.UserProperty[0][1] for message in self.broker.messages if message.properties]

    def refuse_for_good(self) -> None:
        """A topic that the access list does not allow."""
        self.topic = "forbidden"

    def hang(self) -> None:
        """Silence."""
        self.broker.freeze()

    def echo_secret(self) -> None:
        """A refusal, on a connection that was opened with the secret."""
        self.topic = "forbidden"

    async def test_temporary_refusal_is_unavailable(self) -> None:
        """A broker that is away has nothing, and says so."""
        await self.stop()
        with pytest.raises(NotSent) as caught:
            await self.mqtt.send(self.notification())
        assert caught.value.retry_after_s is None

    async def test_wrong_password_is_for_good(self) -> None:
        """A login that is refused is no reason to knock again and again."""
        made = notification(
            self.mqtt, {"topic": "ok/x", "host": "127.0.0.1", "port": str(self.broker.port), "username": USER,
                        "password": "${PASSWORD}"}, {"PASSWORD": "not-the-password"},
        )  # fmt: skip
        with pytest.raises(SinkRejected, match="Not authorized"):
            await self.mqtt.send(made)

    async def test_the_message_is_a_cloud_event_with_its_id(self) -> None:
        """Content type and user property are those of the CloudEvents binding and of the notification."""
        made = self.notification()
        await self.mqtt.send(made)
        assert len(self.delivered()) == 1
        [message] = self.broker.messages
        assert message.topic == "ok/gate-1"
        assert message.properties is not None
        assert message.properties.ContentType.startswith("application/cloudevents+json")
        assert message.properties.UserProperty == [("notification_id", made.notification_id)]

    @pytest.mark.parametrize("qos", ["0", "1", "2"])
    async def test_every_quality_of_service(self, qos: str) -> None:
        """QoS 0, 1 and 2 arrive once, with the payload that the action gives, in both versions of the protocol."""
        for protocol in ("5", "3.1.1"):
            params = {"topic": "ok/x", "payload": "open {{ alert.plate_text }} " + protocol, "qos": qos}
            params |= {"host": "127.0.0.1", "port": str(self.broker.port), "protocol": protocol, "username": USER}
            params |= {"password": "${PASSWORD}"}
            await self.mqtt.send(notification(self.mqtt, params, {"PASSWORD": SECRET}))
        assert self.delivered() == ["open ABC123 5", "open ABC123 3.1.1"]

    async def test_one_connection_serves_all(self) -> None:
        """Fifty messages at a time go over one connection."""
        await asyncio.gather(*(self.mqtt.send(self.notification()) for _ in range(50)))
        assert len(self.delivered()) == 50
        assert len(self.brokers._connections) == 1

    @pytest.mark.parametrize("wrong", [{"qos": "3"}, {"port": "no"}, {"protocol": "4"}])
    async def test_what_cannot_be_is_a_config_error(self, wrong: dict[str, str]) -> None:
        """A quality, port or protocol that does not exist is told before anything is sent."""
        with pytest.raises(ConfigError):
            self.mqtt.addresses({"topic": "ok/x", **wrong}, {"BROKER_PASSWORD": SECRET})


async def test_tls_checks_the_broker(tmp_path: Path, program: None) -> None:
    """With TLS the broker's certificate is checked: ours is taken with our authority's file and refused without."""
    authority = Authority(tmp_path, "authority")
    broker = Mosquitto(tmp_path, SECRET, authority.sign("broker", "DNS:localhost"))
    await asyncio.to_thread(broker.start)
    brokers = MqttBrokers(3, 3)
    try:
        for ca_file, works in ((authority.certificate, True), (None, False)):
            endpoints = Endpoints(
                mqtt_host="localhost", mqtt_port=broker.port, mqtt_username=USER, mqtt_password=SECRET,
                mqtt_tls=True, mqtt_ca_file=ca_file,
            )  # fmt: skip
            channel = MqttChannel(NotifySettings(**FAST), endpoints, MESSAGES, brokers)
            made = notification(channel, {"topic": "ok/tls"})
            if works:
                assert await channel.send(made) == "Success"
            else:
                with pytest.raises(NotSent, match="certificate"):
                    await channel.send(made)
        assert len(broker.texts()) == 1
    finally:
        await brokers.close()
        await asyncio.to_thread(broker.stop)
