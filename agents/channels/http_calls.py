"""One HTTP client for all channels, and the translation of its failures into the platform's errors."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx

from agents.channels.port import NotSent
from agents.channels.redaction import redact
from schemas.errors import SinkRejected, SinkUnavailable

MAX_ANSWER_BYTES = 64 * 1024
_NOTHING_DONE = frozenset({408, 423, 425, 429, 503})  # temporary, as every 5xx but the two below
_PERMANENT_5XX = frozenset({501, 505})
_FIRST_BAD = 300
# httpx logs each request with its whole URL at INFO, httpcore its headers at DEBUG: both hold secrets
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class HttpCalls:
    """Makes one call within a time limit. Redirects are not followed: an address is what the operator wrote.

    Args:
        connect_timeout_s: for the connection.
        attempt_timeout_s: for everything together, also when the other side drips.
        limit: connections at most.
        keep_alive: use connections again. Off, no call ever finds that the other side has closed its connection.
    """

    def __init__(
        self, connect_timeout_s: float, attempt_timeout_s: float, limit: int = 64, *, keep_alive: bool = True
    ) -> None:
        self._attempt_timeout_s = attempt_timeout_s
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(attempt_timeout_s, connect=connect_timeout_s),
            limits=httpx.Limits(max_connections=limit, max_keepalive_connections=limit if keep_alive else 0),
            verify=_tls(),
            follow_redirects=False,
            trust_env=True,  # proxies, as an operator expects
            headers={"User-Agent": "alpr-notify/1", "Accept-Encoding": "identity"},  # no bombs: the answer is read raw
        )

    async def post(
        self, url: str, what: str, secrets: tuple[str, ...] = (), *, method: str = "POST", **request: Any
    ) -> tuple[int, bytes]:
        """POST (or PUT), and read at most `MAX_ANSWER_BYTES` of the answer.

        Args:
            url: where to.
            what: who is called, for messages.
            secrets: kept out of messages.
            method: of HTTP.
            request: further arguments of `httpx.AsyncClient.request`.

        Returns:
            Status (2xx) and body.

        Raises:
            NotSent: nobody was reached, or the answer asks for another try (408, 423, 425, 429, 503).
            SinkUnavailable: no answer, or another 5xx: what came of the request is not known.
            SinkRejected: any other answer, or a request that cannot be made.
        """
        try:
            async with (
                asyncio.timeout(self._attempt_timeout_s),
                self._client.stream(method, url, **request) as response,
            ):
                body = await _read(response)
        except (httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSent(f"{what} does not answer") from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise SinkUnavailable(f"{what} did not answer within {self._attempt_timeout_s:g} s") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as error:
            raise SinkRejected(redact(f"{what}: the request cannot be made: {error}", secrets)) from error
        except (httpx.HTTPError, OSError) as error:
            reason = str(error) or type(error).__name__
            kind = NotSent if isinstance(error, httpx.ConnectError) else SinkUnavailable
            raise kind(redact(f"{what} does not answer: {reason}", secrets)) from error
        if response.status_code >= _FIRST_BAD:
            raise answer_error(what, response.status_code, body, response.headers, secrets)
        return response.status_code, body

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def answer_error(
    what: str, status: int, body: bytes, headers: Mapping[str, str], secrets: tuple[str, ...] = ()
) -> SinkUnavailable | SinkRejected:
    """The error that an answer other than 2xx means."""
    text = redact(f"{what} answered {status} {body.decode('utf-8', 'replace')}", secrets)
    if status in _NOTHING_DONE:
        return NotSent(text, retry_after_s(headers.get("retry-after")))
    if status >= 500 and status not in _PERMANENT_5XX:
        return SinkUnavailable(text, retry_after_s(headers.get("retry-after")))
    return SinkRejected(text)


def retry_after_s(value: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Seconds of a ``Retry-After`` header (RFC 9110, 10.2.3): a number or a date; None for what is neither."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.replace(".", "", 1).isdigit() and len(value) < 10:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now()).total_seconds())


@cache
def _tls() -> ssl.SSLContext:
    """Reading the certificate store takes 40 ms: once a process."""
    return httpx.create_ssl_context()


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= MAX_ANSWER_BYTES:
            break
    return bytes(body[:MAX_ANSWER_BYTES])
