"""Mutation: what is changed, what counts as noticed, and that the tests of the shipped rules notice everything."""

from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from alert_rules.document import parse
from alert_rules.inline_tests import run_tests
from alert_rules.loading import load_rules, read_rules, read_texts
from alert_rules.mutation import Mutant, mutants
from alert_rules.settings import RuleSettings
from cli.rules import rules as command

FOLDERS = [RuleSettings().rules_path, RuleSettings().rules_path / "cookbook"]
RULE = """\
zones:
  yard: {circle: {center: [0, 0], radius_m: 500}}
rules:
  - id: fast
    match:
      all:
        - zone: yard
        - not: {field: vehicle_color, op: equals, value: red}
        - {field: plate_confidence, op: ">=", value: 0.5}
    suppress: 10m
    tests:
      - events: [{latitude: 0, longitude: 0, vehicle_color: blue, plate_text: A1, plate_confidence: 0.9}]
        alerts: 1
"""


def changes(text: str) -> list[tuple[int, str, bool]]:
    """Line, change and whether it was noticed, of each mutant."""
    data = dedent(text).encode()
    found = mutants([parse(data, "f")], read_rules({"f": data}))
    return [(each.place.line, each.change, each.noticed) for each in found]


def test_what_is_changed() -> None:
    """Conditions left out and turned round, operators flipped, bounds moved, spans doubled and halved."""
    assert changes(RULE) == [
        (7, "condition left out", False),
        (8, "'not_equals' for 'equals'", True),
        (8, "'not' left out", True),
        (8, "condition left out", False),
        (9, "'>' for '>='", False),
        (9, "'<' for '>='", True),
        (9, "'0.45' for '0.5'", False),
        (9, "'0.55' for '0.5'", False),
        (9, "condition left out", False),
        (10, "'300s' for '10m'", False),
        (10, "'1200s' for '10m'", False),
    ]


def test_bounds_of_correlations_are_moved() -> None:
    """Counts and time spans; more than three is the same as four, and counts once."""
    rule = """\
        - id: often
          timespan: 1h
          correlation: {type: event_count, condition: {gte: 3}}
          tests:
            - {events: [{at: 0m, plate_text: A1}, {at: 1m, plate_text: A1}, {at: 2m, plate_text: A1}], alerts: 1}
        """
    assert changes(rule) == [
        (2, "'1800s' for '1h'", False),
        (2, "'7200s' for '1h'", False),
        (3, "'2' for '3'", False),
        (3, "'4' for '3'", True),
    ]


def test_a_change_without_a_difference_does_not_count() -> None:
    """Twice the same condition: one of them may go. A rule without tests is not changed."""
    twice = "{field: plate_text, op: equals, value: A1}"
    rule = f"[{{id: a, match: {{any: [{twice}, {twice}]}}, tests: [{{events: [{{plate_text: A1}}], alerts: 1}}]}}]"
    assert all("left out" not in change for _, change, _ in changes(rule))
    assert changes("[{id: a, match: {plate: A1}}]") == []


def test_the_command_shows_what_no_test_notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Place, rule and change; exit code 1. Rules whose tests fail as they are, are refused."""
    monkeypatch.chdir(tmp_path)
    Path("r.yml").write_text(RULE)
    result = CliRunner().invoke(command, ["mutate", "r.yml"])
    assert result.exit_code == 1
    assert "UNNOTICED  r.yml:9:41: fast: '>' for '>='\n" in result.output
    assert result.output.endswith("11 changes, 8 unnoticed\n")
    verbose = CliRunner().invoke(command, ["mutate", "-v", "r.yml"])
    assert "noticed    r.yml:9:41: fast: '<' for '>='\n" in verbose.output
    Path("r.yml").write_text(RULE.replace("alerts: 1", "alerts: 2"))
    refused = CliRunner().invoke(command, ["mutate", "r.yml"])
    assert refused.exit_code == 1
    assert "tests fail as the rules are: fast" in refused.output


@pytest.mark.thorough
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_tests_of_the_shipped_rules_notice_every_change(folder: Path) -> None:
    """No condition, operator, bound or time span of them is there without a test that needs it."""
    texts = read_texts([folder])
    found = list(mutants([parse(text, source) for source, text in texts.items()], read_rules(texts)))
    unnoticed: list[Mutant] = [each for each in found if not each.noticed]
    assert [f"{each.place}: {each.change}" for each in unnoticed] == []
    assert {each.rule_id for each in found} >= {rule.id for rule in read_rules(texts).rules} - _WITHOUT_BOUNDS


_WITHOUT_BOUNDS = {"partial-plate"}


def test_the_cookbook() -> None:
    """Each recipe is off, notifies nobody by itself, fires in a test and is silent in one, and is on the page."""
    page = (Path(__file__).parents[3] / "docs" / "cookbook.md").read_text(encoding="utf-8")
    cookbook = load_rules([RuleSettings().rules_path / "cookbook"])
    assert len(cookbook.rules) >= 20
    for rule in cookbook.rules:
        assert not rule.enabled, rule.id
        assert not rule.actions, rule.id
        counts = [test.alerts if isinstance(test.alerts, int) else len(test.alerts) for test in rule.tests]
        assert 0 in counts, rule.id
        assert any(counts), rule.id
        assert f"`{rule.id}`" in page, rule.id
    assert [(each.rule.id, each.failures) for each in run_tests(cookbook) if not each.passed] == []
