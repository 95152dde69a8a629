"""Many reads of one plate become one read: a weighted vote per character, after aligning the reads to one another.

The idea is ROVER's (Fiscus, "A post-processing system to yield reduced word error rates", ASRU 1997): align the
hypotheses, then vote slot by slot. Here a hypothesis brings probabilities, not words alone, and the pivot is the text
that all reads together find likeliest. Used for several crops of one frame and for the frames of a track alike.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.ports import Characters, Read
from edge_agent.readers.ctc import ALTERNATIVES, LEAST_PROBABILITY, read_of
from schemas.events import CharacterAlternative

MAX_BALLOTS = 24
MAX_PIVOTS = 5
CONFIDENCE_POWER = 3.0
"""Reads count by the cube of their confidence: of the crops of a plate, the sure ones are right more often."""
DISTANCE_DECAY = 2.5
"""How fast a read's support for a pivot fades with the expected number of differing characters."""

Column = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ballot:
    """One read with its weight.

    Attributes:
        read: what was read.
        quality: weight from the picture (sharpness, size), above 0; the read's confidence is counted besides.
    """

    read: Read
    quality: float = 1.0

    @property
    def weight(self) -> float:
        """What the read counts."""
        return float(max(self.read.confidence, 1e-3) ** CONFIDENCE_POWER * self.quality)


def vote(ballots: Sequence[Ballot]) -> Read | None:
    """Settles reads of one plate into one.

    A position of the result carries, for each character, the weighted mean of what the reads gave it; reads that
    lack the position give it nothing, so doubt about a character's existence lowers its probability. A position that
    more than half of the weight lacks is dropped. The result does not depend on the order of the ballots.

    Args:
        ballots: Reads; the `MAX_BALLOTS` weightiest count.

    Returns:
        None without ballots.
    """
    counted = sorted(ballots, key=lambda b: (-b.weight, b.read.text))[:MAX_BALLOTS]
    if not counted:
        return None
    columns = [_columns(b.read.characters) for b in counted]
    weights = [b.weight for b in counted]
    pivot = _pivot([b.read.text for b in counted], columns, weights)
    total = sum(weights)
    sums: list[defaultdict[str, float]] = [defaultdict(float) for _ in pivot]
    present = [0.0] * len(pivot)
    for read, weight in zip(columns, weights, strict=True):
        for slot, place in enumerate(align(pivot, read).places):
            if place is not None:
                present[slot] += weight
                for char, probability in read[place].items():
                    sums[slot][char] += weight * probability
    characters = tuple(
        _position(tally, total) for tally, there in zip(sums, present, strict=True) if there >= total / 2
    )
    return read_of(characters) if characters else None


@dataclass(frozen=True, slots=True)
class Alignment:
    """A read laid along a text.

    Attributes:
        places: for each character of the text the read's position, or None where the read lacks it.
        distance: expected number of differing, missing and extra characters.
    """

    places: tuple[int | None, ...]
    distance: float


def align(text: str, columns: Sequence[Column]) -> Alignment:
    """Lays a read along a text at the least expected edit distance (Wagner and Fischer 1974).

    Args:
        text: The pivot.
        columns: The read: for each position the characters' probabilities.
    """
    height, width = len(text), len(columns)
    cost = [[float(i + j) if not i or not j else 0.0 for j in range(width + 1)] for i in range(height + 1)]
    for i in range(1, height + 1):
        for j in range(1, width + 1):
            cost[i][j] = min(
                cost[i - 1][j - 1] + 1.0 - columns[j - 1].get(text[i - 1], 0.0),
                cost[i - 1][j] + 1.0,
                cost[i][j - 1] + 1.0,
            )
    places: list[int | None] = [None] * height
    i, j = height, width
    while i and j:
        if cost[i][j] == cost[i - 1][j - 1] + 1.0 - columns[j - 1].get(text[i - 1], 0.0):
            i, j = i - 1, j - 1
            places[i] = j
        elif cost[i][j] == cost[i - 1][j] + 1.0:
            i -= 1
        else:
            j -= 1
    return Alignment(tuple(places), cost[height][width])


def _columns(characters: Characters) -> list[Column]:
    return [{item.char: item.probability for item in position} for position in characters]


def _pivot(texts: Sequence[str], columns: Sequence[Sequence[Column]], weights: Sequence[float]) -> str:
    """The text that the reads together find likeliest, among the weightiest few."""
    support: defaultdict[str, float] = defaultdict(float)
    for text, weight in zip(texts, weights, strict=True):
        support[text] += weight
    candidates = sorted(support, key=lambda t: (-support[t], t))[:MAX_PIVOTS]
    if len(candidates) == 1:
        return candidates[0]

    def score(text: str) -> float:
        return sum(
            weight * math.exp(-DISTANCE_DECAY * align(text, read).distance)
            for read, weight in zip(columns, weights, strict=True)
        )

    return max(candidates, key=lambda t: (score(t), t))


def _position(tally: Mapping[str, float], total: float) -> tuple[CharacterAlternative, ...]:
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))[:ALTERNATIVES]
    shares = [(char, min(1.0, amount / total)) for char, amount in ranked]
    kept = [(char, share) for place, (char, share) in enumerate(shares) if not place or share >= LEAST_PROBABILITY]
    return tuple(CharacterAlternative(char, round(share, 4)) for char, share in kept)
