"""Voting over the reads of one pass: what the plate says, all evidence taken together.

Weighted voting per character, as track-level fusion in the plate literature does it (for example Laroca et al., "A
Robust Real-Time Automatic License Plate Recognition Based on the YOLO Detector", IJCNN 2018, section IV-C, which votes
per character over the frames of a track); here each read weighs its confidence times the readings behind it, and
spreads that weight over the alternatives it saw. Weights are whole numbers, so that sums do not depend on the order
of the reads.
"""

from functools import lru_cache

from schemas.events import Plate
from schemas.identity import evidence, normalise
from tables.passes import Column, Votes

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
    for own, alternatives in zip(text, evidence(plate), strict=True):
        column: Column = {}
        for item in alternatives:
            char = _char(item.char)
            share = round(weight * item.probability)
            if len(char) == 1 and share > 0:
                column[char] = column.get(char, 0) + share
        columns.append(column or {own: 1})
    return {str(len(text)): (round(weight), columns)}


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


def resolve(votes: Votes) -> tuple[str, float] | None:
    """The plate that the votes add up to and its probability; None when nothing was readable.

    The number of characters with the most weight wins, then the heaviest character at each position. The probability
    is the product of the shares. Ties go to the shorter text and to the character that sorts first.
    """
    if not votes:
        return None
    length, (weight, columns) = min(votes.items(), key=lambda item: (-item[1][0], int(item[0])))
    everything = sum(weight for weight, _ in votes.values())
    confidence = votes[length][0] / everything if everything else 1.0
    chars = []
    for column in columns:
        char, votes_for = min(column.items(), key=lambda item: (-item[1], item[0]))
        chars.append(char)
        confidence *= min(1.0, votes_for / weight) if weight else 0.0
    return "".join(chars), round(confidence, 4)


@lru_cache(maxsize=4096)  # a reader has some hundred characters; the bound is for hostile input
def _char(char: str) -> str:
    return normalise(char) or char


def _add_columns(a: Column, b: Column) -> Column:
    column = dict(a)
    for char, weight in b.items():
        column[char] = column.get(char, 0) + weight
    return column
