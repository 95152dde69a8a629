"""What the real reader gets wrong on rendered plates, counted: makes ``misreads.json`` for `bench.city.reading`.

    python -m bench.city.measure_misreads [--plates 2500] [--seed 1] [--out bench/city/misreads.json]

Plates are drawn by `edge_agent.rendering.draw_plate`, made small, turned, blurred, lit and noised as a camera at the
end of its range shows them, `FRAMES` times each, read by the edge agent's own reader with its crops for video, settled
by its vote, and left out below its least confidence: what is counted is what an agent would publish. Needs the edge
agent's models (`make fetch`).

A column is what the reader thought of one character: the alternatives with their probabilities, likeliest first.
"""

import argparse
import json
import math
import random
import string
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.city.vehicles import LETTERS
from edge_agent.geometry import Box, Image, crop
from edge_agent.loading import load_reader
from edge_agent.plate_reading import VIDEO_INSETS
from edge_agent.plate_track import LEAST_CONFIDENCE
from edge_agent.ports import Read, Reader
from edge_agent.rendering import draw_plate
from edge_agent.settings import EdgeSettings
from edge_agent.voting import Ballot, vote

FRAMES = 3
SHAPES = ((LETTERS,) * 3 + (string.digits,) * 4, (LETTERS,) * 2 + (string.digits,) * 2 + (LETTERS,) * 3)
KEPT_RIGHT = 24
"""Columns of rightly read characters that are kept for each character, in right and in wrong reads."""
PROBABILITY_DIGITS = 2
ALTERNATIVES = 3
Column = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class View:
    """How a plate is seen.

    Attributes:
        height_px: of the plate in the picture.
        blur_px: standard deviation.
        turn_deg: out of the level.
        light: factor; noise: standard deviation of grey levels.
    """

    height_px: float
    blur_px: float
    turn_deg: float
    light: float
    noise: float

    @classmethod
    def draw(cls, dice: random.Random) -> "View":
        """Any view of a plate that is small in the picture."""
        return cls(
            dice.uniform(11.0, 24.0), dice.uniform(0.4, 1.2), dice.gauss(0.0, 2.5), dice.uniform(0.5, 1.1),
            dice.uniform(2.0, 9.0),
        )  # fmt: skip


def picture(plate: Image, view: View, dice: random.Random, noise: np.random.Generator) -> tuple[Image, Box]:
    """One frame around a plate, and the plate's box in it."""
    scale = view.height_px * dice.uniform(0.97, 1.03) / plate.shape[0]
    width, height = plate.shape[1] * scale, plate.shape[0] * scale
    size = (math.ceil(width + 2 * view.height_px), math.ceil(3 * view.height_px))
    small = cv2.resize(plate, (round(width), round(height)), interpolation=cv2.INTER_AREA)
    move = cv2.getRotationMatrix2D((small.shape[1] / 2, small.shape[0] / 2), view.turn_deg, 1.0)
    left, top = (size[0] - width) / 2 + dice.random(), (size[1] - height) / 2 + dice.random()
    move[:, 2] += (left, top)
    frame = cv2.warpAffine(small, move, size, borderMode=cv2.BORDER_CONSTANT, borderValue=(90, 85, 80))
    lit = cv2.GaussianBlur(frame, (0, 0), view.blur_px).astype(np.float32) * view.light
    lit += noise.normal(0, view.noise, lit.shape).astype(np.float32)
    return np.asarray(np.clip(lit, 0, 255), np.uint8), Box(left, top, left + width, top + height)


def published(reader: Reader, text: str, dice: random.Random, noise: np.random.Generator) -> Read | None:
    """What an agent would publish about a plate; None where its read is not credible enough."""
    plate, view, crops = draw_plate(text), View.draw(dice), []
    for _ in range(FRAMES):
        frame, box = picture(plate, view, dice, noise)
        loose = box.inset(-0.08, -0.02)
        crops += [crop(frame, loose.inset(inset.vertical, inset.horizontal)) for inset in VIDEO_INSETS]
    voted = vote([Ballot(read) for read in reader.read(crops) if read is not None])
    return voted if voted is not None and voted.confidence >= LEAST_CONFIDENCE else None


