"""Every channel passes the conformance suite; what is its own is tested beside."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from agents.channels.email import EmailChannel
from agents.channels.http_calls import HttpCalls
from agents.channels.message import Messages
from agents.channels.port import Notification, RecipientUnavailable
from agents.channels.settings import NotifySettings
from agents.channels.slack import SlackChannel
from agents.channels.sms import SmsChannel
from agents.channels.variables import SettingMissing
from agents.channels.webhook import WebhookChannel
from schemas.endpoints import Endpoints
from schemas.errors import ConfigError, SinkRejected, SinkUnavailable
from schemas.events import RuleRef
from tests.unit.agents.notify.alerts import HOSTILE_TEXTS, notification
from tests.unit.agents.notify.conformance import FAST, SECRET, ChannelConformance
from tests.unit.agents.notify.receivers import HttpReceiver, HttpRequest, MailReceiver

pytestmark = pytest.mark.thorough

MESSAGES = Messages("http://api.example:8000/")
PNG = b"\x89PNG\r\n\x1a\n" + b"not really"


class NoImages:
    """No image is ever there."""

    async def fetch(self, url: str | None) -> None:
        """Nothing."""


class OneImage:
    """The same image for everybody."""

    async def fetch(self, url: str | None) -> tuple[bytes, str]:
        """The image."""
        return PNG, "png"


class TestEmail(ChannelConformance):
    """Mail, with a server that wants a password."""

    async def start(self) -> None:
        """Start the mail server."""
        self.server = MailReceiver()
        self.server.login = ("alpr", SECRET)
        self.server.start(with_login=True)
        endpoints = Endpoints(
            smtp_host="127.0.0.1", smtp_port=self.server.port, smtp_username="alpr", smtp_password=SECRET
        )
        self.mail = EmailChannel(NotifySettings(**FAST), endpoints, MESSAGES, NoImages())

    async def stop(self) -> None:
        """Stop it."""
        self.server.stop()

    async def restart(self) -> None:
        """Start it again."""
        self.server.start(with_login=True)

    def channel(self) -> EmailChannel:
        """The mail channel."""
        return self.mail

    def notification(self, **changes: Any) -> Notification:
        """For the guard."""
        return notification(self.mail, {"to": "guard@example.org"}, **changes)

    def delivered(self) -> list[str]:
        """Texts of the plain parts."""
        return [mail.get_body(("plain",)).get_content() for mail in self.server.mails]  # type: ignore[union-attr]

    def refuse_for_now(self) -> None:
        """Greylisting."""
        self.server.answer = "451 4.7.1 try again later"

    def accept_again(self) -> None:
        """The greylist knows us now."""
        self.server.answer = "250 OK"

    def be_slow(self) -> None:
        """A while after the content."""
        self.server.hang_s = 0.15

    def ids(self) -> list[str]:
        """Message ids, without the domain."""
        return [str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in self.server.mails]

    def refuse_for_good(self) -> None:
        """No such user."""
        self.server.recipient_answer = "550 5.1.1 no such user"

    def hang(self) -> None:
        """Silence after the content."""
        self.server.hang_s = 2

    def echo_secret(self) -> None:
        """A server that says too much."""
        self.server.answer = f"554 5.0.0 user alpr password {SECRET} is known here"


class HttpConformance(ChannelConformance):
    """What the HTTP channels share: a receiver that asks for the credential and answers as the test says."""

    receiver_type = HttpReceiver
    good: tuple[int, dict[str, str], bytes] = (200, {}, b'{"ok": true, "ts": "1.2", "sid": "SM1", "status": "queued"}')

    async def start(self) -> None:
        """Start the HTTP server."""
        self.server = HttpReceiver(answer=self.answer_if_allowed)
        self.refusal: tuple[int, dict[str, str], bytes] | None = None
        self.accepted: list[HttpRequest] = []
        await self.server.start()
        self.calls = HttpCalls(0.3, 0.4)
        self.made = self.make()

    async def stop(self) -> None:
        """Stop it."""
        await self.server.stop()

    async def restart(self) -> None:
        """Start it again."""
        await self.server.start()

    def answer_if_allowed(self, request: HttpRequest) -> tuple[int, dict[str, str], bytes]:
        """401 without the credential, else the refusal of the test, else 200."""
        if not self.allowed(request):
            return 401, {}, b"who are you?"
        if self.refusal is not None:
            return self.refusal
        self.accepted.append(request)
        return self.good

    def allowed(self, request: HttpRequest) -> bool:
        """Whether the credential is there."""
        raise NotImplementedError

    def make(self) -> Any:
        """The channel."""
        raise NotImplementedError

    def channel(self) -> Any:
        """The channel."""
        return self.made

    def refuse_for_now(self) -> float:
        """Too many requests."""
        self.refusal = (429, {"Retry-After": "7"}, b"slow down")
        return 7.0

    def accept_again(self) -> None:
        """Enough room again."""
        self.refusal = None

    def be_slow(self) -> None:
        """A while before the answer."""
        self.server.slow_s = 0.15

    def refuse_for_good(self) -> None:
        """A bad request."""
        self.refusal = (400, {}, b"bad request")

    def hang(self) -> None:
        """Silence after the request."""
        self.server.hang = True

    def echo_secret(self) -> None:
        """A server that says too much."""
        self.refusal = (500, {}, f"cannot use {SECRET}".encode())

    async def test_server_error_is_unavailable(self) -> None:
        """500 and 503 may pass; a Retry-After that is a date is understood."""
        for status in (500, 502, 503):
            self.refusal = (status, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, b"oops")
            with pytest.raises(SinkUnavailable) as caught:
                await self.made.send(self.notification())
            assert caught.value.retry_after_s is not None
            assert caught.value.retry_after_s > 1e6

    async def test_redirects_are_not_followed(self) -> None:
        """A redirect is a refusal: the alert goes only where the operator sends it."""
        self.refusal = (302, {"Location": self.server.url + "/elsewhere"}, b"")
        with pytest.raises(SinkRejected):
            await self.made.send(self.notification())
        assert all("/elsewhere" not in request.path for request in self.server.requests)


class TestSlackWebhook(HttpConformance):
    """Slack by incoming webhook; the path is the credential."""

    good = (200, {}, b"ok")

    def allowed(self, request: HttpRequest) -> bool:
        """The path holds the token."""
        return request.path == f"/services/T00/B00/{SECRET}"

    def make(self) -> SlackChannel:
        """The channel."""
        return SlackChannel(NotifySettings(**FAST), MESSAGES, self.calls)

    def notification(self, **changes: Any) -> Notification:
        """By a variable that is the whole URL."""
        environment = {"SLACK_URL": f"{self.server.url}/services/T00/B00/{SECRET}"}
        return notification(self.made, {"webhook_url": "${SLACK_URL}"}, environment, **changes)

    def delivered(self) -> list[str]:
        """Texts of the blocks."""
        return [_texts(request.json["blocks"]) for request in self.accepted]


class TestSlackBot(HttpConformance):
    """Slack by bot token."""

    def allowed(self, request: HttpRequest) -> bool:
        """The bearer token."""
        return request.path == "/api/chat.postMessage" and request.headers.get("authorization") == f"Bearer {SECRET}"

    def make(self) -> SlackChannel:
        """The channel."""
        settings = NotifySettings(slack_token=SECRET, slack_api_url=self.server.url + "/api", **FAST)
        return SlackChannel(settings, MESSAGES, self.calls)

    def notification(self, **changes: Any) -> Notification:
        """For a channel."""
        return notification(self.made, {"channel": "#alerts"}, **changes)

    def delivered(self) -> list[str]:
        """Texts of the blocks."""
        return [_texts(request.json["blocks"]) for request in self.accepted]

    def ids(self) -> list[str]:
        """What stands in the metadata."""
        return [request.json["metadata"]["event_payload"]["notification_id"] for request in self.server.requests]

    async def test_name_and_icon(self) -> None:
        """A rule may say under which name and icon the message appears."""
        params = {"channel": "#alerts", "username": "Gate", "icon_emoji": ":car:"}
        await self.made.send(notification(self.made, params))
        assert (self.accepted[0].json["username"], self.accepted[0].json["icon_emoji"]) == ("Gate", ":car:")

    @pytest.mark.parametrize(
        ("error", "expected"), [("ratelimited", SinkUnavailable), ("channel_not_found", SinkRejected)]
    )
    async def test_errors_in_the_body(self, error: str, expected: type[Exception]) -> None:
        """Slack says 200 to failures too: the body decides."""
        self.refusal = (200, {}, json.dumps({"ok": False, "error": error}).encode())
        with pytest.raises(expected, match=error):
            await self.made.send(self.notification())

    async def test_an_answer_that_is_not_slacks(self) -> None:
        """A proxy's page with status 200 is no delivery."""
        self.refusal = (200, {}, b"<html>log in first</html>")
        with pytest.raises(SinkUnavailable):
            await self.made.send(self.notification())

    async def test_limits_of_block_kit(self) -> None:
        """A message of any length stays within Slack's limits."""
        long = "&<>" * 4000
        await self.made.send(self.notification(message=long, plate_text=long, camera_id=long, site_id=long))
        body = self.accepted[0].json
        assert len(body["blocks"][0]["text"]["text"]) <= 150
        for block in body["blocks"]:
            for field in block.get("fields", []):
                assert len(field["text"]) <= 2000
            if block["type"] == "section" and "text" in block:
                assert len(block["text"]["text"]) <= 3000
        assert len(next(block for block in body["blocks"] if "fields" in block)["fields"]) <= 10


