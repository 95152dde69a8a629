"""The probability that reads of a plate contradict each other, against summing over all choices of right reads."""

from itertools import pairwise, product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_rules.correlations.one_vehicle import contradiction

SHARES = st.floats(0, 1)


def summed(right: list[float], pairs: list[list[float]]) -> float:
    """By definition: each choice of right reads, in which each leg must be possible."""
    in_order = 0.0
    for choice in product((True, False), repeat=len(right)):
        chance = prod(sure if chosen else 1 - sure for sure, chosen in zip(right, choice, strict=True))
        drive = [place for place, chosen in enumerate(choice) if chosen]
        in_order += chance * prod(1 - pairs[after][before] for before, after in pairwise(drive))
    return 1 - in_order


@st.composite
def reads(draw: st.DrawFn) -> tuple[list[float], list[list[float]]]:
    """Some reads and what each pair says."""
    size = draw(st.integers(0, 6))
    rows = [draw(st.lists(SHARES, min_size=number, max_size=number)) for number in range(size)]
    return draw(st.lists(SHARES, min_size=size, max_size=size)), rows


@given(reads())
def test_it_is_the_sum_over_all_choices(given_reads: tuple[list[float], list[list[float]]]) -> None:
    """Any reads: the fast sum is the sum."""
    right, pairs = given_reads
    assert contradiction(right, pairs) == pytest.approx(summed(right, pairs), abs=1e-9)


def test_two_reads_are_the_product() -> None:
    """Both right, and not one vehicle; one read or none contradicts nothing."""
    assert contradiction([0.9, 0.8], [[], [0.5]]) == pytest.approx(0.36)
    assert contradiction([0.9], [[]]) == contradiction([], []) == 0.0


def test_every_read_that_would_have_to_be_wrong_makes_a_misread_less_likely() -> None:
    """One read elsewhere is one misread; there and back three times is none."""
    one = contradiction([0.9] * 5, [[], [0], [1, 1], [0, 0, 1], [0, 0, 1, 0]])
    many = contradiction([0.9] * 6, [[float((n - m) % 2) for m in range(n)] for n in range(6)])
    assert one == pytest.approx(0.9, abs=0.01) and many > 0.99