@dataclass(slots=True)
class Counts:
    """What has been counted. Columns stand under the true character; those of extra characters under ``""``."""

    reads: Counter[str]
    right: defaultdict[str, list[Column]]
    right_in_wrong: defaultdict[str, list[Column]]
    wrong: defaultdict[str, list[Column]]
    missed: Counter[str]
    shown: Counter[str]

    def take(self, truth: str, read: Read | None) -> None:
        """Count a read."""
        if read is None:
            self.reads["not published"] += 1
            return
        columns = [_column(position) for position in read.characters]
        if read.text == truth:
            self.reads["right"] += 1
            for char, column in zip(truth, columns, strict=True):
                self.right[char].append(column)
            return
        steps = aligned(truth, read.text)
        changed = sum(char is None or place is None or read.text[place] != char for char, place in steps)
        self.reads[f"{min(changed, 4)} wrong"] += 1
        for true, place in steps:
            if true is not None:
                self.shown[true] += 1
            if true is None and place is not None:
                self.wrong[""].append(columns[place])
            elif true is not None and place is None:
                self.missed[true] += 1
            elif true is not None and place is not None:
                (self.right_in_wrong if read.text[place] == true else self.wrong)[true].append(columns[place])


def aligned(truth: str, text: str) -> list[tuple[str | None, int | None]]:
    """Characters of the truth with their places in the text, by least edit distance; None for missed and extra ones."""
    rows, width = len(truth), len(text)
    cost = [[i + j if not i or not j else 0 for j in range(width + 1)] for i in range(rows + 1)]
    for i in range(1, rows + 1):
        for j in range(1, width + 1):
            swap = cost[i - 1][j - 1] + (truth[i - 1] != text[j - 1])
            cost[i][j] = min(swap, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    steps: list[tuple[str | None, int | None]] = []
    i, j = rows, width
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (truth[i - 1] != text[j - 1]):
            i, j = i - 1, j - 1
            steps.append((truth[i], j))
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            steps.append((truth[i], None))
        else:
            j -= 1
            steps.append((None, j))
    return steps[::-1]


def _column(position: Sequence[Any]) -> Column:
    made = [(str(item.char), round(float(item.probability), PROBABILITY_DIGITS)) for item in position]
    return tuple(pair for place, pair in enumerate(made[:ALTERNATIVES]) if not place or pair[1] > 0)


def written(counts: Counts, dice: random.Random, note: str) -> str:
    """The counts as JSON: one line a character, columns with how often they came."""

    def some(columns: list[Column], most: int | None) -> list[object]:
        if most is not None and len(columns) > most:
            columns = dice.sample(columns, most)
        return [[number, list(map(list, column))] for column, number in sorted(Counter(columns).items())]

    parts: dict[str, dict[str, object]] = {
        "reads": dict(sorted(counts.reads.items())),
        "shown": dict(sorted(counts.shown.items())),
        "missed": dict(sorted(counts.missed.items())),
        "wrong": {char: some(columns, None) for char, columns in sorted(counts.wrong.items())},
        "right_in_wrong": {char: some(found, KEPT_RIGHT) for char, found in sorted(counts.right_in_wrong.items())},
        "right": {char: some(found, KEPT_RIGHT) for char, found in sorted(counts.right.items())},
    }
    lines = [f' "note": {json.dumps(note)}']
    for name, part in parts.items():
        rows = [f"  {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in part.items()]
        lines.append(f' "{name}": {{\n' + ",\n".join(rows) + "\n }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Render, read, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plates", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("misreads.json"))
    options = parser.parse_args()
    dice, noise = random.Random(options.seed), np.random.default_rng(options.seed)
    reader = load_reader(EdgeSettings(threads=1))
    counts = Counts(Counter(), defaultdict(list), defaultdict(list), defaultdict(list), Counter(), Counter())
    for _ in range(options.plates):
        text = "".join(dice.choice(group) for group in dice.choice(SHAPES))
        counts.take(text, published(reader, text, dice, noise))
    note = (
        f"{options.plates} plates of {shape_names(SHAPES)} drawn, degraded and read by {reader.name}, "
        f"seed {options.seed}: python -m bench.city.measure_misreads"
    )
    options.out.write_text(written(counts, dice, note), encoding="utf-8")
    print(f"{dict(sorted(counts.reads.items()))} of {options.plates}: {options.out}")


def shape_names(shapes: Sequence[Sequence[str]]) -> str:
    """Shapes as people write them: ``AAA0000``."""
    return " and ".join("".join("0" if group[0].isdigit() else "A" for group in shape) for shape in shapes)


if __name__ == "__main__":
    main()
