"""The channels of the process, put together: one place that knows them all."""

from collections.abc import Awaitable, Callable

from agents.channels.apprise import AppriseChannel
from agents.channels.email import EmailChannel
from agents.channels.gate import GateChannel
from agents.channels.http_calls import HttpCalls
from agents.channels.message import Messages
from agents.channels.mqtt import MqttChannel
from agents.channels.mqtt_connection import MqttBrokers
from agents.channels.plate_images import StoredImages
from agents.channels.port import Channel
from agents.channels.settings import NotifySettings
from agents.channels.slack import SlackChannel
from agents.channels.sms import SmsChannel
from agents.channels.webhook import WebhookChannel
from schemas.endpoints import Endpoints


def open_channels(
    settings: NotifySettings, endpoints: Endpoints
) -> tuple[dict[str, Channel], Callable[[], Awaitable[None]]]:
    """All channels by name, and what closes the connections that they share (call it last). Connects nowhere."""
    messages = Messages(endpoints.api_url, settings.time_zone, settings.templates)
    images = StoredImages(endpoints, settings.image_wait_s, settings.image_max_bytes)
    calls = HttpCalls(settings.connect_timeout_s, settings.attempt_timeout_s)
    gate_calls = HttpCalls(settings.connect_timeout_s, settings.attempt_timeout_s, keep_alive=False)
    brokers = MqttBrokers(settings.connect_timeout_s, settings.attempt_timeout_s)
    channels: tuple[Channel, ...] = (
        EmailChannel(settings, endpoints, messages, images),
        SlackChannel(settings, messages, calls),
        WebhookChannel(settings, messages, calls),
        SmsChannel(settings, messages, calls),
        MqttChannel(settings, endpoints, messages, brokers),
        AppriseChannel(settings, messages),
        GateChannel(settings, endpoints, messages, brokers, WebhookChannel(settings, messages, gate_calls)),
    )

    async def close() -> None:
        for shared in (calls, gate_calls, brokers):
            await shared.close()

    return {channel.name: channel for channel in channels}, close
