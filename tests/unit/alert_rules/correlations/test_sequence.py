"""Sequences mean what Flink CEP's documentation says, and what the words of the rule say."""

import pytest

from tests.unit.alert_rules.correlations.streams import alerts, at_s, ids, letters

A, B, C = ({"a": "{match: {cameras: a}", "b": "{match: {cameras: b}", "c": "{match: {cameras: c}"}[x] for x in "abc")


def sequence(*steps: str, after_match: str = "no_skip") -> str:
    """A sequence of these steps."""
    return f"{{type: sequence, after_match: {after_match}, steps: [{', '.join(steps)}]}}"


@pytest.mark.parametrize(
    ("contiguity", "matches"),
    [("next", []), ("followed_by", ["a b1"]), ("followed_by_any", ["a b1", "a b2"])],
)
def test_contiguity(contiguity: str, matches: list[str]) -> None:
    """The example of Flink's documentation: the pattern "a b" over the events a, c, b1, b2."""
    pattern = sequence(A + "}", f"{B}, contiguity: {contiguity}}}")
    assert ids(alerts(pattern, letters("a c b1 b2"))) == matches


@pytest.mark.parametrize(
    ("after_match", "matches"),
    [
        ("no_skip", ["b1 b2 b3 c", "b2 b3 c", "b3 c"]),
        ("to_next", ["b1 b2 b3 c", "b2 b3 c", "b3 c"]),
        ("past_last", ["b1 b2 b3 c"]),
    ],
)
def test_after_match_skip_strategies(after_match: str, matches: list[str]) -> None:
    """The example of Flink's documentation: the pattern "b+ c" over the events b1, b2, b3, c."""
    pattern = sequence(B + ", times: {gte: 1}}", C + "}", after_match=after_match)
    assert sorted(ids(alerts(pattern, letters("b1 b2 b3 c")))) == sorted(matches)


def test_to_next_drops_matches_that_began_with_the_same_event() -> None:
    """With followed_by_any one event may begin several matches; to_next keeps the first."""
    steps = (A + "}", B + ", contiguity: followed_by_any}", C + "}")
    stream = letters("a b1 b2 c")
    assert sorted(ids(alerts(sequence(*steps), stream))) == ["a b1 c", "a b2 c"]
    assert ids(alerts(sequence(*steps, after_match="to_next"), stream)) == ["a b1 c"]


@pytest.mark.parametrize(
    ("steps", "stream", "matches"),
    [
        ((A + "}", "{not: {cameras: c}}", B + "}"), "a x b", ["a b"]),
        ((A + "}", "{not: {cameras: c}}", B + "}"), "a c b", []),
        ((A + "}", "{not: {cameras: c}}", B + "}"), "a1 c a2 b", ["a2 b"]),
        ((A + "}", B + ", optional: true}", C + "}"), "a c1", ["a c1"]),
        ((A + "}", B + ", optional: true}", C + "}"), "a b c", ["a b c"]),
        ((A + "}", B + ", times: 2}", C + "}"), "a b1 c1 b2 c2", ["a b1 b2 c2"]),
        ((A + "}", B + ", times: {gte: 1, lte: 2}}", C + "}"), "a b1 b2 b3 c", ["a b1 b2 c"]),
        ((A + "}", B + ", times: 2, contiguity: next}", C + "}"), "a b1 x b2 c", []),
        ((A + ", times: 3}",), "a1 a2 x a3 a4", ["a1 a2 a3"]),
        ((A + "}", B + ", within: 1s}"), "a x b", []),
        ((A + "}", B + ", within: 2s}"), "a x b", ["a b"]),
        (("{match: {cameras: [a, b]}}", B + "}"), "b1 b2 b3", ["b1 b2", "b2 b3"]),
    ],
)
def test_steps(steps: tuple[str, ...], stream: str, matches: list[str]) -> None:
    """Negation, options, quantifiers and bounds between steps."""
    found = ids(alerts(sequence(*steps), letters(stream)))
    assert found[: len(matches)] == matches
    assert len(found) >= len(matches)
    if not matches:
        assert found == []


def test_the_last_moment_counts() -> None:
    """A sequence may take exactly its time span, and not a second longer."""
    pattern = sequence(A + "}", B + "}")
    assert ids(alerts(pattern, letters("a b", step_s=60))) == ["a b"]
    assert ids(alerts(pattern, letters("a b", step_s=61))) == []


def test_silence_after_the_last_step() -> None:
    """With a not at the end the match is complete when the time is over, and nothing came."""
    pattern = sequence(A + "}", B + "}", "{not: {cameras: c}}")
    assert at_s(alerts(pattern, letters("a b"), until_s=60)) == [60.0]
    assert at_s(alerts(pattern, letters("a b"), until_s=59)) == []
    assert alerts(pattern, letters("a b c"), until_s=99) == []
    assert at_s(alerts(pattern, letters("a c b"), until_s=99)) == [60.0]


def test_a_group_that_never_ends_keeps_a_bounded_number_of_runs() -> None:
    """Of a thousand begins the latest 64 are waited for."""
    stream = letters(" ".join(f"a{number}" for number in range(1000)) + " b", step_s=0.01)
    assert len(alerts(sequence(A + "}", B + "}"), stream)) == 64
