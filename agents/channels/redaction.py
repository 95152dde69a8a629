"""What of an address may be shown, and the removal of secrets from what the other side says."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

MAX_DETAIL_CHARS = 300
_SHORT_CHARS = 8
_PLAIN_WORDS = re.compile(r"[a-z]+([-_.][a-z]+)*|v\d")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def shown_url(url: str) -> str:
    """A URL for people: no credentials, no query, no fragment, path tokens shortened.

    A path segment is taken for a token when it is long and not made of plain lower-case words.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    path = "/".join(_shown_segment(segment) for segment in parts.path.split("/"))
    return f"{parts.scheme}://{host}{port}{path}"


def url_secrets(url: str) -> tuple[str, ...]:
    """The parts of a URL that `shown_url` hides."""
    parts = urlsplit(url)
    hidden = [segment for segment in parts.path.split("/") if _shown_segment(segment) != segment]
    return tuple(secret for secret in (*hidden, parts.query, parts.password or "", parts.username or "") if secret)


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text on one line, at most `MAX_DETAIL_CHARS`, with each secret replaced by stars."""
    for secret in sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).strip()
    return text if len(text) <= MAX_DETAIL_CHARS else text[: MAX_DETAIL_CHARS - 1] + "…"


def _shown_segment(segment: str) -> str:
    if len(segment) <= _SHORT_CHARS or (len(segment) <= 24 and _PLAIN_WORDS.fullmatch(segment)):
        return segment
    return segment[:3] + "…"
