"""The channels of the process, put together: one place that knows them all."""

from agents.channels.email import EmailChannel
from agents.channels.http_calls import HttpCalls
from agents.channels.message import Messages
from agents.channels.plate_images import StoredImages
from agents.channels.port import Channel
from agents.channels.settings import NotifySettings
from agents.channels.slack import SlackChannel
from agents.channels.sms import SmsChannel
from agents.channels.webhook import WebhookChannel
from schemas.endpoints import Endpoints


def open_channels(settings: NotifySettings, endpoints: Endpoints) -> tuple[dict[str, Channel], HttpCalls]:
    """All channels by name, and the HTTP client that they share (close it last). Connects nowhere."""
    messages = Messages(endpoints.api_url, settings.time_zone, settings.templates)
    images = StoredImages(endpoints, settings.image_wait_s, settings.image_max_bytes)
    calls = HttpCalls(settings.connect_timeout_s, settings.attempt_timeout_s)
    channels: tuple[Channel, ...] = (
        EmailChannel(settings, endpoints, messages, images),
        SlackChannel(settings, messages, calls),
        WebhookChannel(settings, messages, calls),
        SmsChannel(settings, messages, calls),
    )
    return {channel.name: channel for channel in channels}, calls
