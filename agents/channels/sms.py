"""SMS through Twilio's REST API."""

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from agents.channels.http_calls import HttpCalls
from agents.channels.message import Messages, shorten
from agents.channels.port import Address, Notification
from agents.channels.redaction import redact
from agents.channels.settings import NotifySettings
from agents.channels.urls import checked_url
from agents.channels.variables import SettingMissing, first, resolve, resolve_all, variable_values
from schemas.errors import ConfigError

MAX_TEXT_CHARS = 300  # a few segments: an SMS is 160 characters of GSM 7 or 70 of UCS-2
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")  # ITU-T E.164
_PUNCTUATION = re.compile(r"[\s().-]")


class SmsChannel:
    """Texts an alert to a phone number; each number of an action is a notification of its own.

    Action parameters: ``to``, ``from``, ``account_sid``, ``auth_token``. Twilio has no
    idempotency key: after a crash a text may come twice.

    Args:
        settings: of the notifier, with the account.
        messages: renders.
        calls: makes the HTTP calls.
    """

    name: ClassVar[str] = "sms"

    def __init__(self, settings: NotifySettings, messages: Messages, calls: HttpCalls) -> None:
        self._settings = settings
        self._messages = messages
        self._calls = calls

    def addresses(self, params: Mapping[str, str], environment: Mapping[str, str]) -> tuple[Address, ...]:
        """See `Channel.addresses`: one for each number in ``to``."""
        resolved = resolve_all({"to": self._settings.sms_to, **params}, environment)
        numbers = first(resolved, "to", "recipients", "phone", "to_numbers")
        if not numbers:
            raise SettingMissing("no recipient: give the action a `to`, or set ALPR_NOTIFY_SMS_TO")
        account = first(resolved, "account_sid", "twilio_account_sid") or self._needed(
            "TWILIO_ACCOUNT_SID", self._settings.twilio_account_sid, environment
        )
        token = self._settings.twilio_auth_token
        password = first(resolved, "auth_token", "twilio_auth_token") or self._needed(
            "TWILIO_AUTH_TOKEN", token.get_secret_value() if token else "", environment
        )
        sender = first(resolved, "from", "from_number") or self._needed(
            "TWILIO_FROM", self._settings.twilio_from, environment
        )
        base = checked_url(resolve(self._settings.twilio_api_url, environment)).rstrip("/")
        url = f"{base}/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json"
        sent = {**resolved, "account": account, "password": password, "sender": sender}
        numbers_split = _split(numbers)
        variables = (value for value in variable_values(params, environment).values() if value != numbers)
        secrets = (password, account, *variables)
        return tuple(
            Address(number, number, urlsplit(base).netloc, url, {**sent, "number": number}, secrets)
            for number in numbers_split
        )

    async def send(self, notification: Notification) -> str:
        """See `Channel.send`."""
        address = notification.address
        params = address.params
        kind = "MessagingServiceSid" if params["sender"].startswith("MG") else "From"
        form = {"To": params["number"], kind: params["sender"], "Body": self._text(notification)}
        _, answer = await self._calls.post(
            address.target, "Twilio", address.secrets, data=form, auth=(params["account"], params["password"])
        )
        return redact(f"sid {_field(answer, 'sid')}, {_field(answer, 'status')}", address.secrets)

    async def close(self) -> None:
        """The HTTP client is shared; its owner closes it."""

    def _needed(self, name: str, value: str, environment: Mapping[str, str]) -> str:
        if not value:
            raise SettingMissing(f"ALPR_NOTIFY_{name} is not set")
        return resolve(value, environment)

    def _text(self, notification: Notification) -> str:
        link = self._messages.link(notification.alert)
        tail = f" {link}" if link else ""
        text = " ".join(self._messages.render("sms.txt", notification).split())
        return (shorten(text, max(80, MAX_TEXT_CHARS - len(tail))) + tail).encode("utf-8", "replace").decode()


def _split(numbers: str) -> list[str]:
    """The numbers of a list, in E.164, each once.

    Raises:
        ConfigError: something in it is no such number.
    """
    found: dict[str, None] = {}
    for part in numbers.replace(";", ",").strip("[] ").split(","):
        number = _PUNCTUATION.sub("", part.strip().strip("'\""))
        if not number:
            continue
        if not _NUMBER.fullmatch(number):
            raise ConfigError("`to` holds something that is no phone number in E.164 form (+491701234567)")
        found[number] = None
    return list(found)


def _field(answer: bytes, name: str) -> Any:
    try:
        said = json.loads(answer)
    except ValueError:
        return None
    return said.get(name) if isinstance(said, dict) else None
