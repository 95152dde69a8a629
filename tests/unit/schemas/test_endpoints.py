"""The addresses of the servers: a wrong value names its variable, and no secret is shown."""

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from cli.main import main
from schemas.endpoints import Endpoints, endpoints
from schemas.errors import ConfigError


@pytest.fixture(autouse=True)
def read_anew(request: pytest.FixtureRequest) -> None:
    """Settings are read once a process."""
    endpoints.cache_clear()
    request.addfinalizer(endpoints.cache_clear)


def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is for the person who set it."""
    monkeypatch.setenv("ALPR_SMTP_PORT", "abc")
    with pytest.raises(ConfigError, match=r"^ALPR_SMTP_PORT: "):
        endpoints()


def test_a_command_shows_it_without_a_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every error of ours ends a command with one message."""
    monkeypatch.setenv("ALPR_SMTP_PORT", "abc")
    done = CliRunner().invoke(main, ["topics", "list"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: ALPR_SMTP_PORT: ")
    assert "Traceback" not in done.output


def test_no_secret_is_shown() -> None:
    """Neither by the settings themselves nor by an error about them."""
    shown = repr(Endpoints(s3_secret_key="hidden-key", registry_password="hidden-word"))  # type: ignore[arg-type]  # pydantic reads the texts
    assert "hidden" not in shown
    with pytest.raises(ValidationError) as refused:
        Endpoints(smtp_port="hidden-number", s3_secret_key="hidden-key")  # type: ignore[arg-type]  # the wrong type is the point
    assert "hidden" not in str(refused.value)
