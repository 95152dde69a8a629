"""Plates that a text may be of where the reader missed a character, or took a mark or a gap's edge for one.

Asked for only where a rule accepts so small a likelihood (`worth_a_look`), and only where the list has plates of that
length: a text of the usual length then costs nothing. The texts are made and looked up, instead of an index of all
listed plates with each character left out, which would take eight times the list's memory (compare the deletion index
of "Symmetric Delete", W. Garbe, 2012, which pays memory for time).
"""

import string
from collections.abc import Container, Iterator

from schemas.confusion import P_INDEL
from schemas.identity import MAX_PLATE_CHARS, fold

_FOLDED = tuple(dict.fromkeys(fold(string.digits + string.ascii_uppercase)))
"""What a folded plate is made of."""


def worth_a_look(threshold: float | None) -> bool:
    """Whether a plate with another number of characters can reach a threshold; the defaults are above it."""
    return threshold is not None and threshold <= P_INDEL


def slips(folded: str, lengths: Container[int]) -> Iterator[str]:
    """Folded plates that have one character more or less than a folded text.

    Args:
        folded: the text.
        lengths: that plates have; others are left out.
    """
    size = len(folded)
    if size - 1 in lengths and size > 1:
        yield from dict.fromkeys([folded[:place] + folded[place + 1 :] for place in range(size)])
    if size + 1 in lengths and size < MAX_PLATE_CHARS:
        for place in range(size + 1):
            before, after = folded[:place], folded[place:]
            for char in _FOLDED:
                yield before + char + after
