"""The tests of the recipes are sharp: a rule that is changed a little fails one of them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from alert_rules.errors import RuleFileError
from alert_rules.inline_tests import run_tests
from alert_rules.loading import read_rules, rule_files
from alert_rules.settings import RuleSettings

pytestmark = pytest.mark.thorough
WORDS = [
    ("gte:", "gt:"), ("gt:", "gte:"), ("lt:", "lte:"), ('"<"', '"<="'), ('">="', '">"'), ("down", "up"),
    ("past_last", "no_skip"),
]  # fmt: skip
_NUMBER = re.compile(r"(?<=[ :])(\d+(?:\.\d+)?)([smhd]?)(?=[,}\]\s])")
_NOT_DECIDING = ("id:", "name:", "description:", "message:", "suppress:", "runbook:", "severity:")


def mutants(recipe: str) -> Iterator[tuple[str, str]]:
    """What was changed, and the recipe with one change: a number doubled or halved, a word, a condition left out."""
    rule, tests = recipe.split("    tests:", 1)
    lines = rule.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.strip().removeprefix("- ").startswith(_NOT_DECIDING):
            continue
        changed = [
            line[: m.start()] + number + m[2] + line[m.end() :] for m in _NUMBER.finditer(line) for number in other(m)
        ]
        changed += [line.replace(word, instead, 1) for word, instead in WORDS if word in line]
        if line.startswith(("    match:", "        - {not:")):
            changed.append("")
        for each in changed:
            made = "".join([*lines[:index], each, *lines[index + 1 :]])
            yield f"{line.strip()} -> {each.strip()}", f"rules:\n{made}    tests:{tests}"


def other(number: re.Match[str]) -> Iterator[str]:
    """Twice and half of it; a count that cannot be halved, one more."""
    for factor in (2, 0.5):
        value = float(number[1]) * factor
        yield f"{value:g}" if number[2] or value == int(value) or "." in number[1] else f"{int(number[1]) + 1}"


def recipes() -> Iterator[tuple[str, str]]:
    """Id and text of each recipe."""
    for file in rule_files(RuleSettings().rules_path / "correlations"):
        for text in re.split(r"(?=^  - id: )", Path(file).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            yield text.split("\n", 1)[0].removeprefix("  - id: "), text


@pytest.mark.parametrize(("recipe_id", "recipe"), list(recipes()))
def test_a_changed_rule_fails_its_tests(recipe_id: str, recipe: str) -> None:
    """Whatever is shifted, flipped or left out, one of the tests notices."""
    unnoticed, tried = [], 0
    for change, text in mutants(recipe):
        try:
            loaded = read_rules({recipe_id: text.encode()})
        except RuleFileError:
            continue  # what cannot be read cannot go wrong
        tried += 1
        if all(outcome.passed for outcome in run_tests(loaded)):
            unnoticed.append(change)
    assert unnoticed == []
    assert tried > 0
