"""`alpr rules explain`: an event of a file, and what correlations made of what came before it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.rules import rules

RULES = """\
rules:
  - id: often
    match: {cameras: gate-*}
    timespan: 10m
    correlation: {type: event_count, condition: {gte: 3}}
  - id: everything
    match: {cameras: "*"}
"""
EVENTS = [
    {"event_id": "old", "camera_id": "gate-1", "captured_at": "2026-01-05T09:00:00Z", "plate_text": "AB1"},
    {"event_id": "e1", "camera_id": "gate-1", "captured_at": "2026-01-05T10:00:00Z", "plate_text": "AB1"},
    {"event_id": "e2", "camera_id": "gate-2", "captured_at": "2026-01-05T10:01:00Z", "plate_text": "AB1"},
    {"event_id": "other", "camera_id": "gate-2", "captured_at": "2026-01-05T10:01:00Z", "plate_text": "XY9"},
    {"event_id": "e3", "camera_id": "gate-2", "captured_at": "2026-01-05T10:02:00Z", "plate_text": "AB1"},
    {"event_id": "e4", "camera_id": "gate-2", "captured_at": "2026-01-05T10:02:01Z", "plate_text": "AB1"},
    {"event_id": "road", "camera_id": "road", "captured_at": "2026-01-05T10:03:00Z", "plate_text": "AB1"},
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with rules and events."""
    monkeypatch.chdir(tmp_path)
    Path("r.yml").write_text(RULES)
    Path("events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    Path("event.json").write_text(json.dumps(EVENTS[2]))


def explain(*args: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(rules, ("explain", "--rules", "r.yml", *args))


def groups(event_id: str) -> list[dict[str, object]]:
    """What the counting rule says of an event of the file."""
    result = explain("--event", event_id, "--history", "events.jsonl", "--json")
    assert result.exit_code == 0, result.output
    [found] = [each for each in json.loads(result.stdout) if each["rule"] == "often"]
    listed: list[dict[str, object]] = found.get("groups", [])
    return listed


def test_a_correlation_says_what_its_window_holds_and_what_lacks() -> None:
    """The count is of the group's events up to the event, those out of the window and later ones left out."""
    [second] = groups("e2")
    assert (second["group"], second["state"], second["alerts"]) == ("A81", "3 events within 10m: 2 of 3 events", [])
    [third] = groups("e3")
    assert len(third["alerts"]) == 1  # type: ignore[arg-type]  # JSON's lists are not typed
    [of_the_other] = groups("other")
    assert (of_the_other["group"], of_the_other["state"]) == ("XY9", "3 events within 10m: 1 of 3 events")


def test_an_event_that_does_not_count_has_no_group() -> None:
    """Where the match does not hold there is no window to tell of."""
    assert groups("road") == []


def test_the_same_for_people() -> None:
    """The group, what is there and the alert stand below the rule's conditions."""
    result = explain("--event", "e3", "--history", "events.jsonl")
    assert result.exit_code == 0, result.output
    assert "    group A81, with this event: 3 events within 10m:" in result.stdout
    assert "      alert " in result.stdout
    assert "no alert by this event" in explain("--event", "event.json", "--history", "events.jsonl").stdout
    assert "group A81" not in explain("--event", "event.json").stdout


def test_an_id_that_is_not_there_is_an_error() -> None:
    """Neither a file nor an event of the history: exit code 1, and both are named."""
    result = explain("--event", "nobody", "--history", "events.jsonl")
    assert result.exit_code == 1
    assert "there is no file nobody, and events.jsonl has no event of that id" in result.output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "which events?"),
        (("--events", "events.jsonl", "--from", "2026-01-01"), "either --events, or --from and --to"),
        (("--from", "2026-01-02", "--to", "2026-01-02"), "--to must be later than --from"),
        (("--from", "yesterday"), "is no time"),
    ],
)
def test_a_backtest_wants_one_source_of_events(args: tuple[str, ...], words: str) -> None:
    """A file, or a span of the store that ends after it begins; never both or neither."""
    result = CliRunner().invoke(rules, ("backtest", "--rules", "r.yml", *args))
    assert result.exit_code == 2
    assert words in result.output
