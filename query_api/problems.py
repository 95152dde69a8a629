"""Errors as problem documents (RFC 9457, ``application/problem+json``)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from query_api.errors import ApiError, FieldProblem
from schemas.errors import AlprError, Unavailable
from telemetry.log import get_logger

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:alpr:problem:"
_TYPES = {404: "not-found", 405: "method-not-allowed", 413: "content-too-large", 422: "validation"}
log = get_logger(__name__)


def problem(
    status: int,
    kind: str,
    title: str,
    detail: str | None = None,
    fields: Sequence[FieldProblem] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A problem document as response."""
    body: dict[str, Any] = {"type": TYPE_PREFIX + kind, "title": title, "status": status}
    if detail:
        body["detail"] = detail
    if fields:
        body["errors"] = [{"field": item.field, "message": item.message} for item in fields]
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def too_large(limit_bytes: int) -> JSONResponse:
    """The answer to a body above the limit."""
    return problem(413, "content-too-large", "Content too large", f"a body may have at most {limit_bytes} bytes")


def install(app: FastAPI, retry_after_s: int) -> None:
    """Make the app answer every error with a problem document.

    Args:
        app: the application.
        retry_after_s: ``Retry-After`` where the dependency names no pause of its own.
    """

    async def refused(_request: Request, error: ApiError) -> JSONResponse:
        headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
        return problem(error.status, error.type, error.title, error.detail, error.fields, headers)

    async def unavailable(request: Request, error: Unavailable) -> JSONResponse:
        log.warning("dependency_unavailable", path=request.url.path, reason=str(error))
        pause_s = retry_after_s if error.retry_after_s is None else max(1, round(error.retry_after_s))
        return problem(503, "unavailable", "Temporarily unavailable", str(error), headers={"Retry-After": str(pause_s)})

    async def failed(_request: Request, error: AlprError) -> JSONResponse:
        log.error("request_failed", reason=str(error), kind=type(error).__name__)
        return problem(500, "internal", "Internal error", "The request could not be handled; the log says why.")

    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        if any(item["type"] == "json_invalid" for item in error.errors()):
            return problem(400, "bad-request", "Bad request", "the body is not JSON")
        fields = [FieldProblem(_path(item["loc"]), str(item["msg"])) for item in error.errors()]
        detail = "; ".join(f"{item.field}: {item.message}" for item in fields[:3])
        return problem(422, "validation", "Invalid request", detail, fields)

    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        title = HTTPStatus(error.status_code).phrase
        detail = error.detail if error.detail != title else None
        kind = _TYPES.get(error.status_code, "http")
        return problem(error.status_code, kind, title, detail, headers=dict(error.headers or {}))

    async def unexpected(_request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", kind=type(error).__name__)  # the server logs the traceback
        return problem(500, "internal", "Internal error", "The request could not be handled; the log says why.")

    handlers: dict[type[Exception], Any] = {
        Exception: unexpected,
        ApiError: refused,
        Unavailable: unavailable,
        AlprError: failed,
        RequestValidationError: invalid,
        HTTPException: http,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _path(location: Sequence[str | int]) -> str:
    """``plate.characters[3]`` of pydantic's location; where the value came from (query, body, ...) is left out."""
    path = ""
    for part in location[1:]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or str(location[0])
