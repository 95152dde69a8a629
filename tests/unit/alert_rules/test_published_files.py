"""What the package ships: its rules pass their tests and notify nobody by themselves; the JSON Schema is current."""

import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from alert_rules.inline_tests import run_tests
from alert_rules.json_schema import rules_schema, schema_text
from alert_rules.loading import load_rules, read_rules
from alert_rules.settings import RuleSettings
from alert_rules.watchlist_files import load_watchlists
from tests.unit.alert_rules.test_existing_forms import BY_CONDITIONS, BY_TYPE

SETTINGS = RuleSettings()
RULES = load_rules([SETTINGS.rules_path])


def test_every_rule_is_tested_and_passes() -> None:
    """Each rule has a test in which it fires and one in which it is silent, and all pass."""
    outcomes = list(run_tests(RULES))
    assert [(outcome.test.name, outcome.failures) for outcome in outcomes if not outcome.passed] == []
    for rule in RULES.rules:
        counts = [test.alerts if isinstance(test.alerts, int) else len(test.alerts) for test in rule.tests]
        assert 0 in counts, rule.id
        assert any(counts), rule.id


def test_the_example_of_the_docs_passes_its_test() -> None:
    """What people copy works."""
    page = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(rules:.*?)```", page, re.DOTALL)
    assert [outcome.failures for outcome in run_tests(read_rules({"rules.md": example.encode()}))] == [()]


def test_no_rule_names_a_recipient() -> None:
    """Until the operator sets ALPR_NOTIFY_*, nothing is sent anywhere."""
    for rule in RULES.rules:
        assert all(not action.params for action in rule.actions), rule.id


def test_the_shipped_watchlist_is_empty() -> None:
    """No vehicle is wanted by default."""
    assert load_watchlists([SETTINGS.watchlists_path]) == []


def test_the_published_schema_is_current() -> None:
    """`alpr rules schema --output alert_rules/rules.schema.json` has been run after the last change."""
    published = Path(str(resources.files("alert_rules").joinpath("rules.schema.json")))
    assert published.read_text(encoding="utf-8") == schema_text()


def _validate(document: Any) -> None:
    jsonschema.Draft202012Validator(rules_schema()).validate(document)


def test_the_schema_takes_what_the_reader_takes() -> None:
    """The shipped files and both existing forms are valid."""
    jsonschema.Draft202012Validator.check_schema(rules_schema())
    for source in RULES.sources:
        _validate(yaml.safe_load(Path(source).read_text(encoding="utf-8")))
    for text in (BY_TYPE, BY_CONDITIONS):
        _validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "rules: [{id: a}]",
        "rules: [{id: a, match: {plates: X1}}]",
        "rules: [{id: a, match: {field: colour, op: equals, value: red}}]",
        "rules: [{id: a, match: {plate: X1}, severity: worst}]",
        "rules: [{id: a, match: {plate: X1}, actions: [{type: mail}]}]",
        "rules: [{id: a, match: {plate: {any_of: X1, likelihood: 2}}}]",
        "rule: []",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str) -> None:
    """An editor underlines the common mistakes."""
    with pytest.raises(jsonschema.ValidationError):
        _validate(yaml.safe_load(text))
