"""`alpr rules hunt` over a file: what it prints, in which form, and what it refuses."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.rules import rules

EVENTS = [
    {"event_id": "e1", "camera_id": "gate", "captured_at": "2026-01-05T10:00:00Z", "plate_text": "ABO123"},
    {"event_id": "e2", "camera_id": "road", "captured_at": "2026-01-05T11:00:00Z", "plate_text": "XY999"},
    {"event_id": "e3", "camera_id": "gate", "captured_at": "2026-01-04T10:00:00Z", "plate_text": "AB0123"},
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with a list and events."""
    monkeypatch.chdir(tmp_path)
    Path("stolen.csv").write_text("plate,reason\nAB0123,stolen on Sunday\n")
    Path("events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))


def hunt(*args: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(rules, ("hunt", "--watchlists", "stolen.csv", "--events", "events.jsonl", *args))


def test_a_list_is_searched_for() -> None:
    """One JSON line for each sighting, marked; the counts are on standard error."""
    result = hunt("--list", "stolen", "--sort")
    assert result.exit_code == 0, result.output
    alerts = [json.loads(line) for line in result.stdout.splitlines()]
    assert [alert["proof"]["event_ids"] for alert in alerts] == [["e3"], ["e1"]]
    assert all(alert["context"]["historical"] == "true" and alert["actions"] == [] for alert in alerts)
    assert result.stderr == "3 events, 2 found, 0 passed over\n"


def test_a_table_for_people() -> None:
    """CSV has a line for each find, with likelihood and the differing characters."""
    result = hunt("--list", "stolen", "--plate", "XY*", "--csv", "--output", "found.csv")
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(Path("found.csv").read_text())))
    assert [(row["event_id"], row["list_id"], row["matched_plate"]) for row in rows] == [
        ("e1", "stolen", "AB0123"), ("e2", "", "XY*"), ("e3", "stolen", "AB0123"),
    ]  # fmt: skip
    assert "O for 0 at 3" in rows[0]["observed"]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ((), 2, "what for?"),
        (("--plate", "**"), 2, "is no plate"),
        (("--list", "stoln"), 1, "did you mean 'stolen'?; --topic takes those of alpr.watchlists too"),
    ],
)
def test_what_cannot_be_searched_for_is_said(args: tuple[str, ...], code: int, words: str) -> None:
    """Nothing to search for, no plate, no such list."""
    result = hunt(*args)
    assert result.exit_code == code
    assert words in result.output
