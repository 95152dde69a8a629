"""Receivers on loopback that speak SMTP and HTTP and misbehave on demand."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass
class HttpRequest:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass
class HttpReceiver:
    """An HTTP/1.1 server whose answers are set by the test.

    Attributes:
        answer: status, headers, body; or a function of the request that gives them.
        hang: keep silent after the request.
        slow_s: seconds that it takes to answer.
        requests: what came.
    """

    answer: Any = (200, {}, b"ok")
    hang: bool = False
    slow_s: float = 0.0
    requests: list[HttpRequest] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen on a free port, or on the one that it had before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the door and every connection."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = HttpRequest(head[0].split()[1], headers, body)
        self.requests.append(request)
        if self.hang:
            await asyncio.sleep(30)
        await asyncio.sleep(self.slow_s)
        status, extra, answer = self.answer(request) if callable(self.answer) else self.answer
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(answer)}", *(f"{k}: {v}" for k, v in extra.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer)
        await writer.drain()


class MailReceiver:
    """An SMTP server whose answer to a mail is set by the test.

    Attributes:
        answer: SMTP reply to the mail's content.
        recipient_answer: SMTP reply to RCPT, where it is not to be accepted.
        login: the only user and password that it takes; None: everybody may send.
        hang_s: seconds that it keeps silent before it answers.
    """

    def __init__(self) -> None:
        self.answer = "250 OK queued as 42"
        self.recipient_answer: str | None = None
        self.login: tuple[str, str] | None = None
        self.hang_s = 0.0
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self._controller: Controller | None = None
        self.port = 0

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails that were accepted, parsed."""
        return [message_from_bytes(raw, policy=SMTP) for raw in self.raw]  # type: ignore[misc]

    def start(self, *, with_login: bool = False) -> None:
        """Listen on a free port, or on the one that it had before."""
        options: dict[str, Any] = {}
        if with_login:
            options = {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": False}
        if not self.port:
            import socket

            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self._controller.start()

    def stop(self) -> None:
        """Close the door."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer RCPT."""
        if self.recipient_answer is not None:
            return self.recipient_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer the content."""
        await asyncio.sleep(self.hang_s)
        if self.answer.startswith("250"):
            self.raw.append(envelope.content)
            self.recipients.append(envelope.rcpt_tos)
        return self.answer

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == self.login, handled=False)


Cleanup = Callable[[], Awaitable[None]]
