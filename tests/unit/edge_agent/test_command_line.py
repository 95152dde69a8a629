"""The command line teaches, and wrong use is one line and exit code 2."""

import sys

import pytest

from edge_agent.commands.main import main


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["edge_agent", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source", "a.mp4"), "--camera"),
        (("--source", "a.mp4", "--camera", "a b"), "camera_id"),
        (("--source", "a.mp4", "--camera", "a", "--start-time", "yesterday"), "ISO 8601"),
        (("--source", "a.mp4", "--camera", "a", "--config", __file__), "either"),
        (("--config", __file__), "test_command_line.py"),
        (("--config", "/no/such.yaml"), "does not exist"),
        (("read", "/no/such"), "does not exist"),
    ],
)
def test_wrong_use_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """No traceback, what is wrong is named, exit code 2."""
    assert _run(monkeypatch, *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The environment variable stands in the message."""
    monkeypatch.setenv("ALPR_EDGE_THREADS", "many")
    assert _run(monkeypatch, "selftest") == 2
    assert "ALPR_EDGE_THREADS" in capsys.readouterr().err


def test_help_shows_how_to_start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments the help with its examples comes up."""
    assert _run(monkeypatch) == 0
    printed = capsys.readouterr().out
    for part in ("--config cameras.yaml", "read", "models", "selftest"):
        assert part in printed
