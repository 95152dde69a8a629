"""Slack: Block Kit messages by an incoming webhook or by a bot token."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from agents.channels.http_calls import HttpCalls
from agents.channels.message import Messages, one_line
from agents.channels.port import Address, Notification
from agents.channels.redaction import redact, shown_url, url_secrets
from agents.channels.settings import NotifySettings
from agents.channels.urls import checked_url
from agents.channels.variables import SettingMissing, first, resolve, resolve_all, variable_values
from schemas.errors import SinkRejected, SinkUnavailable

# limits of Block Kit: https://docs.slack.dev/reference/block-kit/blocks/
MAX_HEADER_CHARS = 150
MAX_SECTION_CHARS = 3000
MAX_FIELD_CHARS = 2000
MAX_FIELDS = 10
# errors of chat.postMessage that pass: https://docs.slack.dev/reference/methods/chat.postMessage/
_TEMPORARY = frozenset(
    {"ratelimited", "rate_limited", "service_unavailable", "fatal_error", "internal_error", "request_timeout"}
)
_SIGNS = {"critical": "🚨", "high": "🔴", "medium": "🟠", "low": "🔵", "info": "ℹ️"}


class SlackChannel:
    """Posts an alert to a channel.

    Action parameters: ``webhook_url`` (or ``url``), or ``channel`` with the settings' bot token; without any of them
    the settings' webhook or channel. ``username`` and ``icon_emoji`` count with a bot token.

    Args:
        settings: of the notifier.
        messages: renders.
        calls: makes the HTTP calls.
    """

    name: ClassVar[str] = "slack"

    def __init__(self, settings: NotifySettings, messages: Messages, calls: HttpCalls) -> None:
        self._settings = settings
        self._messages = messages
        self._calls = calls

    def addresses(self, params: Mapping[str, str], environment: Mapping[str, str]) -> tuple[Address, ...]:
        """See `Channel.addresses`. A webhook in the action wins over the bot token, that over the settings' webhook."""
        resolved = resolve_all(params, environment)
        url = first(resolved, "webhook_url", "url")
        token = first(resolved, "token", "bot_token")
        if not token and self._settings.slack_token is not None:
            token = resolve(self._settings.slack_token.get_secret_value(), environment)
        channel = resolved.get("channel") or resolve(self._settings.slack_channel, environment)
        if not url and token and channel:
            return (self._by_token(channel, token, resolved, params, environment),)
        if not url:
            if self._settings.slack_webhook_url is None:
                raise SettingMissing("ALPR_NOTIFY_SLACK_TOKEN is not set (nor ALPR_NOTIFY_SLACK_WEBHOOK_URL)")
            url = resolve(self._settings.slack_webhook_url.get_secret_value(), environment)
        checked_url(url)
        identity = first(params, "webhook_url", "url") or f"webhook:{channel}"
        secrets = (*url_secrets(url), *variable_values(params, environment).values())
        shown = " ".join(filter(None, (channel, redact(shown_url(url), _inner_secrets(url, params, environment)))))
        # Slack limits rates by webhook and channel, not as a whole
        return (Address(identity, shown, shown, url, resolved, secrets),)

    async def send(self, notification: Notification) -> str:
        """See `Channel.send`."""
        address = notification.address
        body = self._body(notification)
        if address.params.get("via") != "token":
            _, answer = await self._calls.post(address.target, "Slack's webhook", address.secrets, json=body)
            return redact(answer.decode("utf-8", "replace"), address.secrets)
        body |= {
            "channel": address.params["channel"],
            "metadata": {
                "event_type": "alpr_alert",
                "event_payload": {
                    "notification_id": notification.notification_id,
                    "alert_id": notification.alert.alert_id,
                },
            },
            "unfurl_links": False,
        }
        # needs the scope chat:write.customize: https://docs.slack.dev/reference/methods/chat.postMessage/
        body |= {name: address.params[name] for name in ("username", "icon_emoji") if address.params.get(name)}
        headers = {"Authorization": f"Bearer {address.params['token']}"}
        _, answer = await self._calls.post(address.target, "Slack", address.secrets, json=body, headers=headers)
        return self._checked(answer, address)

    async def close(self) -> None:
        """The HTTP client is shared; its owner closes it."""

    def _by_token(
        self, channel: str, token: str, resolved: dict[str, str], params: Mapping[str, str], env: Mapping[str, str]
    ) -> Address:
        url = resolve(self._settings.slack_api_url, env).rstrip("/") + "/chat.postMessage"
        checked_url(url)
        sent = {**resolved, "via": "token", "token": token, "channel": channel}
        secrets = (token, *(v for v in variable_values(params, env).values() if v != channel))
        return Address(channel, channel, channel, url, sent, secrets)

    def _checked(self, answer: bytes, address: Address) -> str:
        """Slack says 200 to everything; whether it took the message stands in the body."""
        try:
            said = json.loads(answer)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise SinkUnavailable("Slack answered something that is not its API's JSON")
        if said.get("ok") is True:
            return f"ts {redact(str(said.get('ts')), address.secrets)}"
        error = redact(str(said.get("error")), address.secrets)
        if error in _TEMPORARY:
            raise SinkUnavailable(f"Slack answered {error}")
        raise SinkRejected(f"Slack answered {error}")

    def _body(self, notification: Notification) -> dict[str, Any]:
        alert, messages = notification.alert, self._messages
        title = one_line(f"{_SIGNS.get(alert.severity, '')} {messages.subject(notification)}", MAX_HEADER_CHARS)
        message = _mrkdwn(messages.render("slack.txt", notification).strip(), MAX_SECTION_CHARS)
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}},
        ]
        if message:
            blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": message}})
        fields = [
            {"type": "mrkdwn", "text": f"*{fact.label}*\n{_mrkdwn(fact.value, MAX_FIELD_CHARS - 40)}"}
            for fact in messages.facts(alert)[:MAX_FIELDS]
        ]
        blocks.append({"type": "section", "fields": fields})
        link = messages.link(alert)
        if link:
            blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"<{link}|Open the sighting>"}})
        footer = {"type": "mrkdwn", "text": _mrkdwn(f"Alert {alert.alert_id}", MAX_FIELD_CHARS)}
        blocks.append({"type": "context", "elements": [footer]})
        return {"text": _mrkdwn(title, MAX_SECTION_CHARS), "blocks": blocks}


def _mrkdwn(text: str, limit: int) -> str:
    """Text for Slack's markup: the three characters that have a meaning everywhere are escaped, then it is cut.

    Nothing in it can become a link or ping a channel (``<!channel>``).
    """
    text = text.encode("utf-8", "replace").decode()
    pieces = []
    left = limit
    for character in text:
        piece = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(character, character)
        if len(piece) >= left:
            pieces.append("…")
            break
        pieces.append(piece)
        left -= len(piece)
    return "".join(pieces)


def _inner_secrets(url: str, params: Mapping[str, str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that are a part of the URL (a variable that is the whole URL is shortened by `shown_url`)."""
    return tuple(value for value in variable_values(params, environment).values() if value != url)
