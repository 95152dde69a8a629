"""Votes over one read need no ballot, and give what the ballot gives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.decisions.plate_vote import ballot, resolve, resolve_one
from schemas.events import CharacterAlternative, Plate
from tests.unit.agents.detections import detection, read, value_of

pytestmark = pytest.mark.thorough

shares = st.sampled_from((0.0, 1e-9, 0.25, 0.5, 1.0)) | st.floats(0, 1, width=32)
positions = st.lists(
    st.builds(CharacterAlternative, st.sampled_from(("A", "a", "Ä", "0", "O", "8", "-", "京", "AB")), shares),
    max_size=4,
).map(tuple)


@st.composite
def plates(draw: st.DrawFn) -> Plate:
    """Plates with alternatives for each character, for another number of characters, or none."""
    text = draw(st.text("A08京", max_size=8))
    count = draw(st.sampled_from((0, len(text), len(text), len(text) + 1)))
    characters = tuple(draw(st.lists(positions, min_size=count, max_size=count)))
    return Plate(text, text, draw(st.floats(0, 1)), None, characters)


@settings(max_examples=300, deadline=None)
@given(plates(), st.integers(0, 2**31 - 1))
def test_one_read_resolves_as_its_ballot_does(plate: Plate, reads: int) -> None:
    """The same text and the same probability, to the last digit, whether the characters are bytes or objects."""
    expected = resolve(ballot(plate, reads))
    assert resolve_one(plate, reads) == expected
    decoded = read(value_of(detection(plate=plate))).plate
    assert decoded is not None
    single = Plate(plate.text, plate.normalized_text, plate.confidence, None, tuple(decoded.characters))
    assert resolve_one(decoded, reads) == resolve(ballot(decoded, reads)) == resolve(ballot(single, reads))
