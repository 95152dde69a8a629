"""Each PostgreSQL error is judged by whom it blames."""

import psycopg
import pytest
from psycopg import errors

from agents.sinks.postgres_errors import schema_is_gone, translate
from schemas.errors import SinkRejected, SinkUnavailable


@pytest.mark.parametrize(
    "error",
    [
        errors.NumericValueOutOfRange("integer out of range"),
        errors.UntranslatableCharacter("unsupported Unicode escape sequence"),
        errors.NotNullViolation("null value"),
        errors.CheckViolation("check"),
        errors.ProgramLimitExceeded("index row too large"),
        errors.StringDataRightTruncation("value too long"),
        psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
    ],
)
def test_data_is_to_blame(error: psycopg.Error) -> None:
    """Data exceptions, violated constraints and exceeded limits are refusals."""
    assert isinstance(translate(error), SinkRejected)


@pytest.mark.parametrize(
    "error",
    [
        errors.DeadlockDetected("deadlock detected"),
        errors.SerializationFailure("could not serialize"),
        errors.TooManyConnections("sorry, too many clients already"),
        errors.DiskFull("no space left"),
        errors.QueryCanceled("statement timeout"),
        errors.ReadOnlySqlTransaction("read-only"),
        errors.AdminShutdown("terminating connection"),
        errors.CannotConnectNow("starting up"),
        errors.LockNotAvailable("lock"),
        errors.UndefinedTable("no table"),
        errors.InsufficientPrivilege("denied"),
        errors.InvalidPassword("password"),
        errors.InternalError_("internal"),
        errors.SyntaxError("ours"),
        psycopg.OperationalError("connection refused"),
        TimeoutError(),
        ConnectionRefusedError("refused"),
    ],
)
def test_the_server_is_to_blame(error: psycopg.Error | TimeoutError | OSError) -> None:
    """Everything else waits: dead letters would be the loss of a whole topic."""
    assert isinstance(translate(error), SinkUnavailable)
    assert str(translate(error))


def test_missing_tables_are_made_again() -> None:
    """A dropped table asks for the migrations, other errors do not."""
    assert schema_is_gone(errors.UndefinedTable("no table"))
    assert not schema_is_gone(errors.DeadlockDetected("deadlock"))
    assert not schema_is_gone(TimeoutError())
