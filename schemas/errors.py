"""One error tree for the whole platform, with the error type that each branch has as a dead letter.

Adapters translate the exceptions of client libraries into this tree; nothing above an adapter catches anything else.
"""

from enum import StrEnum


class ErrorType(StrEnum):
    """Why a record became a dead letter (the symbols of ``alpr.DeadLetter.error_type``)."""

    SCHEMA_VALIDATION = "SCHEMA_VALIDATION"
    PROCESSING_FAILURE = "PROCESSING_FAILURE"
    TIMEOUT = "TIMEOUT"
    BUSINESS_LOGIC = "BUSINESS_LOGIC"
    UNKNOWN = "UNKNOWN"


class AlprError(Exception):
    """Root of all errors that the platform raises on purpose."""

    error_type: ErrorType = ErrorType.PROCESSING_FAILURE


class ConfigError(AlprError):
    """A setting, a rule file or a command line is wrong; the message says what to change."""


class SchemaError(AlprError):
    """A record's bytes do not follow their contract. Reading them again cannot help."""

    error_type = ErrorType.SCHEMA_VALIDATION


class UnknownSchemaId(SchemaError):
    """The registry answered that it has no schema with the id that the record carries."""


class BusinessRuleError(AlprError):
    """A record is well-formed but says something that cannot be (a capture time in 1970, a latitude of 300)."""

    error_type = ErrorType.BUSINESS_LOGIC


class Unavailable(AlprError):
    """Something outside does not answer now. The record is kept and tried again; it is never a dead letter.

    Args:
        message: what does not answer, and the operator's next step.
        retry_after_s: the pause that the other side asked for, if it did.
    """

    error_type = ErrorType.TIMEOUT

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RegistryUnavailable(Unavailable):
    """The schema registry does not answer."""


class SinkUnavailable(Unavailable):
    """A store or channel does not answer, or asks for a pause. Retried in place; the offset is held."""


class SinkRejected(AlprError):
    """A store or channel refuses this one record for good. It goes to the dead letters, its neighbours do not."""
