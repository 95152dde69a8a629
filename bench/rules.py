"""A hundred rules of all kinds and a watchlist of a thousand plates, for benchmarks."""

import random
from pathlib import Path

from bench.traffic import COLORS, LETTERS

RULES = 100
LISTED = 1000


def write_rules(folder: Path, seed: int = 11) -> None:
    """Write ``rules/`` and ``watchlists/`` below a folder."""
    dice = random.Random(seed)
    for name in ("rules", "watchlists"):
        (folder / name).mkdir()
    (folder / "watchlists" / "wanted.txt").write_text("".join(f"{_plate(dice)}\n" for _ in range(LISTED)))
    kinds = (
        lambda: f"{{plate: [{_plate(dice)}, {_plate(dice)}]}}",
        lambda: f"{{plate: '{_plate(dice)[:3]}?{dice.randrange(10)}*'}}",
        lambda: (
            f"{{all: [{{field: vehicle_color, op: equals, value: {dice.choice(COLORS)}}}, "
            f"{{cameras: cam-{dice.randrange(1000):04}}}]}}"
        ),
        lambda: f"{{field: plate_text, op: regex, value: '^{_plate(dice)[:4]}'}}",
        lambda: f"{{all: [{{watchlist: wanted}}, {{sites: site-{dice.randrange(100):02}}}]}}",
    )
    rules = [
        f"  - {{id: rule-{number}, name: rule {number}, suppress: 10m, match: {kinds[number % len(kinds)]()}}}\n"
        for number in range(RULES)
    ]
    (folder / "rules" / "bench.yml").write_text("rules:\n" + "".join(rules))


def _plate(dice: random.Random) -> str:
    return "".join(dice.choice(LETTERS) for _ in range(3)) + f"{dice.randrange(10_000):04}"
