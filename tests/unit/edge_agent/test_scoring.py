"""The score of reads against the truth is counted as it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.accuracy.scoring import OVERALL, edit_distance, load_reads, load_truth, score

TRUTH = "file,region,plate\nimages/a.jpg,eu,AB O1\nimages/b.jpg,us,XYZ9\nimages/c.jpg,us,Q1\n"


def _files(tmp_path: Path, reads: list[object]) -> tuple[Path, Path]:
    truth, lines = tmp_path / "truth.csv", tmp_path / "reads.jsonl"
    truth.write_text(TRUTH)
    lines.write_text("\n".join(json.dumps(r) for r in reads))
    return truth, lines


READS: list[object] = [
    {"file": "a.jpg", "plates": [{"text": "ab-01"}, {"text": "ABO1"}], "ms": 10},
    {"file": "deep/b.jpg", "plates": [{"text": "XYZ9"}], "ms": 30},
]


def test_exact_folded_distance_and_missing(tmp_path: Path) -> None:
    """The best read counts, O folds to 0, and a photograph without a line is wrong."""
    truth, lines = _files(tmp_path, READS)
    scores = score(load_truth(truth), load_reads(lines))
    total = scores[OVERALL]
    assert (total.images, total.exact, total.folded, total.missing) == (3, 1, 2, 1)
    assert total.mean_ms == 20
    assert scores["us"].exact_share == 0.5
    assert total.distance == 1 + 0 + 2


@pytest.mark.parametrize(("a", "b", "distance"), [("", "", 0), ("AB", "", 2), ("AB12", "A812", 1), ("ABC", "BCD", 2)])
def test_edit_distance(a: str, b: str, distance: int) -> None:
    """Insertions, deletions and substitutions cost one each."""
    assert edit_distance(a, b) == edit_distance(b, a) == distance


@pytest.mark.parametrize(("minimum", "code"), [("0.3", 0), ("0.34", 1)])
def test_the_command_judges(tmp_path: Path, minimum: str, code: int) -> None:
    """Exit code 1 below the threshold, with the numbers printed either way."""
    truth, lines = _files(tmp_path, READS)
    command = [sys.executable, "-m", "tests.accuracy", str(lines), "--truth", str(truth)]
    done = subprocess.run(
        [*command, "--min-exact", minimum, "--min-folded", "0.5"], check=False, capture_output=True, text=True
    )
    assert done.returncode == code
    assert "all" in done.stdout


@pytest.mark.parametrize("content", ["[1]", "{", '{"plates": []}'])
def test_a_line_that_is_no_read_is_named(tmp_path: Path, content: str) -> None:
    """File and line number stand in the error."""
    (tmp_path / "reads.jsonl").write_text(content)
    with pytest.raises(ValueError, match=r"reads\.jsonl:1"):
        load_reads(tmp_path / "reads.jsonl")
