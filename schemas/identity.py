"""Plate identity: normalised text, folded match key, and the likelihood that a read is a given plate.

Pure functions. What was observed stays as it is (`Plate.text`); these say what it may be.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache

from schemas.confusion import FOLD, P_INDEL, confusion
from schemas.events import CharacterAlternative, Plate

MAX_PLATE_CHARS = 16
"""Longest normalised plate. The longest series in use have 10 characters; a longer text is not a plate."""

MAX_LENGTH_DIFFERENCE = 2
"""Reads that differ more in length than this are not the plate."""

_HOMOGLYPHS = str.maketrans(
    {
        # Cyrillic and Greek letters that plates use because they look like Latin ones (Vienna Convention series)
        "А": "A", "В": "B", "Е": "E", "К": "K", "М": "M", "Н": "H", "О": "O", "Р": "P", "С": "C", "Т": "T", "У": "Y",
        "Х": "X", "І": "I", "Ј": "J", "Ѕ": "S",
        "Α": "A", "Β": "B", "Ε": "E", "Ζ": "Z", "Η": "H", "Ι": "I", "Κ": "K", "Μ": "M", "Ν": "N", "Ο": "O", "Ρ": "P",
        "Τ": "T", "Υ": "Y", "Χ": "X",
        "Ø": "O", "ø": "O", "ß": "B",
    }
)  # fmt: skip

_UPPER = bytes(range(256)).upper()
_SEPARATORS = bytes(code for code in range(128) if not chr(code).isalnum())
_FOLDED = bytes(range(128)).decode().translate(FOLD).encode() + bytes(range(128, 256))
"""For `bytes.translate`: nearly every text is ASCII."""

Alternatives = Sequence[Sequence[CharacterAlternative]]


def normalise(text: str) -> str:
    """Upper-case letters and digits of a plate, nothing else.

    Compatibility forms are folded (NFKC), accents dropped (Ä and A are one plate to a camera), Cyrillic and Greek
    look-alikes become Latin, digits of any script become ASCII. Other letters (京, ب) stay: they tell plates apart.
    Separators, symbols and emoji vanish, so a text without letters and digits becomes ``""``: unreadable.
    """
    if text.isascii():
        return text.encode().translate(_UPPER, _SEPARATORS).decode()
    decomposed = unicodedata.normalize("NFKD", text.translate(_HOMOGLYPHS)).upper().translate(_HOMOGLYPHS)
    kept = []
    for char in decomposed:
        if char.isascii():
            if char.isalnum():
                kept.append(char)
        elif (digit := unicodedata.digit(char, None)) is not None:
            kept.append(str(digit))
        elif unicodedata.category(char) in ("Lu", "Ll", "Lo", "Lt"):
            kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def fold(normalized_text: str) -> str:
    """The text with each confusable character replaced by its class's first (O, Q and D become 0, ...).

    Two reads of one plate that differ only by OCR confusables fold to the same text. It is an index key, never shown.
    """
    if normalized_text.isascii():
        return normalized_text.encode().translate(_FOLDED).decode()
    return normalized_text.translate(FOLD)


def match_key(plate: Plate | None, camera_id: str) -> str:
    """Kafka key of a sighting: the folded plate; the camera for an unreadable one."""
    if plate is None or not plate.normalized_text:
        return camera_id
    return fold(plate.normalized_text)


def confusable(a: str, b: str) -> bool:
    """Whether two normalised texts may be one plate, misread by confusables alone."""
    return fold(a) == fold(b)


def likelihood(plate: Plate, candidate: str) -> float:
    """Probability that a read came from the plate `candidate`, given only the read.

    For each position the reader's alternatives q(c) are weighed with the confusion model: the probability that the
    true character is t is the sum over c of q(c) P(c | t), divided by what the best possible t would get. So a read
    that is sure of every character gives 1 for its own text, .05 to .1 for a class confusion, next to nothing for
    another character. Texts of different length are aligned with a price for each missed or extra character
    (dynamic programming over at most two such steps).

    Args:
        plate: the read; without `characters` its text and confidence stand for them.
        candidate: normalised text.

    Returns:
        0..1. Both empty is 0: nothing was read.
    """
    read = evidence(plate)
    if not read or not candidate or abs(len(read) - len(candidate)) > MAX_LENGTH_DIFFERENCE:
        return 0.0
    columns = [_column(position) for position in read]
    if len(read) == len(candidate):
        score = 1.0
        for column, char in zip(columns, candidate, strict=True):
            score *= _support(column, char)
        if score > P_INDEL**2:
            return score
        return max(score, _aligned(columns, candidate))
    return _aligned(columns, candidate)


def evidence(plate: Plate) -> Alternatives:
    """Alternatives for each character of the normalised text.

    Where the reader gave none, or gave them for another number of characters than the text has, every character of
    the text stands alone with the read's confidence spread evenly over the characters.
    """
    text = plate.normalized_text
    if plate.characters and len(plate.characters) == len(text):
        return plate.characters
    each = max(plate.confidence, 0.01) ** (1 / len(text)) if text else 0.0
    return tuple((CharacterAlternative(char, each),) for char in text)


def _column(position: Sequence[CharacterAlternative]) -> tuple[tuple[str, float], ...]:
    return tuple((normalise(item.char) or item.char, item.probability) for item in position)


@cache
def _best_reading(char: str) -> float:
    return confusion(char, char)


def _support(column: tuple[tuple[str, float], ...], true: str) -> float:
    """Probability that the position shows `true`, between 0 and 1."""
    weight = sum(probability * confusion(char, true) for char, probability in column)
    best = max((sum(p * confusion(c, char) for c, p in column) for char, _ in column), default=0.0)
    if best <= 0.0:
        return 0.0
    return min(1.0, weight / best)


def _aligned(columns: Sequence[tuple[tuple[str, float], ...]], candidate: str) -> float:
    """Best product over alignments with at most `MAX_LENGTH_DIFFERENCE` missed or extra characters."""
    width = len(candidate)
    previous = [P_INDEL**j if j <= MAX_LENGTH_DIFFERENCE else 0.0 for j in range(width + 1)]
    for i, column in enumerate(columns, start=1):
        current = [P_INDEL**i if i <= MAX_LENGTH_DIFFERENCE else 0.0] + [0.0] * width
        for j in range(max(1, i - MAX_LENGTH_DIFFERENCE), min(width, i + MAX_LENGTH_DIFFERENCE) + 1):
            current[j] = max(
                previous[j - 1] * _support(column, candidate[j - 1]),
                previous[j] * P_INDEL,
                current[j - 1] * P_INDEL,
            )
        previous = current
    return previous[width]
