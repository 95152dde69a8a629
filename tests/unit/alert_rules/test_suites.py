"""Test files: tests of several rules together, beside the rule files that they name."""

from pathlib import Path
from textwrap import dedent

import pytest

from alert_rules.errors import RuleFileError
from alert_rules.suites import is_suite, read_suite, run_suite

RULES = """\
rules:
  - {id: listed, match: {watchlist: stolen}}
  - {id: red, match: {field: vehicle_color, op: equals, value: red}, suppress: 10m}
  - {id: asleep, enabled: false, match: {cameras: gate}}
  - {id: often, timespan: 1h, correlation: {type: event_count, condition: {gte: 3}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with rules in a folder of their own."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "r.yml").write_text(RULES)
    return tmp_path


def failures(folder: Path, tests: str, rule_files: str = "rules/r.yml") -> list[list[str]]:
    """What failed in each test of a file."""
    text = f"rule_files: {rule_files}\ntests:\n{dedent(tests)}".encode()
    source = str(folder / "suite.yml")
    assert is_suite(text, source)
    outcomes = run_suite(read_suite(text, source))
    return [[f"{place.line}: {what}" for place, what in outcome.failures] for outcome in outcomes]


def problems(folder: Path, tests: str, rule_files: str = "rules/r.yml") -> list[str]:
    """What is wrong with a file."""
    with pytest.raises(RuleFileError) as caught:
        failures(folder, tests, rule_files)
    return [f"{each.place.line}:{each.place.column}: {each.message}" for each in caught.value.problems]


def test_rules_are_tested_together(folder: Path) -> None:
    """All that are on take part, correlations too; each has its own expectation."""
    assert failures(
        folder,
        """\
        - watchlists: {stolen: AB1}
          events:
            - {at: 0s, plate_text: AB1, vehicle_color: red}
            - {at: 1m, plate_text: AB1}
            - {at: 2m, plate_text: AB1}
            - {at: 3m, plate_text: C2, vehicle_color: red}
          alerts: {listed: 3, red: [{at: 0s}, {at: 3m, key: C2}], often: [{at: 2m}]}
        """,
    ) == [[]]


def test_a_rule_that_is_not_named_must_be_silent(folder: Path) -> None:
    """An alert that nobody expects is a failure, and names its rule."""
    [[failure]] = failures(folder, "- {events: [{plate_text: AB1, vehicle_color: red}], alerts: {}}\n")
    assert failure.startswith("3: red: expected 0 alerts, 1 fired: 2026-01-05T00:00:00")


def test_chosen_rules_take_part_alone_and_switched_on(folder: Path) -> None:
    """``rules`` names them; a rule that is off otherwise is on then."""
    test = "- {rules: [asleep], events: [{camera_id: gate, plate_text: A1, vehicle_color: red}], alerts: {asleep: 1}}\n"
    assert failures(folder, test) == [[]]


def test_tests_do_not_see_each_other(folder: Path) -> None:
    """Each begins with an empty memory: the suppression of one does not hold back the next."""
    test = "- {events: [{plate_text: AB1, vehicle_color: red}], alerts: {red: 1}}\n"
    assert failures(folder, test * 2) == [[], []]


def test_a_difference_is_told_at_its_place(folder: Path) -> None:
    """The line of the expected alert, and what was found."""
    test = """\
        - events: [{plate_text: AB1, vehicle_color: red}]
          alerts:
            red:
              - at: 1m
        """
    assert failures(folder, test) == [
        ["6: red: expected at 2026-01-05T00:01:00.000000Z, fired at 2026-01-05T00:00:00.000000Z"]
    ]


@pytest.mark.parametrize("pattern", ["rules/*.yml", "[rules/r.yml, 'rules/*']", "rules"])
def test_rule_files_by_pattern_or_folder(folder: Path, pattern: str) -> None:
    """Patterns and folders are relative to the test file, and a file counts once."""
    assert failures(folder, "- {events: [{vehicle_color: red}], alerts: {red: 1}}\n", pattern) == [[]]


@pytest.mark.parametrize("pattern", ["none.yml", "rules/*.txt", "'/*'", "''"])
def test_rule_files_that_are_not_there(folder: Path, pattern: str) -> None:
    """A path or pattern that leads nowhere is no success."""
    found = problems(folder, "- {events: [], alerts: {}}\n", pattern)
    assert len(found) == 1
    assert found[0].startswith("1:13: ")


def test_mistakes_in_rule_files_stand_where_they_are(folder: Path) -> None:
    """A broken rule file is told with its own place, not the test file's."""
    (folder / "rules" / "r.yml").write_text("rules: [{id: a, match: {plate: A1}, colour: red}]")
    with pytest.raises(RuleFileError) as caught:
        read_suite(b"rule_files: rules/r.yml\ntests: []", str(folder / "suite.yml"))
    assert str(caught.value).startswith(f"{folder}/rules/r.yml:1:37: a rule has no 'colour'")


def test_every_mistake_of_a_test_is_told(folder: Path) -> None:
    """Unknown rules, with the nearest; rules that are off; keys that nobody knows."""
    test = """\
        - {events: [], alerts: {lisdet: 1, asleep: 0}, evens: []}
        - {rules: rad, events: [], alerts: {}}
        """
    assert problems(folder, test) == [
        "3:25: rule 'lisdet' is not there; did you mean 'listed'?",
        "3:36: rule 'asleep' is switched off; name it in 'rules'",
        "3:48: a test has no 'evens'; did you mean 'events'?",
        "4:11: no rule 'rad'; did you mean 'red'?",
    ]


@pytest.mark.parametrize("text", [b"rules: []", b"[1]", b"\xff", b"a: [", b""])
def test_other_files_are_no_suites(text: bytes) -> None:
    """Rule files and what is no YAML are left to the reader of rules."""
    assert not is_suite(text, "f")
