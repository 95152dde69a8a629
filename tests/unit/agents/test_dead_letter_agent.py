"""The dead_letter agent: letters are counted once and found by the place where they stand."""

from dataclasses import dataclass, replace

from agents.decisions.dead_letters import INDEX_SLOTS, add_letters, index_letters
from schemas.events import DeadLetter
from tables.dead_letters import LetterCount, kind_of
from tests.unit.schemas.golden_samples import SAMPLES

LETTER: DeadLetter = SAMPLES["DeadLetter"]


@dataclass(frozen=True)
class Place:
    """Where a letter stands."""

    offset: int
    timestamp: int


def letters(first: int, *given: DeadLetter) -> list[tuple[Place, DeadLetter]]:
    """Letters at consecutive offsets."""
    return [(Place(first + i, first + i), letter) for i, letter in enumerate(given)]


def test_letters_are_counted_by_kind() -> None:
    """Topic, agent and error type make a kind."""
    other = replace(LETTER, agent="correlate", failed_at=LETTER.failed_at + 5)
    counts = add_letters({}, letters(0, LETTER, other, LETTER))
    assert {kind: count.count for kind, count in counts.items()} == {kind_of(LETTER): 2, kind_of(other): 1}


def test_counting_goes_on_from_what_is_known() -> None:
    """First and last time span all letters of the kind."""
    earlier = replace(LETTER, failed_at=LETTER.failed_at - 9)
    known = add_letters({}, letters(0, LETTER))
    count = add_letters(known, letters(1, earlier))[kind_of(LETTER)]
    assert (count.count, count.first_failed_at, count.last_failed_at) == (2, earlier.failed_at, LETTER.failed_at)


def test_letters_that_are_read_again_are_not_counted_again() -> None:
    """After a crash the records since the last commit come once more."""
    log = letters(0, LETTER, LETTER)
    known = add_letters({}, log)
    assert add_letters(known, log) == {}
    assert add_letters(known, letters(1, LETTER, LETTER))[kind_of(LETTER)].count == 3


def test_topic_made_anew_is_counted_on() -> None:
    """Old offsets with newer times are new letters."""
    known: dict[str, LetterCount | None] = {kind_of(LETTER): LetterCount(5, 0, 0, offset=99, recorded_at_ms=99)}
    assert add_letters(known, [(Place(0, 1000), LETTER)])[kind_of(LETTER)].count == 6


def test_index_keeps_the_latest_and_never_grows() -> None:
    """A letter takes the slot of the one that stood so many places before it; the bytes stay on the topic."""
    index = index_letters(letters(0, *[LETTER] * (INDEX_SLOTS + 10)))
    assert len(index) == INDEX_SLOTS
    assert index[3].dlq_offset == INDEX_SLOTS + 3
    assert index[3].size_bytes == len(LETTER.value or b"")
