"""Compares reads with the truth: exact, folded, character distance and time, for each region and over all."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from schemas.identity import normalise

OVERALL = "all"
_FOLD = str.maketrans("OQI", "001")


@dataclass(frozen=True, slots=True)
class Truth:
    """A labelled photograph.

    Attributes:
        name: file name without folders; it is what reads are matched by.
        region: group that is reported by itself.
        plate: normalised text.
    """

    name: str
    region: str
    plate: str


@dataclass(slots=True)
class Score:
    """Sums over photographs."""

    images: int = 0
    exact: int = 0
    folded: int = 0
    distance: int = 0
    missing: int = 0
    times_ms: list[float] = field(default_factory=list)

    @property
    def exact_share(self) -> float:
        """Share of photographs whose best read is the plate."""
        return self.exact / self.images if self.images else 0.0

    @property
    def folded_share(self) -> float:
        """Share with O and Q taken as 0 and I as 1."""
        return self.folded / self.images if self.images else 0.0

    @property
    def mean_distance(self) -> float:
        """Mean edit distance between best read and plate, in characters."""
        return self.distance / self.images if self.images else 0.0

    @property
    def mean_ms(self) -> float | None:
        """Mean time an image; None where the reads do not tell."""
        return sum(self.times_ms) / len(self.times_ms) if self.times_ms else None


def fold(text: str) -> str:
    """The text with O and Q as 0 and I as 1: labels of European plates write O where 0 is plausible."""
    return text.translate(_FOLD)


def edit_distance(a: str, b: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        before, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


def load_truth(path: Path) -> list[Truth]:
    """Reads a CSV with the columns file, region and plate.

    Raises:
        ValueError: A column is missing, or two rows have the same file name.
    """
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    if not rows or not {"file", "region", "plate"} <= rows[0].keys():
        raise ValueError(f"{path} needs rows with the columns file, region and plate")
    truths = [Truth(PurePosixPath(r["file"]).name, r["region"], normalise(r["plate"])) for r in rows]
    if len({t.name for t in truths}) != len(truths):
        raise ValueError(f"{path} has a file name twice")
    return truths


def load_reads(path: Path) -> dict[str, Mapping[str, object]]:
    """Reads the lines of `python -m edge_agent read` by file name.

    Raises:
        ValueError: A line is no JSON object with a file.
    """
    reads: dict[str, Mapping[str, object]] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                reads[PurePosixPath(record["file"]).name] = record
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                raise ValueError(f"{path}:{number}: no read of an image: {error!r}") from error
    return reads


def best_text(record: Mapping[str, object] | None) -> str:
    """Normalised text of the first plate; empty where there is none."""
    plates = record.get("plates") if record else None
    if isinstance(plates, Sequence) and plates and isinstance(plates[0], Mapping):
        return normalise(str(plates[0].get("text", "")))
    return ""


def score(truths: Iterable[Truth], reads: Mapping[str, Mapping[str, object]]) -> dict[str, Score]:
    """Scores by region, and over all under `OVERALL`. A photograph without a line counts as wrong."""
    scores: dict[str, Score] = {}
    for truth in truths:
        record = reads.get(truth.name)
        text = best_text(record)
        for group in (truth.region, OVERALL):
            tally = scores.setdefault(group, Score())
            tally.images += 1
            tally.exact += text == truth.plate
            tally.folded += fold(text) == fold(truth.plate)
            tally.distance += edit_distance(text, truth.plate)
            tally.missing += record is None
            if record and isinstance(time_ms := record.get("ms"), int | float):
                tally.times_ms.append(float(time_ms))
    return scores
