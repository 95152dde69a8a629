"""What a camera's reader makes of a plate, resampled from what the real one made of rendered plates.

``misreads.json`` (`bench.city.measure_misreads`) has, for each true character, the columns that the reader gave when it
was wrong and when it was right, and how often characters were missed or added. A misread takes as many mistakes as a
measured misread had, at the characters where the reader makes them, with the measured columns; all other characters
get columns as they were measured in misreads. So how sure the reader is of its mistakes is measured, too.

`Uniform` is the hostile reader: it changes, misses or adds any character for any other and is as sure of it as the
real one is when it is right. No confusion model expects that.
"""

import json
import random
import string
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from schemas.events import CharacterAlternative, Plate

MEASURED = Path(__file__).with_name("misreads.json")
ALPHABET = string.ascii_uppercase + string.digits
Column = tuple[CharacterAlternative, ...]
Item = TypeVar("Item")


class CameraReader(Protocol):
    """Reads a plate as a camera does."""

    def read(self, truth: str, dice: random.Random) -> Plate:
        """What is published about a plate."""


class Weighted(Generic[Item]):
    """Items with how often they came; `draw` gives one."""

    def __init__(self, pairs: Sequence[tuple[Item, float]]) -> None:
        self._items = [item for item, _ in pairs]
        self._ends = list(accumulate(weight for _, weight in pairs))

    def __bool__(self) -> bool:
        return bool(self._items)

    def draw(self, dice: random.Random) -> Item:
        """One of them."""
        return self._items[min(len(self._items) - 1, bisect(self._ends, dice.random() * self._ends[-1]))]


class Resampled:
    """The measured reader.

    Args:
        share: of reads that are wrong; the measured share is another one, of other pictures.
        measured: the file.
    """

    def __init__(self, share: float, measured: Path = MEASURED) -> None:
        found: dict[str, Any] = json.loads(measured.read_text(encoding="utf-8"))
        self._share = share
        self._right, self._beside, self._wrong = (
            {char: Weighted([(_column(pairs), number) for number, pairs in rows]) for char, rows in found[name].items()}
            for name in ("right", "right_in_wrong", "wrong")
        )
        wrong = {char: sum(number for number, _ in rows) for char, rows in found["wrong"].items()}
        shown = found["shown"]
        self._swap_share = {char: (wrong.get(char, 0) + 0.5) / (shown[char] + 1) for char in shown}
        self._miss_share = {char: found["missed"].get(char, 0) / shown[char] for char in shown}
        self._extra_share = wrong.get("", 0) / max(1, sum(shown.values()))
        counts = [(int(name[0]), number) for name, number in found["reads"].items() if name.endswith(" wrong")]
        self._mistakes = Weighted(counts)

    def read(self, truth: str, dice: random.Random) -> Plate:
        """See `CameraReader`."""
        if dice.random() >= self._share:
            return plate_of([self.sure(char, dice) for char in truth])
        while True:
            columns = self._misread(truth, dice)
            if columns and (read := plate_of(columns)).normalized_text != truth:
                return read

    def sure(self, char: str, dice: random.Random) -> Column:
        """A column of a rightly read character of a right read."""
        known = self._right.get(char)
        return known.draw(dice) if known else (CharacterAlternative(char, 0.99),)

    def _misread(self, truth: str, dice: random.Random) -> list[Column]:
        slots: list[tuple[int, str]] = []
        weights: list[float] = []
        for place, char in enumerate(truth):
            shares = (self._swap_share.get(char, 0.0), self._miss_share.get(char, 0.0), self._extra_share)
            slots += [(place, what) for what in ("swap", "miss", "extra")]
            weights += shares
        mistakes = dict(dice.choices(slots, weights, k=self._mistakes.draw(dice)))
        columns: list[Column] = []
        for place, char in enumerate(truth):
            mistake = mistakes.get(place)
            if mistake == "extra":
                columns.append(self._wrong[""].draw(dice))
            if mistake == "swap" and self._wrong.get(char):
                columns.append(self._wrong[char].draw(dice))
            elif mistake != "miss":
                known = self._beside.get(char)
                columns.append(known.draw(dice) if known else self.sure(char, dice))
        return columns


class Uniform:
    """A reader that makes mistakes which no model expects, and is sure of them.

    Args:
        share: of reads with one mistake.
        measured: for how sure it is.
    """

    def __init__(self, share: float, measured: Path = MEASURED) -> None:
        self._share = share
        self._sure = Resampled(0.0, measured)

    def read(self, truth: str, dice: random.Random) -> Plate:
        """See `CameraReader`."""
        text = truth
        if dice.random() < self._share:
            place, what = dice.randrange(len(truth)), dice.choice(("swap", "miss", "extra"))
            other = dice.choice([char for char in ALPHABET if char != truth[place]])
            kept = truth[place] if what == "extra" else ""
            text = truth[:place] + ("" if what == "miss" else other) + kept + truth[place + 1 :]
        return plate_of([self._sure.sure(char, dice) for char in text])


def plate_of(columns: Sequence[Column]) -> Plate:
    """The read that columns make; its confidence is the geometric mean, as the edge agent has it."""
    text = "".join(column[0].char for column in columns)
    product = 1.0
    for column in columns:
        product *= max(column[0].probability, 1e-6)
    return Plate(text, text, round(product ** (1 / len(columns)), 4), None, tuple(columns))


def _column(pairs: Sequence[Sequence[Any]]) -> Column:
    return tuple(CharacterAlternative(char, probability) for char, probability in pairs)
