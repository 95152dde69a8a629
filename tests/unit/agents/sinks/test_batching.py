"""Newest versions, and bad records found without their neighbours."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sinks.batching import Refused, bisect, newest, write_newest
from schemas.errors import SinkRejected, SinkUnavailable

Versioned = tuple[str, int]


def test_newest_of_each_key() -> None:
    """The highest version of each key stays; of equal ones the first."""
    items = {0: ("a", 1), 1: ("b", 5), 2: ("a", 3), 3: ("a", 3), 4: ("b", 2)}
    assert list(newest(items, lambda item: item[0], lambda item: item[1])) == [2, 1]


@given(st.sets(st.integers(0, 63)), st.integers(1, 64))
async def test_bisect_finds_exactly_the_bad_ones(bad: set[int], size: int) -> None:
    """Each good item is written once, each bad one refused, with few writes."""
    written: list[int] = []
    calls = 0

    async def write(items: Sequence[int]) -> None:
        nonlocal calls
        calls += 1
        if any(item in bad for item in items):
            raise SinkRejected("bad")
        written.extend(items)

    refused = await bisect({index: index for index in range(size)}, write)
    expected = {item for item in bad if item < size}
    assert refused.keys() == expected
    assert sorted(written) == [item for item in range(size) if item not in expected]
    assert calls <= 1 + 2 * len(expected) * math.ceil(math.log2(size) if size > 1 else 1)


async def test_bisect_lets_unavailability_pass() -> None:
    """A store that goes away in the middle refuses nothing."""

    async def write(items: Sequence[int]) -> None:
        if len(items) > 2:
            raise SinkRejected("some are bad")
        raise SinkUnavailable("gone")

    with pytest.raises(SinkUnavailable):
        await bisect({index: index for index in range(8)}, write)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), max_size=30),
    st.sets(st.tuples(st.sampled_from("abc"), st.integers(1, 5))),
)
async def test_a_batch_ends_as_its_records_one_by_one_would(items: list[Versioned], bad: set[Versioned]) -> None:
    """Writing only newest versions, with fallbacks, gives the state that writing each in turn gives."""

    def apply(store: dict[str, int], item: Versioned) -> None:
        if item not in bad:
            store[item[0]] = max(item[1], store.get(item[0], 0))

    one_by_one: dict[str, int] = {}
    for item in items:
        apply(one_by_one, item)
    batched: dict[str, int] = {}

    async def write(chosen: dict[int, Versioned]) -> Refused:
        assert len({key for key, _ in chosen.values()}) == len(chosen)
        for item in chosen.values():
            apply(batched, item)
        return {index: SinkRejected("bad") for index, item in chosen.items() if item in bad}

    refused = await write_newest(
        dict(enumerate(items)), key=lambda item: item[0], version=lambda item: item[1], write=write
    )
    assert batched == one_by_one
    assert all(items[index] in bad for index in refused)
