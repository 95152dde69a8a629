"""Frames of a recogniser become characters with alternatives."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.readers.ctc import MAX_CHARACTERS, PlateCtc

SYMBOLS = ["", *"ABCabc012-", "京"]


def _frames(*columns: dict[str, float]) -> NDArray[np.float32]:
    frames = np.zeros((len(columns), len(SYMBOLS)), np.float32)
    for row, column in zip(frames, columns, strict=True):
        for symbol, probability in column.items():
            row[SYMBOLS.index(symbol)] = probability
        row[0] += 1 - row.sum()
    return frames


def test_repeats_collapse_and_blanks_part_doubles() -> None:
    """AA_A reads AA: a repeated symbol is one character unless a blank stands between."""
    a, blank = {"A": 0.9}, {"": 1.0}
    read = PlateCtc(SYMBOLS).decode(_frames(a, a, blank, a))
    assert read is not None
    assert read.text == "AA"


def test_case_is_one_character_and_its_probabilities_add_up() -> None:
    """A at .5 and a at .4 is an A at .9."""
    read = PlateCtc(SYMBOLS).decode(_frames({"A": 0.5, "a": 0.4, "B": 0.05}))
    assert read is not None
    assert read.characters[0][0].char == "A"
    assert read.characters[0][0].probability == pytest.approx(0.9)
    assert read.characters[0][1].char == "B"


def test_signs_outside_of_the_alphabet_are_blank() -> None:
    """Hyphens and ideographs part characters and are none themselves."""
    read = PlateCtc(SYMBOLS).decode(_frames({"A": 0.9}, {"-": 0.95}, {"A": 0.9}, {"京": 0.9}, {"1": 0.9}))
    assert read is not None
    assert read.text == "AA1"


def test_the_peak_of_a_run_speaks_for_it() -> None:
    """A character's probabilities are those of the frame in which it is surest."""
    read = PlateCtc(SYMBOLS).decode(_frames({"A": 0.6, "B": 0.3}, {"A": 0.95}, {"A": 0.7}))
    assert read is not None
    assert [a.char for a in read.characters[0]] == ["A"]
    assert read.confidence == pytest.approx(0.95, abs=1e-3)


def test_nothing_and_too_much_are_no_plate() -> None:
    """Blank frames give None, and so do more characters than any plate has."""
    ctc = PlateCtc(SYMBOLS)
    assert ctc.decode(_frames({"": 1.0}, {"-": 0.9})) is None
    endless = _frames(*[{"A": 0.9} if i % 2 else {"": 1.0} for i in range(2 * MAX_CHARACTERS + 4)])
    assert ctc.decode(endless) is None


def test_probabilities_of_a_position_never_exceed_one() -> None:
    """Whatever the frames, alternatives are sorted and sum to 1 at most."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        frames = rng.dirichlet(np.full(len(SYMBOLS), 0.2), 12).astype(np.float32)
        read = PlateCtc(SYMBOLS).decode(frames)
        for position in read.characters if read else ():
            shares = [a.probability for a in position]
            assert sum(shares) <= 1.001
            assert shares == sorted(shares, reverse=True)