class TestWebhook(HttpConformance):
    """Webhooks; the credential is a header, the key signs."""

    def allowed(self, request: HttpRequest) -> bool:
        """The bearer token and a signature that is right."""
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
        expected = base64.b64encode(hmac.new(b"signing key", signed, hashlib.sha256).digest()).decode()
        return (
            request.headers.get("authorization") == f"Bearer {SECRET}"
            and request.headers.get("webhook-signature") == f"v1,{expected}"
        )

    def make(self) -> WebhookChannel:
        """The channel."""
        secret = "whsec_" + base64.b64encode(b"signing key").decode()
        return WebhookChannel(NotifySettings(webhook_secret=secret, **FAST), MESSAGES, self.calls)

    def notification(self, **changes: Any) -> Notification:
        """With a header whose value is a variable."""
        params = {"url": self.server.url + "/hook", "header.Authorization": "Bearer ${TOKEN}"}
        return notification(self.made, params, {"TOKEN": SECRET}, **changes)

    def delivered(self) -> list[str]:
        """Messages and links."""
        return [f"{request.json['data']['message']} {request.json['data']['link']}" for request in self.accepted]

    def ids(self) -> list[str]:
        """Idempotency keys."""
        return [request.headers["idempotency-key"] for request in self.server.requests]

    async def test_binary_mode(self) -> None:
        """In binary mode the body is the alert, and the event's attributes are headers, percent-encoded."""
        params = {"url": self.server.url + "/hook", "header.Authorization": "Bearer ${TOKEN}", "mode": "binary"}
        made = notification(self.made, params, {"TOKEN": SECRET}, rule=RuleRef("grün 1%", "Grün", "v"))
        await self.made.send(made)
        [request] = self.accepted
        assert request.headers["content-type"] == "application/json"
        assert request.headers["ce-specversion"] == "1.0"
        assert request.headers["ce-id"] == made.notification_id
        assert request.headers["ce-source"] == "/alpr/rules/gr%25C3%25BCn%25201%2525"
        assert request.headers["ce-type"] == "alpr.alert.v1"
        assert request.json["alert_id"] == made.alert.alert_id

    async def test_put_and_an_own_time_out(self) -> None:
        """A rule may ask for PUT and for less patience; what cannot be is told before anything is sent."""
        params = {"url": self.server.url + "/hook", "header.Authorization": "Bearer ${TOKEN}", "method": "put"}
        await self.made.send(notification(self.made, params, {"TOKEN": SECRET}))
        assert len(self.accepted) == 1
        self.server.hang = True
        with pytest.raises(SinkUnavailable, match=r"within 0\.1 s"):
            await self.made.send(notification(self.made, {**params, "timeout": "0.1"}, {"TOKEN": SECRET}))
        for wrong in ({"method": "GET"}, {"mode": "batch"}, {"timeout": "nan"}, {"timeout": "-1"}):
            with pytest.raises(ConfigError):
                self.made.addresses({**params, **wrong}, {"TOKEN": SECRET})

    async def test_body_and_keys(self) -> None:
        """The body is a CloudEvent whose id is the idempotency key, and does not name the other recipients."""
        sent = self.notification()
        await self.made.send(sent)
        [request] = self.accepted
        body = request.json
        assert request.headers["idempotency-key"] == body["id"] == sent.notification_id
        assert request.headers["content-type"].startswith("application/cloudevents+json")
        assert {"specversion", "source", "type", "subject", "time"} <= body.keys()
        assert body["data"]["alert_id"] == sent.alert.alert_id
        assert body["data"]["proof"]["matched_plate"] == "A8C123"
        assert "actions" not in body["data"]

    def test_wrong_secret_is_told(self) -> None:
        """A signing key that is not base64 is an error of the settings, not of the receiver."""
        channel = WebhookChannel(NotifySettings(webhook_secret="whsec_!!!"), MESSAGES, self.calls)
        with pytest.raises(ConfigError, match="base64"):
            channel.addresses({"url": "http://a.example"}, {})


