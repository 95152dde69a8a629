"""Webhooks: an alert as a CloudEvent, signed, with an idempotency key."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from agents.channels.cloud_events import STRUCTURED, alert_event, binary_headers
from agents.channels.http_calls import HttpCalls
from agents.channels.message import Messages
from agents.channels.port import Address, Notification
from agents.channels.redaction import redact, shown_url, url_secrets
from agents.channels.settings import NotifySettings
from agents.channels.urls import checked_url
from agents.channels.variables import SettingMissing, resolve, resolve_all, variable_values
from schemas.clock import MICROS_PER_S, now_us
from schemas.errors import ConfigError, SinkUnavailable

MAX_TIMEOUT_S = 60.0


class WebhookChannel:
    """Posts an alert to a URL.

    The body is a CloudEvent 1.0 in JSON (https://cloudevents.io); its id, the ``Idempotency-Key`` and the
    ``webhook-id`` are the notification id. With a secret the request is signed as Standard Webhooks 1.0 says
    (https://www.standardwebhooks.com): ``webhook-signature: v1,BASE64(HMAC-SHA256(key, "id.timestamp.body"))``.
    Action parameters: ``url``, ``secret``, ``mode`` (``structured``, or ``binary``: the alert alone is the body, the
    event's attributes are headers), ``method`` (``POST``, ``PUT``), ``timeout`` (seconds, at most the settings' one),
    and ``header.NAME`` for further headers.

    Args:
        settings: of the notifier.
        messages: gives the links.
        calls: makes the HTTP calls.
        now: wall clock in microseconds, for the signature's timestamp.
    """

    name: ClassVar[str] = "webhook"

    def __init__(
        self, settings: NotifySettings, messages: Messages, calls: HttpCalls, now: Callable[[], int] = now_us
    ) -> None:
        self._settings = settings
        self._messages = messages
        self._calls = calls
        self._now = now

    def addresses(self, params: Mapping[str, str], environment: Mapping[str, str]) -> tuple[Address, ...]:
        """See `Channel.addresses`. The identity is the URL as written: a rotated token is the same recipient."""
        written = {"url": self._settings.webhook_url, **params}
        resolved = resolve_all(written, environment)
        url = resolved.get("url", "")
        if not url:
            raise SettingMissing("no address: give the action a `url`, or set ALPR_NOTIFY_WEBHOOK_URL")
        checked_url(url)
        if resolved.get("mode", "structured") not in {"structured", "binary"}:
            raise ConfigError("mode must be structured or binary")
        if resolved.get("method", "POST").upper() not in {"POST", "PUT"}:
            raise ConfigError("method must be POST or PUT")
        _timeout_s(resolved)
        if "secret" not in resolved and self._settings.webhook_secret is not None:
            resolved["secret"] = resolve(self._settings.webhook_secret.get_secret_value(), environment)
        if "secret" in resolved:
            signing_key(resolved["secret"])
        variables = variable_values(written, environment)
        secrets = (*url_secrets(url), *variables.values(), *_header_values(resolved), resolved.get("secret", ""))
        shown = redact(shown_url(url), [value for value in variables.values() if value != url])
        return (Address(written["url"], shown, shown, url, resolved, tuple(filter(None, secrets))),)

    async def send(self, notification: Notification) -> str:
        """See `Channel.send`."""
        event = alert_event(notification, self._messages)
        if notification.address.params.get("mode") == "binary":
            return await self.post(notification, _json(event["data"]), "application/json", binary_headers(event))
        return await self.post(notification, _json(event), STRUCTURED)

    async def post(
        self, notification: Notification, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
    ) -> str:
        """Send a body, signed and with the idempotency key.

        Returns, raises: as `Channel.send`.
        """
        address = notification.address
        moment = str(self._now() // MICROS_PER_S)
        headers = {
            **_own_headers(address.params),
            **(headers or {}),
            "Content-Type": content_type,
            "Idempotency-Key": notification.notification_id,
            "webhook-id": notification.notification_id,
            "webhook-timestamp": moment,
        }
        if address.params.get("secret"):
            key = signing_key(address.params["secret"])
            headers["webhook-signature"] = signature(key, notification.notification_id, moment, body)
        method = address.params.get("method", "POST").upper()
        what, limit_s = f"webhook {address.shown}", _timeout_s(address.params)
        try:
            async with asyncio.timeout(limit_s):
                status, answer = await self._calls.post(
                    address.target, what, address.secrets, method=method, content=body, headers=headers
                )
        except TimeoutError as error:
            raise SinkUnavailable(f"{what} did not answer within {limit_s:g} s") from error
        return redact(f"{status} {answer.decode('utf-8', 'replace')}", address.secrets)

    async def close(self) -> None:
        """The HTTP client is shared; its owner closes it."""


def signing_key(secret: str) -> bytes:
    """The key of a secret: base64 after ``whsec_``, else the text itself.

    Raises:
        ConfigError: what follows ``whsec_`` is not base64.
    """
    if not secret.startswith("whsec_"):
        return secret.encode("utf-8", "replace")
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigError("the webhook secret: what follows whsec_ is not base64") from error


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _timeout_s(params: Mapping[str, str]) -> float | None:
    """Seconds for a try, where the action says so.

    Raises:
        ConfigError: it is no number of seconds.
    """
    written = params.get("timeout")
    if written is None:
        return None
    try:
        value = float(written.removesuffix("s"))
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_TIMEOUT_S:
        raise ConfigError("timeout must be a number of seconds")
    return value


def _own_headers(params: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix("header."): value for name, value in params.items() if name.startswith("header.")}


def _header_values(params: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_own_headers(params).values())
