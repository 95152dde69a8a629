"""From a text recogniser's frames to a read: greedy CTC over plate characters, keeping what else each could be.

CTC: Graves et al., "Connectionist Temporal Classification", ICML 2006. A frame's symbols outside of the plate alphabet
(hyphens, dots, seals read as signs) count as blank, and lower and upper case are one character.
"""

import string

import numpy as np
from numpy.typing import NDArray

from edge_agent.ports import Characters, Read
from schemas.events import CharacterAlternative

PLATE_ALPHABET = string.ascii_uppercase + string.digits
ALTERNATIVES = 5
LEAST_PROBABILITY = 0.001
MAX_CHARACTERS = 12


class PlateCtc:
    """Decodes the frames of one recogniser.

    Args:
        symbols: the recogniser's symbols in order; the first one is CTC's blank.
    """

    def __init__(self, symbols: list[str]) -> None:
        groups = np.zeros((len(symbols), len(PLATE_ALPHABET)), np.float32)
        for row, symbol in enumerate(symbols):
            upper = symbol.upper()
            if row and len(upper) == 1 and upper in PLATE_ALPHABET:
                groups[row, PLATE_ALPHABET.index(upper)] = 1
        self._groups = groups

    def decode(self, frames: NDArray[np.float32]) -> Read | None:
        """Reads one plate.

        Args:
            frames: Probabilities of shape (time, symbols).

        Returns:
            None where no frame shows a plate character, or more of them than a plate has.
        """
        letters = frames @ self._groups
        blank = 1.0 - letters.sum(1)
        best = letters.argmax(1)
        shown = letters[np.arange(len(letters)), best] > blank
        columns: list[NDArray[np.float32]] = []
        previous = -1
        for frame, symbol in zip(letters, np.where(shown, best, -1), strict=True):
            if symbol >= 0:
                if symbol != previous:
                    columns.append(frame)
                elif frame[symbol] > columns[-1][symbol]:
                    columns[-1] = frame
            previous = int(symbol)
        if not columns or len(columns) > MAX_CHARACTERS:
            return None
        characters = tuple(alternatives(column) for column in columns)
        return read_of(characters)


def alternatives(column: NDArray[np.float32]) -> tuple[CharacterAlternative, ...]:
    """The likeliest characters of one position, most probable first.

    Args:
        column: A probability for each character of `PLATE_ALPHABET`.
    """
    order = np.argsort(-column, kind="stable")[:ALTERNATIVES]
    kept = [i for place, i in enumerate(order) if place == 0 or column[i] >= LEAST_PROBABILITY]
    return tuple(CharacterAlternative(PLATE_ALPHABET[i], round(min(1.0, float(column[i])), 4)) for i in kept)


def read_of(characters: Characters) -> Read:
    """The read whose text is each position's likeliest character; its confidence is their geometric mean."""
    top = [position[0] for position in characters]
    confidence = float(np.exp(np.mean(np.log([max(c.probability, 1e-6) for c in top]))))
    return Read("".join(c.char for c in top), round(confidence, 4), characters)
