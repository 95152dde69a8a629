"""`python -m tests.accuracy [READS]`: prints the score, exits 1 below the thresholds and 2 on bad input."""

import argparse
import sys
from pathlib import Path

from tests.accuracy.scoring import OVERALL, load_reads, load_truth, score


def main() -> int:
    """Scores a file of reads."""
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description=__doc__)
    parser.add_argument("reads", nargs="?", type=Path, default=Path("reads.jsonl"), help="lines of `edge_agent read`")
    parser.add_argument("--truth", type=Path, default=Path("../shared/data/plates/ground_truth.csv"))
    parser.add_argument("--min-exact", type=float, default=0.82, help="least share of exact reads (default .82)")
    parser.add_argument("--min-folded", type=float, default=0.87, help="least share with O/Q=0, I=1 (default .87)")
    options = parser.parse_args()
    try:
        scores = score(load_truth(options.truth), load_reads(options.reads))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{'region':8} {'images':>6} {'exact':>6} {'folded':>6} {'distance':>8} {'ms':>6}")
    for region, tally in sorted(scores.items(), key=lambda item: (item[0] == OVERALL, item[0])):
        each_ms = "-" if tally.mean_ms is None else f"{tally.mean_ms:.0f}"
        print(
            f"{region:8} {tally.images:6d} {tally.exact_share:6.3f} {tally.folded_share:6.3f} "
            f"{tally.mean_distance:8.3f} {each_ms:>6}"
        )
    total = scores[OVERALL]
    if total.missing:
        print(f"{total.missing} of {total.images} photographs have no line in {options.reads}")
    passed = total.exact_share >= options.min_exact and total.folded_share >= options.min_folded
    print(f"{'passed' if passed else 'FAILED'}: exact >= {options.min_exact}, folded >= {options.min_folded}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
