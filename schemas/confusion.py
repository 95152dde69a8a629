"""Which characters OCR takes for which, and how often: the one confusion model of the platform.

The classes are the pairs that plate OCR literature and practice agree on (for example Anagnostopoulos et al., "License
Plate Recognition From Still Images and Video Sequences: A Survey", IEEE T-ITS 9(3), 2008; and the tolerance pairs that
police and parking systems publish: 0/O/D/Q, 1/I/L, 2/Z, 5/S, 8/B, 6/G). The probabilities are a prior, not a
measurement of one reader; where a read carries its own alternatives those count.
"""

from functools import cache

CONFUSABLE_CLASSES: tuple[str, ...] = ("0ODQ", "1IL", "2Z", "5S", "8B", "6G")
"""Characters of one class look the same to OCR; the first one stands for the class when a text is folded."""

SIMILAR_PAIRS: tuple[str, ...] = (
    "7T",
    "4A",
    "UV",
    "VY",
    "MN",
    "NH",
    "CG",
    "EF",
    "PR",
    "KX",
    "3B",
    "38",
    "17",
    "J1",
    "6B",
    "0C",
    "MW",
    "0U",
)
"""Pairs that are mixed up now and then; they are not folded, only weighed."""

P_CLASS = 0.08
"""Probability that a character is read as another one of its class (all others of the class together)."""
P_SIMILAR = 0.01
"""Probability that a character is read as one that it is similar to (for each such pair)."""
P_OTHER = 0.0005
"""Probability that a character is read as any one other."""
P_INDEL = 0.01
"""Probability that a character is missed, or that one is read where there is none."""

FOLD = str.maketrans({char: group[0] for group in CONFUSABLE_CLASSES for char in group[1:]})


@cache
def confusion(read: str, true: str) -> float:
    """P(OCR reads `read` | the plate has `true`), for single normalised characters."""
    if read == true:
        return 1.0 - _p_confused(true)
    for group in CONFUSABLE_CLASSES:
        if true in group and read in group:
            return P_CLASS / (len(group) - 1)
    if any(read in pair and true in pair for pair in SIMILAR_PAIRS):
        return P_SIMILAR
    return P_OTHER


@cache
def _p_confused(true: str) -> float:
    in_class = any(true in group for group in CONFUSABLE_CLASSES)
    similar = sum(true in pair for pair in SIMILAR_PAIRS)
    return (P_CLASS if in_class else 0.0) + similar * P_SIMILAR + 35 * P_OTHER
