"""`alpr api`, and the document that describes it."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import api as command
from query_api.settings import ApiSettings

DOCS = Path(__file__).parents[3] / "docs" / "api.md"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been served: the arguments of the server."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("uvicorn.run", lambda _app, **given: calls.append(given))
    monkeypatch.setattr("telemetry.log.configure", lambda: None)
    for name in ("ALPR_API_KEY", "ALPR_API_HOST", "ALPR_API_PORT"):
        monkeypatch.delenv(name, raising=False)
    return calls


def run(*arguments: str) -> Any:
    """Run the command."""
    return CliRunner().invoke(command.api, list(arguments))


def test_serves_loopback_by_default(served: list[dict[str, Any]]) -> None:
    """Without options the API listens on loopback, port 8000, and the server's own log holds no plates."""
    assert run().exit_code == 0
    assert (served[0]["host"], served[0]["port"], served[0]["access_log"]) == ("127.0.0.1", 8000, False)


def test_refuses_the_world_without_a_key(served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond loopback a key or --insecure is needed; the message says so."""
    refused = run("--host", "0.0.0.0")
    assert refused.exit_code == 1
    assert "ALPR_API_KEY" in refused.output
    assert "--insecure" in refused.output
    assert served == []
    assert run("--host", "0.0.0.0", "--insecure", "--port", "8123").exit_code == 0
    monkeypatch.setenv("ALPR_API_KEY", "correct-horse")
    assert run("--host", "0.0.0.0").exit_code == 0
    assert [(item["host"], item["port"]) for item in served] == [("0.0.0.0", 8123), ("0.0.0.0", 8000)]


def test_wrong_settings_are_named(served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that cannot be is named in one line, without a traceback and without the key."""
    monkeypatch.setenv("ALPR_API_KEY", "short")
    monkeypatch.setenv("ALPR_API_MAX_BATCH", "none")
    refused = run()
    assert refused.exit_code == 1
    assert "key" in refused.output
    assert "max_batch" in refused.output
    assert "short" not in refused.output.replace("shorter", "")
    assert served == []


def test_every_setting_is_documented() -> None:
    """The document lists each setting with its description."""
    text = DOCS.read_text(encoding="utf-8")
    for name, field in ApiSettings.model_fields.items():
        assert f"`{field.validation_alias or 'ALPR_API_' + name.upper()}`" in text, name
        assert (field.description or "no description") in text, name
