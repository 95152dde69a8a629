"""Correlations in rule files: what is read, and for each mistake its place and the nearest valid name."""

import re
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
import yaml

from alert_rules.engine import Engine
from alert_rules.errors import RuleFileError
from alert_rules.inline_tests import run_tests
from alert_rules.json_schema import rules_schema
from alert_rules.loading import load_rules, read_rules
from alert_rules.reading.correlation_types import TYPES
from alert_rules.settings import RuleSettings
from tests.unit.alert_rules.builders import problems, rule, rules, sighting

RECIPES = load_rules([RuleSettings().rules_path / "correlations"])
ALL_TYPES = Path(__file__).with_name("all_types.yml")


def parts(correlation: str, **more: str) -> str:
    """A rule in one line."""
    lines = "".join(f", {key}: {value}" for key, value in more.items())
    return f"rules: [{{id: a, correlation: {correlation}{lines}}}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (parts("{type: event_cont}"), "'event_cont' is no type of correlation; did you mean 'event_count'?"),
        (parts("{type: nothing_like_it}"), "'nothing_like_it' is no type of correlation; known: event_count, "),
        (parts("{condition: {gte: 2}}"), "a correlation needs 'type'"),
        (parts("[]"), "expected a correlation such as {type: event_count, condition: {gte: 5}} (a mapping)"),
        (parts("{type: event_count, condition: {gte: 2}}"), "a rule with 'event_count' needs 'timespan'"),
        (parts("{type: event_count, condition: {gte: 2}}", timespan="0s"), "'timespan' must be longer than nothing"),
        (parts("{type: event_count}", timespan="1m"), "'event_count' needs 'condition'"),
        (parts("{type: event_count, condition: {lt: 2}}", timespan="1m"), "for too few events there is 'flatline'"),
        (parts("{type: event_count, condition: {gte: 0}}", timespan="1m"), "'gte' must lie between 1 and 10000"),
        (parts("{type: event_count, condtion: {gte: 2}}", timespan="1m"),
         "has no 'condtion'; did you mean 'condition'?"),
        (parts("{type: value_count, field: camera, condition: {gte: x}}", timespan="1m"), "(a number), found 'x'"),
        (parts("{type: change, field: vehicle_colour}"),
         "unknown field 'vehicle_colour'; did you mean 'vehicle_color'?"),
        (parts("{type: metric_aggregation, field: plate_text, aggregate: avg, condition: {gt: 1}}", timespan="1m"),
         "an aggregation needs numbers; plate_text is plate"),
        (parts("{type: metric_aggregation, field: reads, aggregate: mean, condition: {gt: 1}}", timespan="1m"),
         "'mean' is no aggregate"),
        (parts("{type: metric_aggregation, field: reads, aggregate: percentile, condition: {gt: 1}}", timespan="1m"),
         "'percentile' (0 to 100) goes with"),
        (parts("{type: spike}", timespan="1m"), "'spike' needs 'height'"),
        (parts("{type: spike, height: 1}", timespan="1m"), "'height' must lie between 1.01"),
        (parts("{type: flatline, condition: {gte: 1}}", timespan="1m"), "needs a condition such as {lt: 1}"),
        (parts("{type: flatline, expect: [c1]}", timespan="1m"), "'expect' needs 'group_by'"),
        (parts("{type: absence, begin: {cameras: a}}", timespan="1m"), "'absence' needs 'end'"),
        (parts("{type: absence, begin: {camera: a}, end: {cameras: b}}", timespan="1m"),
         "a condition has no 'camera'; did you mean 'cameras'?"),
        (parts("{type: expected, plates: ['-'], schedule: {days: mon}}"), "'-' is no plate"),
        (parts("{type: expected, plates: [X1], schedule: {days: moon}}"), "'moon'"),
        (parts("{type: expected, plates: [X1], schedule: {days: mon}}", timespan="1m"), "'timespan' means nothing to"),
        (parts("{type: convoy, condition: {gte: 2}}", timespan="1h", group_by="site_id"),
         "'group_by' means nothing to"),
        (parts("{type: temporal, of: [{match: {cameras: a}}]}", timespan="1h"), "is of 2 to 16 conditions, found 1"),
        (parts("{type: cloned_plate, travel_times: [{from: a, to: b}]}"), "a travel time needs 'at_least'"),
        (parts("{type: cloned_plate, max_speed: 99}"), "has no 'max_speed'; did you mean 'max_speed_kmh'?"),
        (parts("{type: event_count, condition: {gte: 2}}", timespan="1m", late="amand"), "did you mean 'amend'?"),
        (parts("{type: event_count, condition: {gte: 2}}", timespan="1m", late="{policy: drop, up_to: 1m}"),
         "'up_to' is for policy amend"),
        (parts("{type: cloned_plate}", late="amend"), "'late: amend' needs 'up_to'"),
        (parts("{type: event_count, condition: {gte: 2}}", timespan="1m", suppress="{for: 1m, realert: exponential}"),
         "realert: exponential needs 'max'"),
        (parts("{type: event_count, condition: {gte: 2}}", timespan="1m",
               suppress="{for: 9m, realert: exponential, max: 1m}"),
         "'max' is shorter than 'for'"),
        ("rules: [{id: a, match: {plate: X1}, timespan: 1m}]", "'timespan' is for a rule with 'correlation'"),
        ("rules: [{id: a, match: {plate: X1}, suppress: {for: 1m, realert: exponential}}]",
         "realert: exponential needs 'max'"),
    ],
)  # fmt: skip
def test_mistakes_are_located_and_said(text: str, message: str) -> None:
    """Each mistake has a place, and says what was expected."""
    found = problems(text)
    assert all(re.match(r"1:\d+: ", each) for each in found)
    assert any(message in each for each in found), found


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("[]", "a sequence has 1 to 16 steps, found 0"),
        ("[{match: {cameras: a}}]", "one step alone is no sequence"),
        ("[{not: {cameras: a}}, {match: {cameras: b}}]", "'not' stands alone, between two steps or after the last"),
        (
            "[{match: {cameras: a}, within: 1m}, {match: {cameras: b}}]",
            "the first step has nothing before it for 'within'",
        ),
        (
            "[{match: {cameras: a}}, {match: {cameras: b}, times: {gte: 3, lte: 2}}]",
            "'gte' of times is larger than 'lte'",
        ),
        ("[{match: {cameras: a}}, {match: {cameras: b}, optional: true}]", "the last step cannot be optional"),
        ("[{match: {cameras: a}}, {match: {cameras: b}, contiguity: nxt}]", "did you mean 'next'?"),
        ("[{match: {cameras: a}}, {matches: {cameras: b}}]", "a step has no 'matches'; did you mean 'match'?"),
    ],
)
def test_mistakes_in_sequences(steps: str, message: str) -> None:
    """Steps that cannot match, or that say nothing, are refused."""
    found = problems(parts(f"{{type: sequence, steps: {steps}}}", timespan="1m"))
    assert any(message in each for each in found), found


