"""What happens around every request: host check, security headers, request id, metrics and one log line."""

from time import perf_counter
from uuid import uuid4

import structlog
from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from query_api.problems import problem, too_large
from telemetry.log import get_logger
from telemetry.metrics import API_REQUESTS, API_SECONDS

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = frozenset({"/health", "/metrics"})
_STRICT_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_PAGES = frozenset({"/", "/docs"})
_ASSETS = "/assets/"
log = get_logger(__name__)


class Envelope:
    """ASGI middleware around the whole app.

    Paths are logged as route templates and without their query: plates stand in both.

    Args:
        app: what it wraps.
        hosts: host names that are served; ``*`` is any.
        max_body_bytes: larger bodies are refused: unread where they announce their length, else while they are read.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...], max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        status = 500
        started = perf_counter()

        async def finish(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), scope["path"], request_id)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                app = self._refusal(headers) or self._app
                await app(scope, self._counted(receive), finish)
            finally:
                _account(scope, status, perf_counter() - started)

    def _refusal(self, headers: Headers) -> ASGIApp | None:
        """The answer to a request that needs no route to be refused."""
        if "*" not in self._hosts and _host(headers) not in self._hosts:
            detail = "This host name is not served; see ALPR_API_ALLOWED_HOSTS."
            return problem(400, "unknown-host", "Unknown host", detail)
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > self._max_body_bytes:
            return too_large(self._max_body_bytes)
        return None

    def _counted(self, receive: Receive) -> Receive:
        """Receives until the body is too large."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                # the one exception that FastAPI lets pass while it reads a body
                raise HTTPException(413, f"a body may have at most {self._max_body_bytes} bytes")
            return message

        return counted


def _account(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    method = scope["method"] if scope["method"] in _METHODS else "OTHER"
    API_REQUESTS.labels(route, method, str(status)).inc()
    API_SECONDS.labels(route).observe(seconds)
    level = "debug" if route in _QUIET else "info"
    getattr(log, level)("request", route=route, method=method, status=status, ms=round(seconds * 1000, 1))


def _add_headers(headers: MutableHeaders, path: str, request_id: str) -> None:
    headers["X-Request-ID"] = request_id
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = "same-site"
    headers["Content-Security-Policy"] = _PAGE_POLICY if path in _PAGES else _STRICT_POLICY
    if not path.startswith(_ASSETS):
        headers["Cache-Control"] = "no-store"  # plates are personal data


def _request_id(headers: Headers) -> str:
    """The caller's own id where it is a sane one, so that its log and ours meet; else a new one."""
    given = headers.get("x-request-id", "")
    return given if 8 <= len(given) <= 64 and given.isascii() and given.replace("-", "").isalnum() else str(uuid4())


def _host(headers: Headers) -> str:
    """Name of the Host header without its port; an IPv6 address keeps its brackets."""
    host = headers.get("host", "").lower()
    return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
