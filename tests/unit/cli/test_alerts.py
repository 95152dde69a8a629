"""`alpr alerts`, as far as it goes without a server."""

from typing import Any

import pytest
from click.testing import CliRunner

from cli import alerts as command
from cli.main import main
from schemas.clock import MICROS_PER_S, now_us
from schemas.events import AlertAction, AlertMatcher


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[AlertAction]:
    """What is written, in place of a topic."""
    found: list[AlertAction] = []
    monkeypatch.setattr(command, "_write", found.extend)
    return found


def run(*words: str) -> Any:
    """The command's result."""
    return CliRunner().invoke(main, ["alerts", *words])


@pytest.mark.parametrize(
    ("words", "action"),
    [(("ack",), "acknowledge"), (("resolve",), "resolve"), (("label", "--as", "false_positive"), "label")],
)
def test_several_alerts_at_once(written: list[AlertAction], words: tuple[str, ...], action: str) -> None:
    """Each alert that is named gets the action once."""
    result = run(*words, "a-1", "a-2", "a-1", "--actor", "kim", "--note", "why")
    assert result.exit_code == 0, result.output
    assert [(each.alert_id, each.action, each.actor, each.note) for each in written] == [
        ("a-1", action, "kim", "why"), ("a-2", action, "kim", "why"),
    ]  # fmt: skip


def test_silence_by_matcher(written: list[AlertAction]) -> None:
    """Options of one name are alternatives; the silence is its own key, so its end comes behind it."""
    cameras = ("--camera", "gate-1", "--camera", "gate-2")
    result = run("silence", *cameras, "--severity", "low", "--for", "2h", "--comment", "x")
    assert result.exit_code == 0, result.output
    [made] = written
    assert made.matcher == AlertMatcher(cameras=("gate-1", "gate-2"), severities=("low",))
    assert made.alert_id == made.action_id
    assert made.until is not None
    assert abs(made.until - now_us() - 7200 * MICROS_PER_S) < 60 * MICROS_PER_S


@pytest.mark.parametrize(
    "words",
    [
        ("--for", "2h"),
        ("--camera", "c"),
        ("--camera", " ", "--for", "2h"),
        ("--camera", "c", "--alert", "a", "--for", "2h"),
        ("--camera", "c", "--for", "2h", "--until", "2030-01-01T00:00:00Z"),
        ("--camera", "c", "--for", "two hours"),
        ("--camera", "c", "--for", "0s"),
        ("--camera", "c", "--until", "2020-01-01T00:00:00Z"),
        ("--camera", "c", "--until", "soon"),
        ("--camera", "c", "--for", "2h", "--from", "whenever"),
        ("--camera", "c", "--for", "366d"),
        ("--severity", "terrible", "--for", "2h"),
    ],
    ids=" ".join,
)
def test_silence_that_says_too_little_or_too_much(written: list[AlertAction], words: tuple[str, ...]) -> None:
    """Nothing is written, and the message says what to give."""
    result = run("silence", *words, "--comment", "x")
    assert result.exit_code != 0
    assert result.output.strip()
    assert written == []


def test_end_of_a_silence(written: list[AlertAction], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id may be cut short where it is the only one; an unknown one is refused."""
    known = command.AlertActions()
    now = now_us()
    for name in ("aaa-1", "aab-2"):
        made = AlertAction(
            action_id=name, alert_id=name, action="silence", actor="kim", acted_at=now, until=now + 10**9,
            matcher=AlertMatcher(sites=("n",)),
        )  # fmt: skip
        known.note(made, now)
    monkeypatch.setattr(command, "read_silences", lambda: known)
    assert run("unsilence", "aa").exit_code != 0
    assert run("unsilence", "x").exit_code != 0
    assert run("unsilence", "aab").exit_code == 0
    assert [(each.silence_id, each.alert_id, each.action) for each in written] == [("aab-2", "aab-2", "unsilence")]
    assert "sites n" in run("silences").output