class TestSms(HttpConformance):
    """Twilio with basic authentication."""

    good = (201, {}, b'{"sid": "SM1", "status": "queued"}')

    def allowed(self, request: HttpRequest) -> bool:
        """Account and token."""
        expected = "Basic " + base64.b64encode(f"AC1:{SECRET}".encode()).decode()
        return request.path == "/2010-04-01/Accounts/AC1/Messages.json" and (
            request.headers.get("authorization") == expected
        )

    def make(self) -> SmsChannel:
        """The channel."""
        settings = NotifySettings(
            twilio_account_sid="AC1",
            twilio_auth_token="${TWILIO}",
            twilio_from="+15550001111",
            twilio_api_url=self.server.url,
            **FAST,
        )
        return SmsChannel(settings, MESSAGES, self.calls)

    def notification(self, **changes: Any) -> Notification:
        """For a phone, with the token from the environment."""
        return notification(self.made, {"to": "+49 (170) 123-4567"}, {"TWILIO": SECRET}, **changes)

    def delivered(self) -> list[str]:
        """Texts."""
        return [parse_qs(request.body.decode())["Body"][0] for request in self.accepted]

    async def test_form(self) -> None:
        """Number in E.164, sender, and a text of a few segments that keeps its link."""
        await self.made.send(self.notification(message="y" * 10_000))
        form = parse_qs(self.accepted[0].body.decode())
        assert form["To"] == ["+491701234567"]
        assert form["From"] == ["+15550001111"]
        assert len(form["Body"][0]) <= 300
        assert form["Body"][0].endswith("/events/11111111-1111-5111-8111-111111111111")

    def test_bad_number(self) -> None:
        """What is no phone number is told before anything is sent."""
        with pytest.raises(ConfigError, match=r"E\.164"):
            self.made.addresses({"to": "call me"}, {"TWILIO": SECRET})


