"""Plates within two characters of a text, and the reader's doubts that lead to them."""

from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_rules.doubts import MAX_PAIRED, MAX_VARIANTS, MIN_ALTERNATIVE, doubtful_folds
from alert_rules.near_plates import NearPlates
from schemas.characters import Characters
from schemas.codec import EventCodec
from schemas.events import CharacterAlternative, Plate
from schemas.identity import evidence, fold, normalise
from schemas.registry import MemoryRegistry
from schemas.topics import SIGHTINGS
from tests.unit.alert_rules.builders import sighting

QUICK = settings(max_examples=100, deadline=None)
PLATES = st.text("AB01", min_size=1, max_size=7)


@QUICK
@given(st.lists(PLATES, max_size=20), PLATES)
def test_near_is_what_looking_through_all_finds(listed: list[str], text: str) -> None:
    """One or two characters differ, the length does not; no plate is left out or named twice."""
    expected = {
        each
        for each in listed
        if len(each) == len(text) and 1 <= sum(a != b for a, b in zip(each, text, strict=True)) <= 2
    }
    assert NearPlates(listed).near(text) == tuple(sorted(expected))


def _plainly(plate: Plate) -> list[str]:
    """The doubts of a read, from objects and in small steps."""
    base = fold(plate.normalized_text)
    swaps = []
    for position, alternatives in enumerate(evidence(plate)):
        for item in alternatives:
            char = fold(normalise(item.char))
            if len(char) == 1 and char != base[position] and item.probability >= MIN_ALTERNATIVE:
                swaps.append((item.probability, position, char))
    swaps.sort(key=lambda swap: (-swap[0], swap[1:]))

    def changed(*swaps: tuple[int, str]) -> str:
        chars = list(base)
        for position, char in swaps:
            chars[position] = char
        return "".join(chars)

    variants: dict[str, float] = {}
    for probability, position, char in swaps[:MAX_VARIANTS]:
        variants[changed((position, char))] = probability
    for (p1, i, a), (p2, j, b) in combinations(swaps[:MAX_PAIRED], 2):
        if i != j:
            variants.setdefault(changed((i, a), (j, b)), p1 * p2)
    return sorted(variants, key=lambda key: -variants[key])[:MAX_VARIANTS]


_ALTERNATIVES = st.lists(
    st.tuples(st.sampled_from("ABO0D8BQ-7T1I"), st.sampled_from([0.02, 0.05, 0.125, 0.25])), min_size=1, max_size=4
)


@QUICK
@given(st.lists(_ALTERNATIVES, min_size=1, max_size=7), st.booleans())
def test_doubts_are_the_likeliest_swaps_of_one_or_two_characters(positions: list[Any], ends_early: bool) -> None:
    """From bytes as decoded as well as from objects: what the plain algorithm gives."""
    text = "".join(normalise(alternatives[0][0]) or "X" for alternatives in positions)
    characters = tuple(tuple(CharacterAlternative(*each) for each in alternatives) for alternatives in positions)
    plate = Plate(text, text, 0.9, None, characters[1:] if ends_early else characters)
    assert sorted(doubtful_folds(plate)) == sorted(_plainly(plate))
    if len(plate.characters) != len(text):
        assert doubtful_folds(plate) == []


def test_doubts_of_a_decoded_sighting_come_from_its_bytes() -> None:
    """The lazy characters give what the objects that they stand for give, without being turned into them."""
    doubt = [[["A", 0.5], ["4", 0.3]], [["8", 0.6], ["b", 0.2], ["3", 0.1]], [["-", 0.5], ["0", 0.5]]]
    made = sighting(plate={"text": "A8O", "confidence": 0.5, "characters": doubt})
    codec = EventCodec(MemoryRegistry())
    codec.prepare(SIGHTINGS)
    plate = codec.decode(SIGHTINGS, codec.encode(SIGHTINGS, made)).plate
    assert isinstance(plate.characters, Characters)
    assert made.plate is not None
    assert sorted(doubtful_folds(plate)) == sorted(_plainly(made.plate))
    assert "480" in doubtful_folds(plate)
