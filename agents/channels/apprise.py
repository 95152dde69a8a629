"""Apprise: one channel for the long tail of services (Telegram, Matrix, Teams, Pushover, ...), by a URL each.

The library (https://appriseit.com) is synchronous, so it runs in threads of its own. It answers yes or no; why not
stands only in its log, which is read here for the HTTP status and never passed on: it may hold tokens.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

from agents.channels.http_calls import answer_error
from agents.channels.message import Messages
from agents.channels.port import Address, Notification
from agents.channels.redaction import url_secrets
from agents.channels.settings import NotifySettings
from agents.channels.variables import SettingMissing, resolve_all, variable_values
from schemas.errors import ConfigError, SinkRejected, SinkUnavailable

if TYPE_CHECKING:  # importing it loads a hundred modules: only who uses the channel pays for that, in a thread
    from apprise import NotifyBase

THREADS = 8
_SCHEMA = re.compile(r"([a-z][a-z0-9+.-]{0,30})://\S")
_STATUS = re.compile(r"\berror=(\d{3})\b")
_DESKTOP = frozenset({
    "dbus", "qt", "kde", "glib", "gnome", "macosx", "windows", "syslog", "rsyslog", "growl",
})  # fmt: skip
"""Services of the machine that the notifier runs on: nobody sits there."""
_KINDS = {"critical": "failure", "high": "failure", "medium": "warning"}
_LOGGER = logging.getLogger("apprise")
# what it logs, and the requests that urllib3 logs for it at DEBUG, hold tokens
_LOGGER.propagate = False
_LOGGER.setLevel(logging.WARNING)
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class AppriseChannel:
    """Sends an alert through an Apprise URL.

    Action parameter: ``url``, in which the rule file demands ``${NAME}``. Nothing here is idempotent: after a crash, or
    when a service answers after the time-out, a message may come twice.

    Args:
        settings: of the notifier.
        messages: renders.
    """

    name: ClassVar[str] = "apprise"

    def __init__(self, settings: NotifySettings, messages: Messages) -> None:
        self._settings = settings
        self._messages = messages
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="apprise")

    def addresses(self, params: Mapping[str, str], environment: Mapping[str, str]) -> tuple[Address, ...]:
        """See `Channel.addresses`. The identity is the URL as written: a rotated token is the same recipient."""
        default = self._settings.apprise_url
        written = {"url": default.get_secret_value() if default is not None else "", **params}
        url = resolve_all(written, environment).get("url", "")
        if not url:
            raise SettingMissing("no address: give the action a `url`, or set ALPR_NOTIFY_APPRISE_URL")
        found = _SCHEMA.match(url)
        if found is None:
            raise ConfigError("the Apprise URL must look like service://...")
        schema = found[1]
        if schema in _DESKTOP:
            raise ConfigError(f"{schema}:// is a service of the notifier's own machine")
        variables = variable_values(written, environment)
        own = () if params.get("url") else ("ALPR_NOTIFY_APPRISE_URL",)
        shown = f"{schema} ({', '.join(sorted(variables) or own) or 'url'})"
        secrets = (url, *url_secrets(url), *variables.values())
        identity = params.get("url") or "ALPR_NOTIFY_APPRISE_URL"
        return (Address(identity, shown, shown, url, {"schema": schema}, secrets),)

    async def send(self, notification: Notification) -> str:
        """See `Channel.send`. A thread that outlives the time-out ends by the service's own time-outs."""
        address = notification.address
        title = self._messages.subject(notification)
        body = self._messages.render("email.txt", notification).encode("utf-8", "replace").decode()
        kind = _KINDS.get(notification.alert.severity, "info")
        loop = asyncio.get_running_loop()
        limit_s = self._settings.attempt_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                sent, said = await loop.run_in_executor(
                    self._threads, _send, address.target, title, body, kind, limit_s
                )
        except TimeoutError as error:
            raise SinkUnavailable(f"{address.shown} did not answer within {limit_s:g} s") from error
        if sent:
            return "taken"
        status = next((int(found[1]) for line in said if (found := _STATUS.search(line))), None)
        if status is None:
            raise SinkUnavailable(f"{address.shown} did not take it")
        raise answer_error(address.shown, status, b"", {})

    async def close(self) -> None:
        """Let the threads go, without waiting for those that are under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _send(url: str, title: str, body: str, kind: str, limit_s: float) -> tuple[bool, list[str]]:
    """In a thread: whether the service took it, and what the library said of it.

    Raises:
        SinkRejected: the URL is not one of a known service.
    """
    from apprise import Apprise, NotifyFormat, NotifyType  # noqa: PLC0415 - loads a hundred modules, in this thread

    said: list[str] = []
    sent = Apprise(_service(url)).notify(
        body,
        title,
        NotifyType(kind),
        body_format=NotifyFormat.TEXT,
        timeout=limit_s,
        log_callback=lambda entry, _: said.append(entry.message),
        log_level=logging.WARNING,
    )
    return bool(sent), said


def _service(url: str) -> "NotifyBase":
    from apprise import Apprise, AppriseAsset, OverflowMode, PersistentStoreMode  # noqa: PLC0415 - as above

    asset = AppriseAsset(
        app_id="ALPR", app_desc="ALPR alerts", async_mode=False, secure_logging=True,
        storage_mode=PersistentStoreMode.MEMORY,
    )  # fmt: skip
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise SinkRejected("Apprise knows no such service, or its URL lacks something")
    service.overflow_mode = OverflowMode.TRUNCATE
    return service
