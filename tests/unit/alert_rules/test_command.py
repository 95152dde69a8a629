"""`alpr rules`: exit codes, and what it prints where."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alert_rules.json_schema import schema_text
from cli.rules import rules

RULE = """\
rules:
  - id: listed
    match: {watchlist: stolen}
    tests:
      - {name: fires, watchlists: {stolen: [AB1]}, events: [{plate_text: AB1}], alerts: 1}
  - id: red
    match: [{field: vehicle_color, op: equals, value: red}, {not: {cameras: exit}}]
    suppress: 10m
"""
EVENTS = [
    {"event_id": "e1", "camera_id": "gate", "captured_at": "2026-01-05T10:00:00Z", "plate_text": "AB1"},
    {"event_id": "e2", "camera_id": "gate", "captured_at": 1767607260, "plate": {"text": "C2"}, "vehicle_color": "red"},
    {"event_id": "e3", "camera_id": "gate", "captured_at": 1767607261, "plate": {"text": "C2"}, "vehicle_color": "red"},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with rules, a watchlist and events; the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("r.yml").write_text(RULE)
    Path("stolen.csv").write_text("plate\nAB1\n")
    Path("events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    Path("event.json").write_text(json.dumps(EVENTS[1]))
    return tmp_path


def alpr_rules(*args: str, text: str | None = None) -> Result:
    """Run the command."""
    return CliRunner().invoke(rules, args, input=text)


def test_lint_says_all_good_and_counts(folder: Path) -> None:
    """Exit code 0 and a summary."""
    result = alpr_rules("lint", "r.yml", "--watchlists", "stolen.csv")
    assert (result.exit_code, result.output) == (0, "2 rules in 1 files, 1 watchlist entries: all good\n")


def test_lint_notes_a_list_that_no_file_has(folder: Path) -> None:
    """A misspelt watchlist is no error, but it is said."""
    Path("stoln.csv").write_text("plate\nAB1\n")
    result = alpr_rules("lint", "r.yml", "--watchlists", "stoln.csv")
    assert result.exit_code == 0
    assert (
        "r.yml:2:5: note: no file has entries of watchlist 'stolen'; did you mean 'stoln'? (the API may)"
        in result.output
    )


def test_lint_shows_all_mistakes(folder: Path) -> None:
    """Exit code 1, each mistake with its place, no traceback."""
    Path("r.yml").write_text(RULE.replace("suppress", "supress").replace("equals", "equal"))
    result = alpr_rules("lint", "r.yml")
    assert result.exit_code == 1
    assert "r.yml:7:40: unknown operator 'equal'; did you mean 'equals'?" in result.output
    assert "r.yml:8:5: a rule has no 'supress'; did you mean 'suppress'?" in result.output
    assert result.output.startswith("Error: 2 problems\n")


@pytest.mark.parametrize("line", ["lint none.yml", "test none", "lint r.yml --watchlists none.csv"])
def test_what_is_not_there_is_said(folder: Path, line: str) -> None:
    """A wrong path is no success."""
    result = alpr_rules(*line.split())
    assert result.exit_code == 1
    assert "there is no such file or folder" in result.output


def test_test_names_the_tests(folder: Path) -> None:
    """Passed ones with -v; rules without a test at the end; a failure gives exit code 1 and the place."""
    result = alpr_rules("test", "-v", "r.yml")
    assert (result.exit_code, result.output) == (0, "ok      listed: fires\n1 passed, 0 failed; without a test: red\n")
    Path("r.yml").write_text(RULE.replace("alerts: 1", "alerts: 0"))
    result = alpr_rules("test", "r.yml")
    assert result.exit_code == 1
    assert "FAILED  listed: fires\n        r.yml:5:9: expected 0 alerts, 1 fired" in result.output


def test_explain_shows_each_condition(folder: Path) -> None:
    """Held, not held and unknown have marks of their own; JSON has it too; standard input does as well."""
    result = alpr_rules("explain", "--rules", "r.yml", "--watchlists", "stolen.csv", "--event", "event.json")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "listed (listed): does not match",
        "  - watchlist has stolen: C2",
        "red (red): matches",
        "  + all",
        "    + vehicle_color equals red: red",
        "    + not",
        "      - camera_id in exit: gate",
    ]
    event = json.dumps({**EVENTS[0], "plate_text": ""})
    result = alpr_rules("explain", "--rules", "r.yml", "--event", "-", "--json", text=event)
    [listed, red] = json.loads(result.output)
    assert (listed["rule"], listed["fires"], listed["finding"]["holds"]) == ("listed", False, None)
    assert red["finding"]["parts"][0]["observed"] == "unknown"


def test_explain_refuses_what_is_no_event(folder: Path) -> None:
    """A message, exit code 1."""
    result = alpr_rules("explain", "--rules", "r.yml", "--event", "-", text='{"camera_id": "c"}')
    assert result.exit_code == 1
    assert "captured_at is missing" in result.output


def test_backtest_writes_the_alerts(folder: Path) -> None:
    """Alerts as JSON lines, a summary for people, the same bytes every time."""
    args = ("backtest", "--rules", "r.yml", "--watchlists", "stolen.csv", "--events", "events.jsonl", "--output")
    result = alpr_rules(*args, "a.jsonl")
    assert result.exit_code == 0
    assert "listed: 1 alerts, 0 held back\nred: 1 alerts, 1 held back\n3 events, 2 alerts" in result.output
    alerts = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    assert [(alert["rule"]["id"], alert["proof"]["event_ids"]) for alert in alerts] == [
        ("listed", ["e1"]),
        ("red", ["e2"]),
    ]
    alpr_rules(*args, "b.jsonl")
    assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()


def test_backtest_names_broken_lines_and_goes_on(folder: Path) -> None:
    """A line that is no event is named and counted; exit code 1 says that not all was read."""
    with Path("events.jsonl").open("a") as events:
        events.write("not json\n\n[]\n")
    result = alpr_rules("backtest", "--rules", "r.yml", "--events", "events.jsonl", "--output", "a.jsonl")
    assert result.exit_code == 1
    assert "events.jsonl:4: not JSON" in result.output
    assert "events.jsonl:6: JSON must be an object" in result.output
    assert "3 events" in result.output


def test_backtest_can_sort(folder: Path) -> None:
    """--sort takes events in order of their capture."""
    lines = Path("events.jsonl").read_text().splitlines()
    Path("events.jsonl").write_text("\n".join(reversed(lines)))
    result = alpr_rules("backtest", "--rules", "r.yml", "--events", "events.jsonl", "--sort")
    assert '"event_ids": ["e2"]' in result.output
    assert '"event_ids": ["e3"]' not in result.output


def test_schema_prints_the_schema() -> None:
    """For editors."""
    assert alpr_rules("schema").output == schema_text()


SUITE = "rule_files: r.yml\ntests: [{rules: [red], events: [{vehicle_color: red}], alerts: {red: COUNT}}]\n"


def test_test_runs_test_files_and_writes_junit(folder: Path) -> None:
    """Files of tests stand beside rule files on the command line; JUnit XML holds the outcomes of both."""
    Path("suite.yml").write_text(SUITE.replace("COUNT", "1"))
    result = alpr_rules("test", "r.yml", "suite.yml", "--junit", "out.xml")
    assert (result.exit_code, result.output) == (0, "2 passed, 0 failed; without a test: red\n")
    Path("suite.yml").write_text(SUITE.replace("COUNT", "2"))
    result = alpr_rules("test", "suite.yml", "--junit", "out.xml")
    assert result.exit_code == 1
    assert "FAILED  suite.yml: test 1\n        suite.yml:2:65: red: expected 2 alerts, 1 fired" in result.output
    assert '<failure message="suite.yml:2:65: red: expected 2 alerts' in Path("out.xml").read_text()


def test_test_shows_the_mistakes_of_both_kinds_of_file(folder: Path) -> None:
    """Nothing runs while anything is wrong."""
    Path("suite.yml").write_text(SUITE.replace("[red]", "[rad]"))
    Path("s.yml").write_text("rules: [{id: a}]")
    result = alpr_rules("test", "suite.yml", "s.yml")
    assert result.exit_code == 1
    assert "suite.yml:2:18: no rule 'rad'" in result.output
    assert "s.yml:1:9: a rule needs 'match'" in result.output


def test_diff_shows_what_changes(folder: Path) -> None:
    """One line an alert, counts by rule; --fail makes it the exit code."""
    Path("new.yml").write_text(RULE.replace("10m", "30s").replace("watchlist: stolen", "plate: C2"))
    args = ("diff", "r.yml", "new.yml", "--events", "events.jsonl", "--watchlists", "stolen.csv")
    result = alpr_rules(*args)
    assert result.exit_code == 0
    assert [line[0] for line in result.output.splitlines()[:3]] == ["-", "+", "+"]
    assert "listed: 2 appear, 1 vanish, 0 change, 0 stay" in result.output
    assert "red: 0 appear, 0 vanish, 0 change, 1 stay" in result.output
    assert alpr_rules(*args, "--fail").exit_code == 1
    assert alpr_rules("diff", "r.yml", "r.yml", *args[3:], "--fail").exit_code == 0
    bodies = [json.loads(line) for line in alpr_rules(*args, "--json").output.splitlines() if line.startswith("{")]
    assert [body["difference"] for body in bodies] == ["appears", "appears", "vanishes"]


def test_diff_compares_watchlists(folder: Path) -> None:
    """The same rules with other lists."""
    Path("more.csv").write_text("plate\nC2\n")
    result = alpr_rules(
        "diff",
        "r.yml",
        "r.yml",
        "--events",
        "events.jsonl",
        "--watchlists",
        "stolen.csv",
        "--new-watchlists",
        "more.csv",
    )
    assert "listed: 0 appear, 1 vanish" in result.output
