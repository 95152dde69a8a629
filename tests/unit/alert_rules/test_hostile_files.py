"""Broken, huge and hostile rule files end in a located error, quickly; never in a crash."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alert_rules.errors import RuleFileError
from alert_rules.loading import read_rules
from tests.unit.alert_rules.builders import fires, problems, sighting
from tests.unit.alert_rules.test_existing_forms import BY_CONDITIONS, BY_TYPE

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
TOWER = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 500))
pytestmark = [pytest.mark.thorough, pytest.mark.timeout(30)]  # a hang, not a measurement


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"1:1: the file is empty"),
        (b"# only a comment\n", r"1:1: the file is empty"),
        (b"null\n", r"1:1: the file is empty"),
        (b"rules:\n\t- a\n", r"2:1: not YAML: found character that cannot start any token \(a tab\?"),
        (b"rules: [1,\n  b: }\n", r"2:6: not YAML"),
        (b'rules: "x', r"1:10: not YAML: found unexpected end of stream"),
        (b"rules:\n  - name: caf\xe9\n", r"2:14: byte 0xe9 is not UTF-8"),
        (b"\xff\xfer\x00u\x00", r"1:1: byte 0xff is not UTF-8"),
        (b"rules:\n - \x00\n", r"2:4: character U\+0000 is not allowed"),
        (b"rules: []\nrules: []\n", r"2:1: 'rules' stands twice; the first is at 1:1"),
        (b"rules: [*x]", r"1:9: alias \*x has no finished anchor before it"),
        (b"rules: &x [*x]", r"1:12: alias \*x has no finished anchor before it"),
        (b"rules: [{<<: {a: b}}]", r"1:10: merge keys"),
        (b"rules: !!python/object/apply:os.system [x]", r"1:8: tag .*os.system.* is not part of the rule language"),
        (b"? [a]\n: b", r"1:3: a list cannot be a key"),
        (b"--- {rules: []}\n--- {rules: []}\n", r"2:1: a second document starts here"),
        (b"rule: []", r"1:1: a rule file has no 'rule'; did you mean 'rules'\?"),
        (b"rules", r"1:1: expected a rule file with 'rules:' \(a mapping\), found 'rules'"),
        (b"rules: {}", r"1:8: expected rules \(a list\), found a mapping"),
        (b"rules: [a, 1]", r"1:9: expected a rule \(a mapping\), found 'a'"),
        (b"[" * 200_000, r"1:\d+: nested deeper than 40 levels"),
        (b"{a: " * 200_000, r"1:\d+: nested deeper than 40 levels"),
        (b"- " * 300_000, r"1:\d+: nested deeper than 40 levels"),
        (b"x" * 1_100_000, r"1:1: the file has 1,100,000 bytes"),
        (BOMB.encode(), r"\d:\d+: more than 100,000 values, aliases counted"),
        (TOWER.encode(), r"\d+:\d+: nested deeper than 40 levels, aliases counted"),
        (b"rules: [" + b"a," * 120_000 + b"]", r"1:\d+: more than 100,000 values"),
        (b"rules: [" + b"{id: a, match: {}}," * 11_000 + b"]", r"1:8: 11,000 rules; a file has at most"),
    ],
)
def test_hostile_files_are_refused_in_bounded_time(data: bytes, message: str) -> None:
    """What is no rule file is refused with its place; the time-out says whether it hangs."""
    found = problems(data)
    assert re.match(message, found[0]), found[0]


def test_a_deep_but_allowed_tree_is_read() -> None:
    """Nesting up to the limit is no problem for what reads the tree."""
    match = "{not: " * 30 + "{plate: X1}" + "}" * 30
    assert len(read_rules({"f": f"rules: [{{id: a, match: {match}}}]".encode()}).rules) == 1


def test_regular_expressions_cannot_explode() -> None:
    """Patterns that make backtracking engines hang are matched in linear time; greedy ones are refused."""
    [problem] = problems("rules: [{id: a, match: {field: camera_id, op: regex, value: '((a{100}){100}){100}'}}]")
    assert "not a pattern of RE2" in problem
    evil = "{field: camera_id, op: regex, value: '^(a+)+$'}"
    assert not fires(evil, sighting(camera_id="a" * 20_000 + "b"))


SEEDS = [BY_TYPE, BY_CONDITIONS]
PIECES = [
    *[
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "\n",
        "  ",
        "'",
        '"',
        "&a ",
        "*a",
        "!!int ",
        "|",
        ">",
        "#",
        "\t",
        "?",
        "~",
        "0x",
        "💥",
    ],
    *[
        "rules:",
        "match:",
        "all:",
        "not:",
        "plate:",
        "\x00",
        "\ud7ff",
        "{plate_text",
        "${",
        "regex",
        "(?",
        "schedule:",
        "<<:",
    ],
]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 1), st.sampled_from(PIECES), st.integers(0, 8)), max_size=6)
)
def test_mutated_files_load_or_are_refused(seed: str, edits: list[tuple[float, str, int]]) -> None:
    """Whatever is inserted and cut, the outcome is rules or located problems."""
    text = seed
    for where, piece, cut in edits:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + cut :]
    _load_or_refuse(text.encode("utf-8", "surrogatepass"))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
@example(b'"\\ud800"')
@example(b'rules: [{id: "\\ud800", match: {plate: X}}]')
@example(b'rules: [{"\\0": 1}]')
@example(b"rules: [{id: a, match: {field: extras., op: equals, value: x}}]")
@example(b"rules: [{id: a, match: {plate: 1e999}}]")
@example(b"rules: [{id: a, match: {field: captured_at, op: '<', value: 1e999}}]")
@example(b"rules: [{id: a, match: {schedule: {days: mon, time_zone: ../../etc/passwd}}}]")
@example(b"rules: [{id: a, match: {schedule: {days: mon, time_zone: Europe}}}]")
@example(b'rules: [{id: a, match: {schedule: {days: mon, time_zone: "\\0"}}}]')
@example(b"%YAML 9.9\n---\nrules: []")
@example(b"rules: [{id: a, tests: [{events: [{at: 99999999999999999d}], alerts: 1}], match: {plate: X}}]")
@example(
    b"rules: [{id: a, tests: [{events: [{at: 1s, plate: {characters: [[[A, 2]]]}}], alerts: 1}], match: {plate: X}}]"
)
@example(b"rules: [{id: a, tests: [{events: [{captured_at: 99999999999999999999}], alerts: 1}], match: {plate: X}}]")
def test_random_files_load_or_are_refused(data: bytes) -> None:
    """No bytes make the reader fail in another way."""
    _load_or_refuse(data)


def _load_or_refuse(data: bytes) -> None:
    try:
        loaded = read_rules({"f": data})
    except RuleFileError as error:
        assert error.problems
        assert all(re.match(r"f:\d+:\d+: .", str(problem)) for problem in error.problems)
    else:
        assert len({rule.id for rule in loaded.rules}) == len(loaded.rules)