@pytest.fixture
def mail_server() -> Iterator[MailReceiver]:
    """A mail server that takes everything."""
    server = MailReceiver()
    server.start()
    yield server
    server.stop()


def _email(server: MailReceiver, images: Any = None, **settings: Any) -> EmailChannel:
    endpoints = Endpoints(smtp_host="127.0.0.1", smtp_port=server.port, smtp_sender="ALPR <alpr@example.org>")
    return EmailChannel(NotifySettings(**{**FAST, **settings}), endpoints, MESSAGES, images or NoImages())


async def test_mail_with_picture(mail_server: MailReceiver) -> None:
    """The plate's picture is a part of the mail and the HTML refers to it; identity and auto-reply headers are set."""
    channel = _email(mail_server, OneImage())
    sent = notification(channel, {"to": "a@example.org"})
    await channel.send(sent)
    [mail] = mail_server.mails
    [picture] = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture.get_payload(decode=True) == PNG
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html
    assert mail["Message-ID"] == f"<{sent.notification_id}@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["To"] == "a@example.org"


async def test_greylisting_concerns_the_recipient(mail_server: MailReceiver) -> None:
    """A temporary refusal of one recipient is told apart from a server that does not work."""
    channel = _email(mail_server)
    mail_server.recipient_answer = "451 4.7.1 greylisted"
    with pytest.raises(RecipientUnavailable, match="greylisted"):
        await channel.send(notification(channel, {"to": "a@example.org"}))