def test_every_recipe_is_tested_and_passes() -> None:
    """Each type has a recipe; each recipe has a test in which it fires and one in which it is silent."""
    outcomes = list(run_tests(RECIPES))
    assert [(outcome.rule.id, outcome.failures) for outcome in outcomes if not outcome.passed] == []
    for recipe in RECIPES.rules:
        counts = [test.alerts if isinstance(test.alerts, int) else len(test.alerts) for test in recipe.tests]
        assert 0 in counts, recipe.id
        assert any(counts), recipe.id
        assert not recipe.enabled
    assert {recipe.correlation.type for recipe in RECIPES.rules if recipe.correlation} == set(TYPES)


def test_the_example_of_the_docs_passes_its_test() -> None:
    """What people copy works, and the page names every type."""
    page = (Path(__file__).parents[4] / "docs" / "correlations.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert [outcome.failures for outcome in run_tests(read_rules({"page": example.encode()}))] == [()]
    assert [name for name in TYPES if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("source", [*RECIPES.sources, str(ALL_TYPES)])
def test_the_schema_takes_what_the_reader_takes(source: str) -> None:
    """An editor finds no fault with the recipes."""
    document = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(rules_schema()).validate(document)


@pytest.mark.parametrize(
    "correlation",
    ["{type: event_cont, condition: {gte: 2}}", "{type: event_count}", "{type: event_count, condition: {least: 2}}",
     "{type: sequence, steps: [{contiguity: next}]}", "{type: spike, height: tall}"],
)  # fmt: skip
def test_the_schema_refuses_what_the_reader_refuses(correlation: str) -> None:
    """An editor underlines the common mistakes."""
    document: Any = yaml.safe_load(parts(correlation, timespan="1m"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(rules_schema()).validate(document)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({}, {"name": "n", "description": "d"}, True),
        ({}, {"timespan": "2m"}, False),
        ({}, {"group_by": "camera_id"}, False),
        ({"timespan": "60s"}, {"timespan": "1m"}, True),
        ({}, {"late": "amend"}, False),
        ({"suppress": "1m"}, {"suppress": "{for: 1m, realert: exponential, max: 1h}"}, False),
        ({"correlation": "{type: event_count, condition: {gt: 1}}"}, {}, True),
        ({"correlation": "{type: event_count, condition: {gte: 3}}"}, {}, False),
    ],
)
def test_the_version_is_the_hash_of_the_meaning(one: dict[str, str], other: dict[str, str], same: bool) -> None:
    """What is counted, how and over how long is in it; how that is spelt is not."""
    base = {"correlation": "{type: event_count, condition: {gte: 2}}", "timespan": "1m"}
    versions = {rule("{cameras: a}", **{**base, **parts_}).version for parts_ in (one, other)}
    assert (len(versions) == 1) is same


def test_a_correlation_may_match_everything() -> None:
    """Without 'match' every sighting counts; explain says for which group."""
    loaded = rules(parts("{type: event_count, condition: {gte: 2}}", timespan="1m"))
    [explanation] = Engine(loaded).explain(sighting(plate_text="X1"))
    correlation = explanation.finding.parts[1]
    assert (explanation.finding.holds, correlation.observed) == (True, "counts for X1")
    assert correlation.expected == "2 events within 1m"
    assert Engine(loaded).match(sighting(plate_text="X1")) is None


@pytest.mark.thorough
def test_mutated_files_are_read_or_refused() -> None:
    """Of two thousand broken copies of a file with every type none crashes the reader; each error has a place."""
    random = Random(7)
    tokens = re.findall(r"\w+|\W", ALL_TYPES.read_text(encoding="utf-8"))
    rules_of_file = [index for index, pair in enumerate(pairwise(tokens)) if pair == ("-", " ")]
    refused = 0
    for _ in range(2_000):
        start = random.choice(rules_of_file)
        made = ["rules:\n  ", *tokens[start : start + 90]]
        for _ in range(random.randint(1, 4)):
            place = random.randrange(1, len(made))
            made[place : place + random.randint(0, 3)] = random.choices(
                [*tokens, "-1", "9" * 30, "null", "[]", "{}"], k=1
            )
        try:
            read_rules({"f": "".join(made).encode()})
        except RuleFileError as error:
            refused += 1
            assert all(problem.place.line >= 1 for problem in error.problems)
    assert refused > 1_000
