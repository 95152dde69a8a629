"""Plate identity: normalising, folding and likelihood hold for any text."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.confusion import CONFUSABLE_CLASSES, confusion
from schemas.events import CharacterAlternative, Plate
from schemas.identity import (
    MAX_LENGTH_DIFFERENCE,
    confusable,
    evidence,
    fold,
    likelihood,
    match_key,
    normalise,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
plate_texts = st.text(ALPHABET, min_size=1, max_size=9)
QUICK = settings(max_examples=30, deadline=None)


def sure(text: str, confidence: float = 1.0) -> Plate:
    """A read that is sure of each character."""
    characters = tuple((CharacterAlternative(char, 1.0),) for char in text)
    return Plate(text, text, confidence, characters=characters)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab-12 34", "AB1234"),
        ("B·ÄÖ 1", "BAO1"),
        ("ＡＢ１２", "AB12"),
        ("АВ 123 Е", "AB123E"),
        ("京A·12345", "京A12345"),
        ("١٢٣ ب", "123ب"),
        ("🚗🚗", ""),
        ("---", ""),
        ("", ""),
        ("ß1", "B1"),
        ("\x00\n", ""),
        ("1²3", "123"),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    """Upper-case letters and digits stay, look-alikes become Latin, all else goes."""
    assert normalise(text) == expected


@QUICK
@given(st.text(max_size=40))
def test_normalise_is_idempotent(text: str) -> None:
    """Normalised text is normal."""
    once = normalise(text)
    assert normalise(once) == once


@QUICK
@given(st.text(max_size=40))
def test_normalise_ignores_case_and_separators(text: str) -> None:
    """Spaces and dashes between characters change nothing."""
    assert normalise(" - ".join(text)) == normalise("".join(text)) or any(ord(char) > 0x2FF for char in text)


@QUICK
@given(st.text(max_size=40))
def test_normalise_holds_no_separator(text: str) -> None:
    """No white space, control character or lower case ASCII is left."""
    normal = normalise(text)
    assert not any(char.isspace() or not char.isprintable() for char in normal)
    assert not any("a" <= char <= "z" for char in normal)


@QUICK
@given(plate_texts)
def test_fold_is_idempotent_and_keeps_the_length(text: str) -> None:
    """A folded text folds to itself."""
    assert fold(fold(text)) == fold(text)
    assert len(fold(text)) == len(text)


@QUICK
@given(plate_texts, st.data())
def test_confusables_fold_alike(text: str, data: st.DataObject) -> None:
    """Any character may be swapped within its class without leaving the class of the text."""
    other = "".join(
        data.draw(st.sampled_from(next((group for group in CONFUSABLE_CLASSES if char in group), char)))
        for char in text
    )
    assert confusable(text, other)
    assert fold(text) == fold(other)


@QUICK
@given(plate_texts, plate_texts, plate_texts)
def test_confusable_is_an_equivalence(a: str, b: str, c: str) -> None:
    """Symmetric and transitive, so that the order of reads cannot matter."""
    assert confusable(a, a)
    assert confusable(a, b) == confusable(b, a)
    assert not (confusable(a, b) and confusable(b, c)) or confusable(a, c)


def test_classes_are_disjoint() -> None:
    """A character belongs to one class at most."""
    assert len("".join(CONFUSABLE_CLASSES)) == len(set("".join(CONFUSABLE_CLASSES)))


@pytest.mark.parametrize("true", ALPHABET)
def test_confusion_is_a_distribution(true: str) -> None:
    """The reads of a true character have probabilities that add up to one, and the right one is the likeliest."""
    row = {read: confusion(read, true) for read in ALPHABET}
    assert all(0.0 < probability <= 1.0 for probability in row.values())
    assert sum(row.values()) == pytest.approx(1.0, abs=0.05)
    assert max(row, key=lambda read: row[read]) == true


@QUICK
@given(plate_texts)
def test_sure_read_is_its_own_text(text: str) -> None:
    """A read that is sure of every character has likelihood 1 for what it says."""
    assert likelihood(sure(text), text) == pytest.approx(1.0)


@QUICK
@given(plate_texts, plate_texts, st.floats(0, 1))
def test_likelihood_is_bounded(read: str, candidate: str, confidence: float) -> None:
    """0 to 1, and 0 for texts of quite another length."""
    for plate in (sure(read), Plate(read, read, confidence)):
        value = likelihood(plate, candidate)
        assert 0.0 <= value <= 1.0
        if abs(len(read) - len(candidate)) > MAX_LENGTH_DIFFERENCE:
            assert value == 0.0


@QUICK
@given(plate_texts, st.data())
def test_confusable_is_likelier_than_any_other_character(text: str, data: st.DataObject) -> None:
    """A swap within a class beats a swap to an unrelated character at the same place."""
    at = data.draw(st.integers(0, len(text) - 1))
    group = next((group for group in CONFUSABLE_CLASSES if text[at] in group), "")
    assume(group)
    near = data.draw(st.sampled_from([char for char in group if char != text[at]]))
    far = data.draw(st.sampled_from([char for char in ALPHABET if confusion(text[at], char) < 0.001]))
    read = sure(text)
    swapped = [text[:at] + char + text[at + 1 :] for char in (near, far)]
    assert likelihood(read, text) > likelihood(read, swapped[0]) > likelihood(read, swapped[1])


def test_alternatives_count() -> None:
    """A second reading makes its text likely although no class joins the characters."""
    doubtful = Plate(
        "AB7", "AB7", 0.5,
        characters=(
            (CharacterAlternative("A", 1.0),), (CharacterAlternative("B", 1.0),),
            (CharacterAlternative("7", 0.5), CharacterAlternative("X", 0.45)),
        ),
    )  # fmt: skip
    assert likelihood(doubtful, "ABX") > 0.5
    assert likelihood(sure("AB7"), "ABX") < 0.01


def test_missed_character_is_possible_but_unlikely() -> None:
    """One character less is worth its price, not nothing."""
    assert 0.0 < likelihood(sure("AB1234"), "AB12345") < 0.05
    assert likelihood(sure("AB1234"), "AB1234567") == 0.0


@pytest.mark.parametrize(("plate", "candidate"), [(Plate("", "", 0.9), "A"), (sure("A"), ""), (Plate("", "", 0.0), "")])
def test_nothing_read_is_no_plate(plate: Plate, candidate: str) -> None:
    """Empty on either side is likelihood 0."""
    assert likelihood(plate, candidate) == 0.0


@QUICK
@given(plate_texts, st.integers(0, 12))
def test_evidence_has_a_column_per_character(text: str, given_columns: int) -> None:
    """Alternatives for another number of characters than the text has are not used."""
    columns = tuple((CharacterAlternative("A", 0.5),) for _ in range(given_columns))
    assert len(evidence(Plate(text, text, 0.5, characters=columns))) == len(text)


def test_match_key() -> None:
    """The folded plate; the camera where nothing was readable."""
    assert match_key(sure("ABO1"), "gate") == "A801"
    assert match_key(Plate("🚗", "", 0.5), "gate") == "gate"
    assert match_key(None, "gate") == "gate"
