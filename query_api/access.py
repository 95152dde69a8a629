"""Who may call: the optional API key."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from query_api.errors import Unauthorized

_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The value of ALPR_API_KEY, where one is set")
_BEARER = HTTPBearer(auto_error=False, description="The same key, for clients such as Prometheus")


def key_required(key: SecretStr | None) -> Callable[..., Awaitable[None]]:
    """A dependency that lets callers with the key pass; everybody, where there is none."""
    expected = None if key is None else key.get_secret_value().encode()

    async def check(
        header: Annotated[str | None, Security(_HEADER)],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> None:
        if expected is None:
            return
        given = header if header is not None else bearer.credentials if bearer is not None else None
        if given is None:
            raise Unauthorized("send the key as X-API-Key header or as bearer token")
        if not secrets.compare_digest(given.encode(), expected):
            raise Unauthorized("the key is wrong")

    return check
