"""The check that a URL may be called."""

from urllib.parse import urlsplit

from schemas.errors import ConfigError


def checked_url(url: str) -> str:
    """The URL, if it is an http or https one with a host.

    Raises:
        ConfigError: it is not. The message does not repeat it: it may hold a secret.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError as error:
        raise ConfigError("the URL is malformed") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError("the URL must start with http:// or https:// and name a host")
    return url
