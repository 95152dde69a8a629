"""The plates that a reader itself thought possible, from the alternatives that it gave for one or two characters."""

from functools import lru_cache
from itertools import combinations

from schemas.characters import Characters
from schemas.events import Plate
from schemas.identity import fold, normalise

MIN_ALTERNATIVE = 0.03
"""A reading of a character that the reader gives less than this is no reason to look another plate up."""
MAX_VARIANTS = 16
MAX_PAIRED = 6
"""Of so many alternatives two at once are tried."""
Swap = tuple[float, int, str]
"""An alternative: its probability, negative so that the most likely sorts first; its position; the folded character."""


def doubtful_folds(plate: Plate) -> list[str]:
    """Folded texts that a read may stand for besides its own: the `MAX_VARIANTS` most likely, in no particular order.

    A read whose alternatives are missing, or are for another number of characters than the text has, has no doubts.
    """
    base = fold(plate.normalized_text)
    swaps = sorted(_swaps(plate, base))
    if not swaps:
        return []
    variants = {base[:at] + char + base[at + 1 :]: -share for share, at, char in swaps[:MAX_VARIANTS]}
    for (p1, i, a), (p2, j, b) in combinations(swaps[:MAX_PAIRED], 2):
        if i < j:
            variants.setdefault(base[:i] + a + base[i + 1 : j] + b + base[j + 1 :], p1 * p2)
        elif j < i:
            variants.setdefault(base[:j] + b + base[j + 1 : i] + a + base[i + 1 :], p1 * p2)
    if len(variants) <= MAX_VARIANTS:
        return list(variants)
    return sorted(variants, key=variants.__getitem__, reverse=True)[:MAX_VARIANTS]


def _swaps(plate: Plate, base: str) -> list[Swap]:
    """Every alternative that is likely enough and does not fold to the character that was read."""
    characters = plate.characters
    if len(characters) != len(base):
        return []
    if isinstance(characters, Characters):  # as it was decoded: no objects are made of it
        return [
            (-share, position, _ASCII_FOLDS[code])
            for position, (codes, shares) in enumerate(characters.positions())
            for code, share in zip(codes, shares, strict=True)
            if share >= MIN_ALTERNATIVE and _ASCII_FOLDS[code] != base[position] and _ASCII_FOLDS[code]
        ]
    return [
        (-item.probability, position, char)
        for position, alternatives in enumerate(characters)
        for item in alternatives
        if item.probability >= MIN_ALTERNATIVE and len(char := _folded(item.char)) == 1 and char != base[position]
    ]


@lru_cache(maxsize=4096)
def _folded(char: str) -> str:
    return fold(normalise(char))


_ASCII_FOLDS = [fold(normalise(chr(code))) for code in range(128)]
"""Of each ASCII character; ``""`` for what no plate has."""
