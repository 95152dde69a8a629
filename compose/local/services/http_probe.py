"""GET for health checks, with every way to fail turned into `NotReady`."""

import json
import urllib.error
import urllib.request
from typing import Any

from compose.local.errors import NotReady


def get_json(url: str, timeout_s: float = 5.0) -> Any:
    """The JSON that `url` answers with.

    Raises:
        NotReady: no connection, a status of 400 and more, or no JSON.
    """
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310  (loopback URLs of ours)
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise NotReady(f"{url} answered {error.code}") from error
    except (OSError, ValueError) as error:
        raise NotReady(f"{url}: {error}") from error