@pytest.mark.parametrize("kind", sorted(HOSTILE_TEXTS))
async def test_mail_headers_cannot_be_injected(mail_server: MailReceiver, kind: str) -> None:
    """Whatever plate, rule, camera and subject say, the mail has one recipient and the headers that we wrote."""
    text = HOSTILE_TEXTS[kind]
    channel = _email(mail_server)
    params = {"to": "a@example.org", "subject": text.replace("{", "")}
    await channel.send(notification(channel, params, plate_text=text, camera_id=text, severity=text))
    [mail] = mail_server.mails
    assert mail_server.recipients == [["a@example.org"]]
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    assert len(mail["Subject"]) <= 150
    assert "\u202e" not in mail["Subject"]


async def test_html_is_escaped(mail_server: MailReceiver) -> None:
    """Markup in a plate or message is text in the HTML part."""
    channel = _email(mail_server)
    bad = "<img src=x onerror=alert(1)>"
    await channel.send(notification(channel, {"to": "a@example.org"}, message=bad, plate_text=bad))
    html = mail_server.mails[0].get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert bad not in html
    assert "&lt;img src=x" in html


async def test_subject_template_is_sandboxed(mail_server: MailReceiver) -> None:
    """An action's subject is a template over the alert; it cannot reach Python's insides."""
    channel = _email(mail_server)
    good = {"to": "a@example.org", "subject": "{{ alert.plate_text }} ({{ vehicle_color }})"}
    await channel.send(notification(channel, good))
    assert mail_server.mails[0]["Subject"] == "ABC123 (red)"
    for template in ("{{ alert.__class__.__mro__ }}", "{{ nonsense }}", "{% for %}", "{{ 1/0 }}"):
        with pytest.raises(SinkRejected, match="subject"):
            await channel.send(notification(channel, {"to": "a@example.org", "subject": template}))


def test_each_mail_address_is_a_notification(mail_server: MailReceiver) -> None:
    """A list is split, repeats fall out, and something that is no address is told without repeating it."""
    channel = _email(mail_server)
    found = channel.addresses({"to": "a@example.org; b@example.org, a@example.org"}, {})
    assert [address.shown for address in found] == ["a@example.org", "b@example.org"]
    for bad in ("nobody", "a@", "@b", "a b@c", "a@b\r\nBcc: c@d", "x" * 300 + "@example.org"):
        with pytest.raises(ConfigError):
            channel.addresses({"to": bad}, {})


def test_missing_variable_names_itself(mail_server: MailReceiver) -> None:
    """The message of an unset variable is exactly what an operator needs."""
    channel = _email(mail_server)
    with pytest.raises(SettingMissing, match=r"^ALPR_ALERT_EMAIL is not set$"):
        channel.addresses({"to": "${ALPR_ALERT_EMAIL}"}, {"OTHER": "x"})
    with pytest.raises(SettingMissing, match="ALPR_NOTIFY_EMAIL_TO"):
        channel.addresses({}, {})


async def test_wrong_password_is_rejected() -> None:
    """A login that is refused does not pass by itself."""
    server = MailReceiver()
    server.login = ("alpr", "right")
    server.start(with_login=True)
    try:
        endpoints = Endpoints(smtp_host="127.0.0.1", smtp_port=server.port, smtp_username="alpr", smtp_password="wrong")
        channel = EmailChannel(NotifySettings(**FAST), endpoints, MESSAGES, NoImages())
        with pytest.raises(SinkRejected):
            await channel.send(notification(channel, {"to": "a@example.org"}))
    finally:
        server.stop()


async def test_a_password_does_not_travel_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server elsewhere that offers no TLS does not get to see the login."""
    server = MailReceiver()
    server.login = ("alpr", SECRET)
    server.start(with_login=True)
    monkeypatch.setattr("agents.channels.email._is_here", lambda host: False)
    try:
        endpoints = Endpoints(smtp_host="127.0.0.1", smtp_port=server.port, smtp_username="alpr", smtp_password=SECRET)
        channel = EmailChannel(NotifySettings(**FAST), endpoints, MESSAGES, NoImages())
        with pytest.raises(SinkUnavailable, match="STARTTLS"):
            await channel.send(notification(channel, {"to": "a@example.org"}))
        assert not server.mails
    finally:
        server.stop()


def _texts(blocks: list[dict[str, Any]]) -> str:
    parts = []
    for block in blocks:
        if "text" in block:
            parts.append(block["text"]["text"])
        parts += [field["text"] for field in block.get("fields", [])]
    return "\n".join(parts)
