"""The next plate that a read may be."""

import pytest

from alert_rules.plate_reads import PlateReads
from alert_rules.runner_up import runner_up
from schemas.events import CharacterAlternative, Plate, Resolved


def read(text: str, doubts: dict[int, tuple[str, float]] | None = None) -> Plate:
    """A read that is sure of all characters but those in doubt: position to alternative and its probability."""
    characters = []
    for at, char in enumerate(text):
        other = (doubts or {}).get(at)
        own = CharacterAlternative(char, 0.99 if other is None else 1 - other[1])
        characters.append((own,) if other is None else (own, CharacterAlternative(*other)))
    return Plate(text, text, 0.9, characters=tuple(characters))


def next_of(plate: Plate, taken_for: str | None, resolved: str | None = None) -> tuple[str, float]:
    """The runner-up of a read."""
    whole = Resolved(text=resolved, confidence=0.9) if resolved else None
    found = runner_up(PlateReads(plate, whole), plate, taken_for)
    assert found is not None
    return found


def test_an_alternative_of_the_reader_is_the_next_plate() -> None:
    """The reader's own doubt is what comes next, as likely as the doubt is strong."""
    text, weak = next_of(read("XYT", {1: ("H", 0.1)}), "XYT")
    _, strong = next_of(read("XYT", {1: ("H", 0.45)}), "XYT")
    assert text == "XHT"
    assert 0 < weak < strong < 1


def test_a_confusable_is_the_next_plate_of_a_sure_read() -> None:
    """Without a doubt of the reader's, what OCR takes for a character comes next, and is unlikely."""
    text, likelihood = next_of(read("XYT8"), "XYT8")
    assert text == "XYTB"
    assert likelihood < 0.2


def test_what_was_read_is_the_rival_of_what_was_listed() -> None:
    """A plate that was matched although another text was read has that text for a rival, and it is likelier."""
    assert next_of(read("XYT8"), "XYTB") == ("XYT8", 1.0)


def test_the_outvoted_text_is_a_rival() -> None:
    """Where pass and camera disagree, the other one's text is the next plate."""
    assert next_of(read("XYT"), "XHT", "XHT")[0] == "XYT"


@pytest.mark.parametrize("listed", [None, "XY*", "X?T"])
def test_a_pattern_stands_for_the_text(listed: str | None) -> None:
    """A pattern, or no listed plate, means the text that was read: it is not its own rival."""
    assert next_of(read("XYT", {1: ("H", 0.2)}), listed)[0] == "XHT"


def test_nothing_read_has_no_runner_up() -> None:
    """An unreadable plate is like no other."""
    assert runner_up(PlateReads(None, None), None, None) is None
    assert next_of(read("XYT"), "XYT") == ("", 0.0)
