"""Voting over the reads of one pass: what the plate says, all evidence taken together.

Weighted voting per character, as track-level fusion in the plate literature does it (for example Laroca et al., "A
Robust Real-Time Automatic License Plate Recognition Based on the YOLO Detector", IJCNN 2018, section IV-C, which votes
per character over the frames of a track); here each read weighs its confidence times the readings behind it, and
spreads that weight over the alternatives it saw. Weights are whole numbers, so that sums do not depend on the order
of the reads.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from schemas.characters import Characters
from schemas.events import Plate
from schemas.identity import evidence, normalise
from tables.pass_contents import Column, Votes

Identity = tuple[str, float]
"""Normalised text and its probability."""

SCALE = 1_000_000
"""Weight of one reading that is sure of itself."""
MIN_CONFIDENCE = 0.01
"""A read that trusts itself less than this still has this much of a voice."""


def ballot(plate: Plate, reads: int) -> Votes:
    """The votes of one read.

    Args:
        plate: the read, normalised.
        reads: readings behind it.

    Returns:
        Empty for an unreadable plate.
    """
    text = plate.normalized_text
    if not text:
        return {}
    weight = max(plate.confidence, MIN_CONFIDENCE) * max(reads, 1) * SCALE
    columns: list[Column] = []
    for own, chars, shares in _positions(plate):
        column: Column = {}
        for char, probability in zip(chars, shares, strict=True):
            share = round(weight * probability)
            if share > 0 and len(char) == 1:
                column[char] = column.get(char, 0) + share
        columns.append(column or {own: 1})
    return {str(len(text)): (round(weight), columns)}


def _positions(plate: Plate) -> list[tuple[str, Iterable[str], Sequence[float]]]:
    """For each character of the text what it may be, normalised, and with which probabilities."""
    text = plate.normalized_text
    characters = _as_bytes(plate)
    if characters is not None:
        positions = characters.positions(_NORMAL)
        return [(own, chars.decode(), shares) for own, (chars, shares) in zip(text, positions, strict=True)]
    return [
        (own, [_char(item.char) for item in alternatives], [item.probability for item in alternatives])
        for own, alternatives in zip(text, evidence(plate), strict=True)
    ]


def _as_bytes(plate: Plate) -> Characters | None:
    """The alternatives, if they are still the bytes that came and belong to the characters of the text."""
    characters: object = plate.characters
    if isinstance(characters, Characters) and len(characters) == len(plate.normalized_text):
        return characters
    return None


def add(a: Votes, b: Votes) -> Votes:
    """The votes of both, position by position, apart for each number of characters."""
    total = dict(a)
    for length, (weight, columns) in b.items():
        if length not in total:
            total[length] = (weight, columns)
            continue
        weight_a, columns_a = total[length]
        total[length] = (weight + weight_a, [_add_columns(x, y) for x, y in zip(columns_a, columns, strict=True)])
    return total


def resolve(votes: Votes) -> Identity | None:
    """The plate that the votes add up to and its probability; None when nothing was readable.

    The number of characters with the most weight wins, then the heaviest character at each position. The probability
    is the product of the shares. Ties go to the shorter text and to the character that sorts first.
    """
    if not votes:
        return None
    if len(votes) == 1:
        ((length, (weight, columns)),) = votes.items()
    else:
        length, (weight, columns) = min(votes.items(), key=lambda item: (-item[1][0], int(item[0])))
    everything = sum(weight for weight, _ in votes.values())
    confidence = votes[length][0] / everything if everything else 1.0
    chars = []
    for column in columns:
        votes_for = max(column.values())
        char = min([char for char, share in column.items() if share == votes_for])
        chars.append(char)
        confidence *= min(1.0, votes_for / weight) if weight else 0.0
    return "".join(chars), round(confidence, 4)


def resolve_one(plate: Plate, reads: int) -> Identity | None:
    """What `resolve` gives for the `ballot` of one read; most passes have one read at first.

    Where the alternatives are bytes and each position has a clear winner, no ballot is made for it.
    """
    characters = _as_bytes(plate)
    if characters is None:
        return resolve(ballot(plate, reads))
    weight = max(plate.confidence, MIN_CONFIDENCE) * max(reads, 1) * SCALE
    whole = round(weight)
    too_close = 2 / weight  # votes are whole numbers: shares that differ by more cannot have as many
    text, tops = characters.leaders(_NORMAL, too_close) or _winners(characters, too_close)
    confidence = 1.0
    for top in tops:
        votes = round(weight * top)
        if votes <= 0:
            return resolve(ballot(plate, reads))
        share = votes / whole
        if share < 1.0:
            confidence *= share
    if not text:
        return resolve(ballot(plate, reads))
    return text.decode(), round(confidence, 4)


def _winners(characters: Characters, lead: float) -> tuple[bytes, list[float]]:
    """The most probable character of each position and its probability; empty where one has no clear lead."""
    text = bytearray()
    tops = []
    for chars, shares in characters.positions(_NORMAL):
        top = max(shares)
        if len(shares) > 1 and (sorted(shares)[-2] >= top - lead or len(set(chars)) < len(chars)):
            return b"", []
        text.append(chars[shares.index(top)])
        tops.append(top)
    return bytes(text), tops


@lru_cache(maxsize=4096)  # a reader has some hundred characters; the bound is for hostile input
def _char(char: str) -> str:
    return normalise(char) or char


_NORMAL = bytes(ord(_char(chr(code))) for code in range(128)) + bytes(128)
"""For `bytes.translate`: what `_char` gives for each ASCII character."""


def _add_columns(a: Column, b: Column) -> Column:
    column = dict(a)
    for char, weight in b.items():
        column[char] = column.get(char, 0) + weight
    return column
