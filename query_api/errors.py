"""What the API refuses, each with the status and problem type that the client gets."""

from dataclasses import dataclass

from schemas.errors import AlprError


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field that is wrong.

    Attributes:
        field: path in the body or name of the parameter, such as ``[3].plate.confidence``.
        message: what is wrong with it.
    """

    field: str
    message: str


class ApiError(AlprError):
    """A request that gets a problem document (RFC 9457).

    Attributes:
        status: HTTP status.
        type: last part of the problem type's URI.
        title: short and the same for every occurrence.
    """

    status = 400
    type = "bad-request"
    title = "Bad request"

    def __init__(self, detail: str, fields: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields


class InvalidCursor(ApiError):
    """The cursor was not made by this API, or for another list."""

    type = "invalid-cursor"
    title = "Invalid cursor"


class InvalidQuery(ApiError):
    """The search index cannot make sense of the query."""

    type = "invalid-query"
    title = "Invalid query"


class Unauthorized(ApiError):
    """No API key, or a wrong one."""

    status = 401
    type = "unauthorized"
    title = "API key required"


class NotFound(ApiError):
    """There is no such thing."""

    status = 404
    type = "not-found"
    title = "Not found"


class ContentTooLarge(ApiError):
    """Body or batch above the limit."""

    status = 413
    type = "content-too-large"
    title = "Content too large"


class UnsupportedMediaType(ApiError):
    """The body is not declared as JSON."""

    status = 415
    type = "unsupported-media-type"
    title = "Unsupported media type"


class Invalid(ApiError):
    """Well-formed, but a field's value cannot be accepted."""

    status = 422
    type = "validation"
    title = "Invalid request"


class QueryTimeout(ApiError):
    """The database gave the query up. Narrowing it helps, repeating it does not."""

    status = 503
    type = "query-timeout"
    title = "The query took too long"
