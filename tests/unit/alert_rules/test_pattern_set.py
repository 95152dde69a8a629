"""A pattern set leaves no pattern out that is found, whatever it costs RE2."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_rules import pattern_set
from alert_rules.pattern_set import PatternSet
from alert_rules.patterns import compile_pattern

PATTERNS = [
    "^AB", "b$", "a.c", "[0-9]{3}", "x|yz", "", r"\Aab(.)(.*)\z", "(?i)Q", "ä", r"\.", "(a*)*b", ".", "^$", "(?s)a.b",
]  # fmt: skip
TEXTS = st.text("abcABC123xyzq.ä\n", max_size=8)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(PATTERNS), max_size=6), TEXTS)
def test_a_set_finds_what_each_pattern_alone_finds(patterns: list[str], text: str) -> None:
    """The same patterns as by asking one after the other, in any number and order."""
    expected = [number for number, each in enumerate(patterns) if compile_pattern(each).search(text) is not None]
    assert sorted(PatternSet(patterns).may_match(text)) == expected


def test_many_patterns_are_kept_in_several_automata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers stay those of the patterns over the borders of the automata."""
    monkeypatch.setattr(pattern_set, "MAX_TOGETHER", 7)
    found = PatternSet([f"^{number:03}$" for number in range(100)])
    assert [found.may_match(f"{number:03}") for number in range(100)] == [[number] for number in range(100)]
    assert found.may_match("100") == []


@pytest.mark.parametrize("memory_bytes", [100, 2_000, 8_000, 20_000, 60_000])
def test_what_is_too_big_for_re2_is_named_rather_than_lost(memory_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too little memory to compile or to run, every pattern that is found is still among those named."""
    monkeypatch.setattr(pattern_set, "_MAX_MEMORY_BYTES", memory_bytes)
    patterns = ["a.{10}b", "[a-z]{20}c", "^x", *[f"(a|b){{{size}}}c.*d" for size in range(1, 15)]]
    found = PatternSet(patterns)
    for text in ("a0123456789b", "abababcd", "xyz", "b" * 30 + "cd", "nothing"):
        expected = {number for number, each in enumerate(patterns) if compile_pattern(each).search(text) is not None}
        assert expected <= set(found.may_match(text))


def test_text_that_is_no_utf8_names_every_pattern() -> None:
    """A lone surrogate cannot be given to RE2; who asks finds out what it means."""
    assert PatternSet(["a", "b"]).may_match("\ud800") == [0, 1]


def test_no_patterns_name_nothing() -> None:
    """An empty set is false and finds nothing."""
    assert not PatternSet([])
    assert PatternSet([]).may_match("a") == []
