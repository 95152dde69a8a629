"""The Apprise channel passes the conformance suite with a service of the library that posts JSON to us."""

import asyncio
import json
from typing import Any

import pytest
from apprise import Apprise

from agents.channels.apprise import AppriseChannel
from agents.channels.port import Notification
from agents.channels.settings import NotifySettings
from agents.channels.variables import SettingMissing
from schemas.errors import ConfigError, SinkRejected, SinkUnavailable
from tests.unit.agents.notify.alerts import notification
from tests.unit.agents.notify.conformance import FAST, SECRET
from tests.unit.agents.notify.receivers import HttpRequest
from tests.unit.agents.notify.test_channels import MESSAGES, HttpConformance

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The library loads its services at first use, which takes longer than the time-outs of these tests."""
    assert Apprise.instantiate("json://localhost") is not None


class TestApprise(HttpConformance):
    """The library's own waiting is longer than ours, and it does not pass Retry-After on."""

    def allowed(self, request: HttpRequest) -> bool:
        """The path holds the token."""
        return request.path.startswith(f"/{SECRET}")

    def make(self) -> AppriseChannel:
        """The channel."""
        return AppriseChannel(NotifySettings(**FAST), MESSAGES)

    def notification(self, **changes: Any) -> Notification:
        """By a variable that is the whole URL."""
        environment = {"TEAM_URL": f"json://127.0.0.1:{self.server.port}/{SECRET}/"}
        return notification(self.made, {"url": "${TEAM_URL}"}, environment, **changes)

    def delivered(self) -> list[str]:
        """Titles and texts."""
        return [f"{request.json['title']}\n{request.json['message']}" for request in self.accepted]

    def refuse_for_now(self) -> None:  # type: ignore[override]  # the pause is lost in the library
        """Too many requests."""
        self.refusal = (429, {}, b"slow down")

    async def test_server_error_is_unavailable(self) -> None:
        """A status of 5xx may pass."""
        self.refusal = (503, {}, b"oops")
        with pytest.raises(SinkUnavailable, match="503"):
            await self.made.send(self.notification())

    async def test_redirects_are_not_followed(self) -> None:
        """The library follows redirects, as its services need; nothing of ours changes that."""
        self.refusal = (404, {}, b"")
        with pytest.raises(SinkRejected, match="404"):
            await self.made.send(self.notification())

    async def test_the_loop_goes_on_meanwhile(self) -> None:
        """While a service keeps silent, the event loop turns."""
        self.server.slow_s = 0.2
        sending = asyncio.create_task(self.made.send(self.notification()))
        turns = 0
        while not sending.done():
            await asyncio.sleep(0.01)
            turns += 1
        await sending
        assert turns >= 5

    async def test_receipts_name_the_variable(self) -> None:
        """What is shown is the service and the name of the variable, never the URL."""
        address = self.notification().address
        assert address.shown == "json (TEAM_URL)"
        assert SECRET not in json.dumps([address.shown, address.identity, address.destination])

    async def test_severity_is_told(self) -> None:
        """A grave alert is a failure to the service, so that it may ring."""
        await self.made.send(self.notification(severity="critical"))
        await self.made.send(self.notification(severity="low"))
        assert [request.json["type"] for request in self.accepted] == ["failure", "info"]


@pytest.mark.parametrize("url", ["no url", "json:", "dbus://", "syslog://x", "://x"])
def test_what_is_no_service_is_told(url: str) -> None:
    """A URL that is none, and a service of the notifier's own machine, are refused before anything is sent."""
    with pytest.raises(ConfigError):
        AppriseChannel(NotifySettings(), MESSAGES).addresses({"url": url}, {})


async def test_unknown_service_is_rejected() -> None:
    """A service that the library does not know, or whose URL lacks something, is a failure for good."""
    channel = AppriseChannel(NotifySettings(), MESSAGES)
    for url in ("nosuchservice://x", "tgram://"):
        try:
            made = notification(channel, {"url": url})
        except ConfigError:
            continue
        with pytest.raises(SinkRejected, match="no such service"):
            await channel.send(made)


def test_nothing_set_is_told() -> None:
    """Without a URL in action and settings, the receipt will name the setting."""
    with pytest.raises(SettingMissing, match="ALPR_NOTIFY_APPRISE_URL"):
        AppriseChannel(NotifySettings(), MESSAGES).addresses({}, {})
