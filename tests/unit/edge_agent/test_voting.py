"""Reads of one plate settle into one, character by character."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.voting import Ballot, align, vote
from tests.unit.edge_agent.builders import read

TEXTS = st.text("ABCDEFGHJK0123456789", min_size=1, max_size=9)


def test_no_ballots_no_plate() -> None:
    """Nothing in, nothing out."""
    assert vote([]) is None


def test_a_lone_read_wins_as_it_is() -> None:
    """One ballot is its own result, alternatives included."""
    lone = read("AB12CD", p1_8=0.04)
    assert vote([Ballot(lone)]) == lone


def test_each_position_is_outvoted_by_itself() -> None:
    """Three reads with an error each, at different places, give the plate that none of them had."""
    ballots = [Ballot(read(t, 0.9)) for t in ("X812CD", "AB1ZCD", "AB12C0")]
    voted = vote(ballots)
    assert voted is not None
    assert voted.text == "AB12CD"


def test_quality_and_confidence_weigh() -> None:
    """One sharp, sure read beats two that are blurred and doubtful."""
    ballots = [Ballot(read("AB12CD", 0.98), 1.0), *[Ballot(read("A812CD", 0.6), 0.3)] * 2]
    voted = vote(ballots)
    assert voted is not None
    assert voted.text == "AB12CD"


def test_an_extra_character_of_few_is_dropped_and_a_missing_one_kept() -> None:
    """Length is voted, too: most of the weight decides whether a position exists."""
    voted = vote([Ballot(read(t)) for t in ("AB12CD", "AB12CD", "1AB12CD", "AB2CD")])
    assert voted is not None
    assert voted.text == "AB12CD"


def test_rivals_keep_their_share() -> None:
    """What lost stays as an alternative, so that a watchlist can still match it."""
    voted = vote([Ballot(read("AB8", 0.9)), Ballot(read("AB8", 0.9)), Ballot(read("ABB", 0.9))])
    assert voted is not None
    assert voted.text == "AB8"
    shares = {a.char: a.probability for a in voted.characters[2]}
    assert 0.2 < shares["B"] < 0.4


def test_alignment_finds_the_gap() -> None:
    """A read that lacks the third character of five leaves exactly that place empty."""
    columns = [{char: 0.99} for char in "ABDE"]
    assert align("ABCDE", columns).places == (0, 1, None, 2, 3)


@given(st.lists(st.tuples(TEXTS, st.floats(0.3, 1.0)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_order_of_ballots_does_not_matter(reads: list[tuple[str, float]]) -> None:
    """Any order of the same reads gives the same text, and its probabilities sum to 1 at most."""
    ballots = [Ballot(read(text, probability)) for text, probability in reads]
    results = {(v.text if v else None) for v in map(vote, itertools.islice(itertools.permutations(ballots), 12))}
    assert len(results) == 1
    voted = vote(ballots)
    for position in voted.characters if voted else ():
        assert sum(a.probability for a in position) <= 1.001


@given(TEXTS, st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_agreement_is_kept(text: str, count: int) -> None:
    """Equal reads give their text."""
    voted = vote([Ballot(read(text, 0.9))] * count)
    assert voted is not None
    assert voted.text == text
