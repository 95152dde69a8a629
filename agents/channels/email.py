"""E-mail: text and HTML, with the plate's picture inside where there is one."""

import asyncio
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from ipaddress import ip_address
from typing import ClassVar

import aiosmtplib

from agents.channels.message import Messages
from agents.channels.plate_images import PlateImages
from agents.channels.port import Address, Notification, RecipientUnavailable
from agents.channels.redaction import redact
from agents.channels.settings import NotifySettings
from agents.channels.variables import SettingMissing, first, resolve_all, variable_values
from schemas.endpoints import Endpoints
from schemas.errors import ConfigError, SinkRejected, SinkUnavailable

MAX_ADDRESS_CHARS = 254  # RFC 5321, 4.5.3.1.3 (errata 1690)


class EmailChannel:
    """Mails one alert to one address; each address of an action is a notification of its own.

    The Message-ID is made of the notification id (RFC 5322, 3.6.4), so a mail that was sent twice after a crash is
    recognisable as the same. Action parameters: ``to``, ``subject`` (template), ``from``, and, for rules that bring
    their own server, ``smtp_host``, ``smtp_port``, ``username``, ``password``, ``use_tls``.

    Args:
        settings: of the notifier.
        endpoints: default mail server and sender.
        messages: renders.
        images: gives the plate crop.
    """

    name: ClassVar[str] = "email"

    def __init__(self, settings: NotifySettings, endpoints: Endpoints, messages: Messages, images: PlateImages) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._messages = messages
        self._images = images

    def addresses(self, params: Mapping[str, str], environment: Mapping[str, str]) -> tuple[Address, ...]:
        """See `Channel.addresses`: one for each address in ``to``."""
        written = {"to": self._settings.email_to, **params}
        resolved = resolve_all(written, environment)
        recipients = first(resolved, "to", "recipients", "to_addresses")
        if not recipients:
            raise SettingMissing("no recipient: give the action a `to`, or set ALPR_NOTIFY_EMAIL_TO")
        hidden = {"password": resolved.get("password", "")}
        secrets = tuple(
            value
            for name, value in {**variable_values(params, environment), **hidden}.items()
            if value and not (name != "password" and "@" in value)  # a recipient is no secret
        )
        host = first(resolved, "smtp_host", "host", "smtp_server") or self._endpoints.smtp_host
        port = first(resolved, "smtp_port", "port") or str(self._endpoints.smtp_port)
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ConfigError("smtp_port is no port number")
        return tuple(
            Address(mail, mail, f"{host}:{port}", mail, {**resolved, "smtp_host": host, "smtp_port": port}, secrets)
            for mail in _split(recipients)
        )

    async def send(self, notification: Notification) -> str:
        """See `Channel.send`."""
        address = notification.address
        secrets = (*address.secrets, *self._own_secrets())
        image = await self._images.fetch(notification.alert.images.plate_url)
        mail = self._compose(notification, image)
        what = f"mail server {address.destination}"
        try:
            async with asyncio.timeout(self._settings.attempt_timeout_s):
                answer = await self._transmit(mail, address)
        except (TimeoutError, aiosmtplib.SMTPTimeoutError) as error:
            raise SinkUnavailable(f"{what} did not answer within {self._settings.attempt_timeout_s:g} s") from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            raise _answered(what, refused.code, refused.message, secrets, RecipientUnavailable) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _answered(what, error.code, error.message, secrets) from error
        except (aiosmtplib.SMTPNotSupported, ValueError) as error:
            raise SinkRejected(redact(f"{what}: {error}", secrets)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise SinkUnavailable(redact(f"{what} does not answer: {error}", secrets)) from error
        return redact(answer, secrets)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _transmit(self, mail: EmailMessage, address: Address) -> str:
        params, endpoints = address.params, self._endpoints
        own_server = address.destination == f"{endpoints.smtp_host}:{endpoints.smtp_port}"
        username, password = (
            first(params, "username", "smtp_username", "user"),
            first(params, "password", "smtp_password"),
        )
        if own_server and not username:
            username = endpoints.smtp_username or ""
            password = endpoints.smtp_password.get_secret_value() if endpoints.smtp_password else ""
        port = int(params["smtp_port"])
        implicit_tls = port == 465  # RFC 8314
        asked = params.get("use_tls", "").lower() in {"true", "1", "yes", "on"}
        # a password never leaves this machine in clear: an attacker in between would only have to hide the offer
        secret = bool(password) and not _is_here(params["smtp_host"])
        start_tls = True if asked or secret or (own_server and endpoints.smtp_starttls) else None  # None: where offered
        client = aiosmtplib.SMTP(
            hostname=params["smtp_host"],
            port=port,
            timeout=self._settings.attempt_timeout_s,
            use_tls=implicit_tls,
            start_tls=False if implicit_tls else start_tls,
            username=username or None,
            password=password or None,
        )
        async with client:
            _, answer = await client.send_message(mail)
        return answer

    def _compose(self, notification: Notification, image: tuple[bytes, str] | None) -> EmailMessage:
        alert, address, messages = notification.alert, notification.address, self._messages
        sender = first(address.params, "from", "from_address", "sender") or self._endpoints.smtp_sender
        domain = parseaddr(sender)[1].rpartition("@")[2] or "alpr.invalid"
        mail = EmailMessage(policy=SMTP)
        try:
            mail["From"] = _header_address(sender)
            mail["To"] = _header_address(address.target)
        except (ValueError, IndexError, HeaderParseError) as error:
            raise SinkRejected(f"not a mail address: {error}") from error
        mail["Subject"] = messages.subject(notification)
        mail["Date"] = formatdate(usegmt=True)
        mail["Message-ID"] = f"<{notification.notification_id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        mail["X-ALPR-Alert-ID"] = alert.alert_id
        mail["X-ALPR-Severity"] = _ascii(alert.severity)
        if alert.severity in {"critical", "high"}:
            mail["Importance"] = "high"
        mail.set_content(_encodable(messages.render("email.txt", notification)))
        cid = f"plate.{notification.notification_id}@{domain}" if image is not None else None
        mail.add_alternative(_encodable(messages.render("email.html", notification, image_cid=cid)), subtype="html")
        if image is not None:
            data, kind = image
            html = mail.get_payload()[1]  # type: ignore[index]  # multipart: a list of two parts
            html.add_related(  # type: ignore[union-attr]  # an EmailMessage
                data, "image", kind, cid=f"<{cid}>", filename=f"plate.{kind}", disposition="inline"
            )
        return mail

    def _own_secrets(self) -> tuple[str, ...]:
        password = self._endpoints.smtp_password
        return (password.get_secret_value(),) if password is not None else ()


def _is_here(host: str) -> bool:
    """Whether a host is this machine, so that nothing travels."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _split(recipients: str) -> list[str]:
    """The addresses of a list, each checked and once.

    Raises:
        ConfigError: something in it cannot be an address.
    """
    found: dict[str, None] = {}
    for part in recipients.replace(";", ",").strip("[] ").split(","):
        mail = part.strip().strip("'\"")
        if not mail:
            continue
        name, at, domain = mail.rpartition("@")
        if (
            not (name and at and domain)
            or len(mail) > MAX_ADDRESS_CHARS
            or any(c.isspace() or ord(c) < 32 for c in mail)
        ):
            raise ConfigError("`to` holds something that is no mail address")
        found[mail] = None
    return list(found)


def _header_address(text: str) -> MailAddress:
    name, mail = parseaddr(text)
    local, _, domain = mail.rpartition("@")
    if not local or not domain:
        raise ValueError("an address has a name, an @ and a domain")
    return MailAddress(display_name=name, username=local, domain=domain)


def _answered(
    what: str, code: int, message: str, secrets: tuple[str, ...], temporary: type[SinkUnavailable] = SinkUnavailable
) -> SinkUnavailable | SinkRejected:
    """4yz passes, 5yz stays (RFC 5321, 4.2.1)."""
    text = redact(f"{what} answered {code} {message}", secrets)
    return SinkRejected(text) if 500 <= code < 600 else temporary(text)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _ascii(text: str) -> str:
    return "".join(c for c in text if c.isascii() and c.isprintable())[:20]
